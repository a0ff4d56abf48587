"""What a command promises."""

from __future__ import annotations

import functools
from importlib import metadata

import typer
from typer.testing import CliRunner

from gan_toolkit.catalogue import HEAVY
from gan_toolkit.cli.extensions import Extensible
from gan_toolkit.testing.promises import Broken, Subject, promise
from gan_toolkit.testing.stages.surroundings import afresh

PROBE = """
import importlib, json, sys
module = importlib.import_module(sys.argv[1])
dragged = sorted(set(sys.modules) & set(sys.argv[2:]))
print(json.dumps([dragged, module.__doc__ or ""]))
"""


@promise("command")
def its_module_is_imported_without_torch(it: Subject) -> None:
    """The module of the command imports neither torch nor numpy nor huggingface_hub.

    Its help and its completion wait for that import. Import what is heavy inside the functions that
    run.
    """
    dragged, _ = _imported(_point(it))
    if dragged:
        raise Broken(f"it imports {', '.join(dragged)}")


@promise("command")
def root_help_can_tell_what_it_is(it: Subject) -> None:
    """The first line of the module's docstring tells what the command is for.

    `gantk --help` prints it, read from the file and without an import: a plain module in a package
    of yours, `pkg/cli.py` say. Write "`gantk verb …`: verbs about this", or the sentence alone.
    """
    point = _point(it)
    line = _imported(point)[1].partition("\n")[0]
    group = Extensible(name="gantk")
    group.added = {point.name: point}
    command = group.get_command(typer.Context(group), point.name)
    shown = (command.help if command else "") or ""
    if not line or not line.lower().endswith(shown.lower()):
        raise Broken(f"the docstring begins with {line!r}, and root help prints {shown!r}")


@promise("command")
def it_is_a_typer_app(it: Subject) -> None:
    """The entry point names a `typer.Typer`.

    It becomes a group below `gantk`, with the errors of `gan_toolkit.errors` handled. Name it in
    the group `gantk.commands`: `verb = "package.cli:app"`.
    """
    _app(it)


@promise("command")
def its_help_can_be_printed(it: Subject) -> None:
    """`gantk VERB --help` works, and so does the help of every verb below; each says what it does.

    A wrong annotation shows nowhere before. The first line of a function's docstring is its help.
    """
    app = _app(it)
    group = typer.main.get_command(app)
    below = getattr(group, "commands", {})
    for words in ([], *([name] for name in below)):
        result = CliRunner().invoke(app, [*words, "--help"])
        if result.exit_code:
            raise Broken(f"{' '.join([it.label, *words])} --help fails: {result.exception!r}")
    silent = [name for name, command in below.items() if not command.help]
    if silent:
        raise Broken(f"no help: {', '.join(silent)}")


def _point(it: Subject) -> metadata.EntryPoint:
    assert it.point is not None
    return it.point


def _app(it: Subject) -> typer.Typer:
    loaded = _point(it).load()
    if not isinstance(loaded, typer.Typer):
        raise Broken(f"{_point(it).value} is {type(loaded).__name__}")
    return loaded


@functools.lru_cache(maxsize=8)
def _imported(point: metadata.EntryPoint) -> tuple[list[str], str]:
    """Return the heavy modules that a fresh process imports along, and the module's docstring."""
    dragged, said = afresh(PROBE, point.module, *HEAVY)
    return dragged, said
