"""Which plugins a name, a file or a folder means."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from gan_toolkit.catalogue import SINGLE_FILE, Catalogue, Plugin
from gan_toolkit.errors import UnknownName, UsageError
from gan_toolkit.plugin import DISTRIBUTION
from gan_toolkit.switches import disabled

PROJECT_FILE = "pyproject.toml"


def plugins_meant(asked: str | None) -> tuple[Catalogue, list[Plugin]]:
    """Return a catalogue, and those of its plugins that are asked for.

    That is a plugin by its name or its distribution's, a single file, or the folder of an installed
    distribution. None means every plugin of others, or the toolkit's own when there are none.
    Raises `UnknownName`, and `UsageError` when what is asked for is not installed or is disabled.
    """
    if asked is None:
        catalogue = Catalogue.discover()
        foreign = [p for p in catalogue.plugins if p.distribution != DISTRIBUTION]
        return catalogue, foreign or list(catalogue.plugins)
    path = Path(asked)
    if path.suffix == ".py":
        catalogue = Catalogue.discover([path.absolute()])
        return catalogue, _enabled(catalogue, {(path.stem, SINGLE_FILE)})
    catalogue = Catalogue.discover()
    installed = {(p.name, p.distribution) for p in _all(catalogue)}
    keys = {key for key in installed if asked == key[0] or _same(asked, key[1])}
    if not keys and path.is_dir():
        name = _project(path)
        keys = {key for key in installed if _same(name, key[1])}
        if not keys:
            raise UsageError(_uninstalled(name, path))
    if not keys:
        known = {name for key in installed for name in key}
        hint = "Name a plugin, its distribution, a .py file or a distribution's folder."
        raise UnknownName("plugin", asked, known, hint=hint)
    return catalogue, _enabled(catalogue, keys)


def _all(catalogue: Catalogue) -> Iterable[Plugin]:
    return (*catalogue.plugins, *catalogue.disabled)


def _enabled(catalogue: Catalogue, keys: set[tuple[str, str]]) -> list[Plugin]:
    """Return the plugins of these names and distributions. Raises `UsageError` for a disabled."""
    for plugin in catalogue.disabled:
        if (plugin.name, plugin.distribution) in keys:
            raise UsageError(
                f"Plugin {plugin.label} is disabled by {disabled()[plugin.name]}. "
                f"First `gantk plugins enable {plugin.name}`."
            )
    return [p for p in catalogue.plugins if (p.name, p.distribution) in keys]


def _project(folder: Path) -> str:
    """Return the name of the distribution in a folder. Raises `UsageError` when there is none."""
    file = folder / PROJECT_FILE
    try:
        return str(tomllib.loads(file.read_text(encoding="utf-8"))["project"]["name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"'{folder}' is no folder of a distribution: {file} does not name a project "
            f"({type(error).__name__}: {error})."
        ) from error


def _uninstalled(name: str, folder: Path) -> str:
    """Return why nothing of a distribution can be checked, and what to type."""
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        reason = f"'{name}' is not installed, and only what is installed can be checked. Type"
    else:
        reason = (
            f"'{name}' is installed, but names no plugin. Add one to [project.entry-points.gantk] "
            "of its pyproject.toml, then type"
        )
    return f"{reason}: pip install -e {shlex.quote(str(folder))}"


def _same(one: str, other: str) -> bool:
    """Return whether two names are one distribution's: case, `-`, `_` and `.` do not count."""
    first, second = (re.sub(r"[-_.]+", "-", name).lower() for name in (one, other))
    return first == second
