"""`gantk data …`: verbs about data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gantk_images.check import Report

MOST_LINES = 20
"""Lines of a list that the table shows; `--json` has all."""

app = typer.Typer(help="Look at data.", no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def data() -> None:
    """Look at data."""


@app.command()
def check(
    path: Annotated[str, typer.Argument(metavar="PATH", help="Folder or archive of images.")],
    split: Annotated[str, typer.Option(help="Folder above the classes, such as train.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Decode every image below PATH and print what is there.

    Exits with 1 when a file is corrupt.
    """
    from gan_toolkit.cli.common import print_json
    from gan_toolkit.cli.display import Display
    from gantk_images.check import check as work

    display = Display()
    try:
        report = work(path, split, display.progress)
    finally:
        display.close()
    if as_json:
        print_json(report.values())
    else:
        _print(report)
    if report.corrupt:
        raise typer.Exit(1)


def _print(report: Report) -> None:
    from gan_toolkit.cli.common import print_table

    repeated = sum(len(names) - 1 for names in report.duplicates)
    facts = {
        "path": report.path,
        "images": str(report.images),
        "height x width": _listed(report.sizes),
        "channels": _listed(report.channels),
        "bits a channel": _listed(report.bits),
        "formats": _listed(report.formats),
        "classes": str(len(report.classes) or "none"),
        "corrupt files": str(len(report.corrupt) or "none"),
        "exact duplicates, by decoded pixels": str(repeated or "none"),
        "other files, ignored": _listed(report.ignored) or "none",
    }
    print_table(("what", "found"), list(facts.items()))
    balance = [(name, str(count)) for name, count in report.classes.items()]
    copies = [(name, names[0]) for names in report.duplicates for name in names[1:]]
    for columns, rows in (
        (("class", "images"), balance),
        (("corrupt file", "reason"), list(report.corrupt.items())),
        (("duplicate", "same pixels as"), copies),
    ):
        if rows:
            more = [("…", f"{len(rows) - MOST_LINES} more: --json")]
            print()
            print_table(columns, rows[:MOST_LINES] + more * (len(rows) > MOST_LINES))
    for line in report.advice:
        print(f"\n{line}")


def _listed(counts: dict[str, int]) -> str:
    shown = [f"{count} of {what}" for what, count in list(counts.items())[:5]]
    return ", ".join(shown + ["…"] * (len(counts) > 5))
