"""Options that several commands share, each defined once, and names for completion."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gan_toolkit.catalogue import Catalogue

if TYPE_CHECKING:
    from rich.console import Console


def warn(text: str) -> None:
    """Print one line to stderr that the user should not miss."""
    print(f"gantk: warning: {text}", file=sys.stderr)


def catalogue(files: Iterable[str | Path] = ()) -> Catalogue:
    """Return the catalogue, after warning of every plugin that could not be used."""
    found = Catalogue.discover(files)
    for problem in found.problems:
        warn(problem)
    return found


def print_json(value: object) -> None:
    """Print a value for machines to stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table to stdout: aligned and coloured on a terminal, plain columns in a pipe."""
    from rich import box
    from rich.table import Table

    table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    console().print(table)


def console(*, stderr: bool = False) -> Console:
    """Return a rich console; in a pipe it is wide enough never to cut a cell."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 200, highlight=False)


def names_of(kind: str) -> Callable[[], list[str]]:
    """Return a completion that offers the names of one kind."""
    return lambda: Catalogue.discover().names(kind)


PluginFiles = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE", help="Load a single-file plugin. Repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A run, a bundle folder or a .safetensors file.")
]
