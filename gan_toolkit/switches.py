"""Which plugins are switched off: for a process by `GANTK_DISABLE_PLUGINS`, for good by a file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from pathlib import Path

from gan_toolkit.errors import UsageError
from gan_toolkit.places import config_folder

VARIABLE = "GANTK_DISABLE_PLUGINS"


def disabled() -> dict[str, str]:
    """Return the names of plugins that are left out, each with what says so.

    That is the variable, the user's file or both. Raises `UsageError` when the file cannot be read.
    """
    by_variable = named_by_variable()
    by_file = switched_off()
    says = {VARIABLE: by_variable, str(_file()): by_file}
    return {
        name: " and ".join(place for place, names in says.items() if name in names)
        for name in sorted(by_variable | by_file)
    }


def named_by_variable() -> set[str]:
    """Return the names that `GANTK_DISABLE_PLUGINS=a,b` leaves out of this process."""
    named = os.environ.get(VARIABLE, "").split(",")
    return {name.strip() for name in named if name.strip()}


def switched_off() -> set[str]:
    """Return the names that `gantk plugins disable` left in the user's file."""
    file = _file()
    try:
        return _names(tomllib.loads(file.read_text(encoding="utf-8"))["disabled"])
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"'{file}' does not say which plugins are disabled: {error}. Delete it, then disable "
            "them again with `gantk plugins disable NAME`."
        ) from error


def disabled_may_have(names: Iterable[str]) -> str:
    """Return where a name that is missing may be, and what to type; empty if none is disabled."""
    listed = sorted(set(names))
    if not listed:
        return ""
    one = len(listed) == 1
    return (
        f"It may be with {'the disabled plugin' if one else 'one of the disabled plugins'} "
        f"{', '.join(listed)}; `gantk plugins enable {listed[0] if one else 'NAME'}` brings "
        f"{'that' if one else 'one'} back."
    )


def switch(name: str, *, off: bool) -> Path:
    """Disable a plugin for good, or enable it again; return the file that says so."""
    import tomli_w

    from gan_toolkit.files import replaced

    names = switched_off() | {name} if off else switched_off() - {name}
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with replaced(file) as temporary:
        temporary.write_text(tomli_w.dumps({"disabled": sorted(names)}), encoding="utf-8")
    return file


def _names(listed: object) -> set[str]:
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise TypeError(f"{listed!r} is no list of names")
    return set(listed)


def _file() -> Path:
    return config_folder() / "plugins.toml"
