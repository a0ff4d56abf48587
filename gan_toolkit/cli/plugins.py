"""`gantk plugins …`: who is installed and what each adds; check, switch and begin plugins."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gan_toolkit.catalogue import SINGLE_FILE, Catalogue, Plugin
from gan_toolkit.cli.common import (
    AsJson,
    PluginFiles,
    catalogue,
    print_json,
    print_table,
    printable,
    warn,
)
from gan_toolkit.errors import UnknownName, UsageError
from gan_toolkit.plugin import PROJECT
from gan_toolkit.scaffold import KINDS
from gan_toolkit.switches import VARIABLE, disabled, named_by_variable, switch, switched_off

if TYPE_CHECKING:
    from gan_toolkit.testing import Outcome

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Switched = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A name that `gantk plugins` prints.",
        autocompletion=lambda: sorted(_installed()),
    ),
]


@app.callback(invoke_without_command=True)
def plugins(ctx: typer.Context, as_json: AsJson = False, plugin: PluginFiles = None) -> None:
    """List plugins; check them, switch them off and on, begin one of your own.

    Alone it lists, as `gantk plugins list` does.
    """
    if ctx.invoked_subcommand is None:
        list_plugins(as_json, plugin)
    elif as_json or plugin:
        verb = ctx.invoked_subcommand
        raise UsageError(f"Options come after the verb: `gantk plugins {verb} …`.")


@app.command("list")
def list_plugins(as_json: AsJson = False, plugin: PluginFiles = None) -> None:
    """List plugins: distribution, version, what each adds, its file, and which are disabled."""
    known = catalogue(plugin or ())
    off = disabled()
    found = sorted([*known.plugins, *known.disabled], key=_place)
    if as_json:
        print_json([_facts(each, off.get(each.name, "")) for each in found])
    else:
        rows = [_row(each, off.get(each.name, "")) for each in found]
        print_table(("plugin", "from", "state", "adds", "file"), rows)


@app.command()
def check(
    asked: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME|PATH]",
            help="A plugin, its distribution, a .py file, or the folder of an installed one.",
            autocompletion=lambda: sorted(_installed()),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try every promise of a plugin. Exits with 1 when one is broken.

    Without a name all that other distributions brought, or the toolkit's own when there are none.
    """
    from gan_toolkit.testing.meant import PROJECT_FILE, plugins_meant

    known, found = plugins_meant(asked)  # before torch is here: who drags it in is blamed
    for plugin in found:
        if asked and Path(asked, PROJECT_FILE).is_file() and not _lies_in(plugin, Path(asked)):
            warn(f"checked is what is installed, {plugin.file}, not what lies in '{asked}'.")
    outcomes = _outcomes(known, found)
    broken = [each for each in outcomes if each.state == "broken"]
    if as_json:
        print_json([_plain(each) for each in outcomes])
    else:
        _print_outcomes(outcomes)
        for each in broken:
            print(f"\n{printable(str(each))}")
    counted = ", ".join(f"{n} {state}" for state, n in _counted(outcomes).items())
    who = found[0].label if len(found) == 1 else f"{len(found)} plugins"
    typer.echo(f"Promises of {who}: {counted}.", err=True)
    if broken:
        raise typer.Exit(1)


@app.command()
def disable(name: Switched) -> None:
    """Leave a plugin out from now on, with its verbs; `enable` brings it back."""
    if name not in (installed := _installed()):
        raise UnknownName("plugin", name, installed)
    file = switch(name, off=True)
    print(f"{name}: disabled by {file}. `gantk plugins enable {name}` brings it back.")


@app.command()
def enable(name: Switched) -> None:
    """Bring back a plugin that `disable` left out."""
    off = switched_off()
    if name not in off | _installed():
        raise UnknownName("plugin", name, off | _installed())
    if name in off:
        switch(name, off=False)
    print(f"{name}: enabled.")
    if name in named_by_variable():
        warn(f"{VARIABLE} names '{name}' and still leaves it out wherever it is set.")


