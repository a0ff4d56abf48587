"""Options that several commands share, each defined once, and names for completion."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import UsageError, did_you_mean
from gan_toolkit.plugin import KINDS


def printable(text: str) -> str:
    """Return a text without characters that steer a terminal: files of strangers are quoted too."""
    return "".join(each if each.isprintable() or each == "\n" else "�" for each in text)


def warn(text: str) -> None:
    """Print one line to stderr that the user should not miss."""
    print(f"gantk: warning: {printable(text)}", file=sys.stderr)


@contextmanager
def future_told() -> Iterator[None]:
    """Print each `FutureWarning` once as a line of ours: it is meant for users, not for authors."""
    with warnings.catch_warnings():
        plain = warnings.showwarning
        told: set[str] = set()

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not issubclass(category, FutureWarning):
                plain(message, category, filename, lineno, file, line)
            elif str(message) not in told:
                told.add(str(message))
                warn(str(message))

        warnings.showwarning = show
        warnings.simplefilter("always", FutureWarning)
        yield


def catalogue(files: Iterable[str | Path] = ()) -> Catalogue:
    """Return the catalogue, after warning of every plugin that could not be used."""
    found = Catalogue.discover(files)
    for problem in found.problems:
        warn(problem)
    return found


def print_json(value: object) -> None:
    """Print a value for machines to stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table to stdout: folded to fit a terminal, one line a row in a pipe."""
    rows = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        for row in (columns, *rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print("  ".join(cells).rstrip())
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def check_file(path: Path) -> None:
    """Make the folders above a file to be written. Raises `UsageError` when it is a folder."""
    if path.is_dir():
        raise UsageError(f"'{path}' is a folder; name a file in it.")
    path.parent.mkdir(parents=True, exist_ok=True)


def names_of(kind: str) -> Callable[[], list[str]]:
    """Return a completion that offers the names of one kind."""
    return lambda: Catalogue.discover().names(kind)


def known_kind(kind: str) -> str:
    """Return `kind`. Raises `UsageError` when there is none of that name."""
    if kind not in KINDS:
        near = did_you_mean(kind, KINDS)
        raise UsageError(f"No kind '{kind}'.{near} The kinds: {', '.join(KINDS)}.")
    return kind


PluginFiles = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE", help="Load a single-file plugin. Repeatable."),
]
OfData = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="An option of the data: data.split=test. Repeatable."
    ),
]
Label = Annotated[
    str | None, typer.Option(help="Class name or number, for models that know classes.")
]
Truncation = Annotated[
    float | None,
    typer.Option(metavar="T", help="Cut normal latents off at ±T: typical, less varied."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A run, a bundle folder, a .safetensors file, or the name of a published model.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Use what is here; ask no network.")]
