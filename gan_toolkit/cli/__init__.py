"""The command line. This module only wires; each command is one module beside it.

Nothing heavy is imported at the top of any of them: root help, listing and completion stay light.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, NoReturn

import typer

from gan_toolkit.cli import (
    compare,
    doctor,
    evaluate,
    export,
    listing,
    plot,
    plugins,
    report,
    sample,
    show,
    train,
    walk,
)
from gan_toolkit.cli.common import future_told, printable
from gan_toolkit.cli.extensions import Extensible
from gan_toolkit.errors import GantkError, LostProcess

app = typer.Typer(
    name="gantk",
    help="Train, resume, sample and share GANs.",
    cls=Extensible,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich doubles the time of help
)
app.command("train")(train.train)
app.command("sample")(sample.sample)
app.command("walk")(walk.walk)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.command("plot")(plot.plot)
app.command("doctor")(doctor.doctor)
app.command("report")(report.report)
app.command("compare")(compare.compare)
app.command("list")(listing.list_components)
app.command("show")(show.show)
app.add_typer(plugins.app, name="plugins")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"gantk {version('gan-toolkit')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train, resume, sample and share GANs."""
    del version


def main() -> None:
    """Run `gantk`; a `GantkError` becomes one message on stderr and its exit code."""
    for stream in (sys.stdout, sys.stderr):  # files and pipes get what we read: recipes, say
        if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        with future_told():
            app()
    except GantkError as error:
        if os.environ.get("GANTK_DEBUG"):
            raise
        _fail(str(error), error.exit_code, lost=isinstance(error, LostProcess))
    except OSError as error:  # a place that the user named cannot be read or written
        if os.environ.get("GANTK_DEBUG") or error.errno is None:
            raise
        _fail(f"{error}. Choose another place, or mend this one.", 1)
    except KeyboardInterrupt:
        _fail("stopped.", 130)
    except SystemExit as left:
        _leave(left.code if isinstance(left.code, int) else int(left.code is not None))
        raise


def _fail(message: str, code: int, *, lost: bool = False) -> NoReturn:
    """Print why the command failed, once for all processes that train together, and exit."""

    def say(text: str) -> None:
        print(f"gantk: {printable(text)}", file=sys.stderr)

    if processes := sys.modules.get("gan_toolkit.processes"):
        processes.say_once(message, say, lost=lost)
    else:
        say(message)
    _leave(code)
    sys.exit(code)


def _leave(code: int) -> None:
    """End at once in a process that trains together with others."""
    if processes := sys.modules.get("gan_toolkit.processes"):
        processes.leave(code)