@app.command()
def new(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What users will type, such as my-thing.")
    ],
    kind: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help=f"One of: {', '.join(KINDS)}.",
            autocompletion=lambda: list(KINDS),
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the folder gantk-NAME is made.")
    ] = Path(),
) -> None:
    """Write a distribution with a small working plugin: code, tests, CI, README, licence.

    Prints its folder.
    """
    from gan_toolkit.scaffold.writing import write_distribution

    root = ctx.find_root()
    verbs = root.command.list_commands(root) if hasattr(root.command, "list_commands") else ()
    folder = write_distribution(name, kind, out, Catalogue.discover(), verbs=verbs)
    print(folder)
    typer.echo(f"Next: pip install -e {folder}, then gantk plugins check {name}.", err=True)


def _place(plugin: Plugin) -> tuple[bool, str]:
    """Return where a plugin is listed: installed ones by name, then files as they were given."""
    single = plugin.distribution == SINGLE_FILE
    return single, "" if single else plugin.name


def _facts(plugin: Plugin, disabled_by: str) -> dict[str, object]:
    """Return a plugin for machines."""
    return {
        "plugin": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "file": plugin.file,
        "adds": [{"kind": kind, "name": name} for kind, name in _adds(plugin, disabled_by)],
        "problem": plugin.problem,
        **({"state": "disabled", "disabled_by": disabled_by} if disabled_by else {}),
    }


def _row(plugin: Plugin, disabled_by: str) -> tuple[str, ...]:
    """Return a plugin as a row of the table."""
    state = "failed" if plugin.failed else "enabled"
    adds = ", ".join(map(" ".join, _adds(plugin, disabled_by))) or "nothing"
    return (
        plugin.name,
        f"{plugin.distribution} {plugin.version}".strip(),
        f"disabled by {disabled_by}" if disabled_by else state,
        "not asked" if disabled_by else adds,
        plugin.file,
    )


def _adds(plugin: Plugin, disabled_by: str) -> list[tuple[str, str]]:
    """Return the kinds and names that a plugin adds; nobody asks a disabled one."""
    if disabled_by:
        return []
    components = [(each.kind, each.name) for each in plugin.components]
    return [*components, *(("command", point.name) for point in plugin.commands)]


def _installed() -> set[str]:
    """Return the names of installed plugins; none is imported, for one may have to be disabled."""
    return {point.name for point in metadata.entry_points(group=PROJECT)}


def _lies_in(plugin: Plugin, folder: Path) -> bool:
    return Path(plugin.file).resolve().is_relative_to(folder.resolve())


def _outcomes(known: Catalogue, found: Sequence[Plugin]) -> list[Outcome]:
    """Return how every promise of plugins stands, showing how far they are tried."""
    from gan_toolkit.cli.display import Display
    from gan_toolkit.testing.checking import checks_in

    held = [check for plugin in found for check in checks_in(known, plugin)]
    outcomes = []
    display = Display()
    try:
        for done, each in enumerate(held):
            display.progress("Trying promises", done, len(held))
            with redirect_stdout(sys.stderr):  # stdout is for outcomes
                outcomes.append(each.outcome())
    except KeyboardInterrupt:
        warn(f"the promise that was being tried is {each}.")
        raise
    finally:
        display.close()
    return outcomes


def _counted(outcomes: Sequence[Outcome]) -> dict[str, int]:
    counts = Counter(each.state for each in outcomes)
    return {"kept": counts["kept"], "broken": counts["broken"], "not made": counts["not made"]}


def _print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print a line a promise: of how many it is kept, broken and not made."""
    promises = dict.fromkeys(each.check.promise for each in outcomes)
    rows = []
    for promise in promises:
        counts = _counted([each for each in outcomes if each.check.promise == promise])
        rows.append((promise.of, promise.name, *map(str, counts.values())))
    print_table(("promise of", "name", *_counted([])), rows)


def _plain(outcome: Outcome) -> dict[str, str]:
    """Return an outcome for machines."""
    check = outcome.check
    return {
        "plugin": check.subject.plugin.name,
        "distribution": check.subject.plugin.distribution,
        "subject": check.subject.label,
        "promise": check.promise.name,
        "says": check.promise.says,
        "state": outcome.state,
        "seen": outcome.seen,
    }
