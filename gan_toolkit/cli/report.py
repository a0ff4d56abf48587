"""`gantk report`: a run as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gan_toolkit.cli.common import PluginFiles


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="x.html; left out, RUN/report.html.")
    ] = None,
    plugin: PluginFiles = None,
) -> None:
    """Write a run as one page that opens from the disk, with no network.

    Samples over time, findings, curves, scores with receipts, nearest neighbours, recipe, system.
    """
    from gan_toolkit.cli.display import Display
    from gan_toolkit.report import write_report
    from gan_toolkit.run import find_run

    display = Display()
    try:
        print(write_report(find_run(run), out, plugins=plugin or (), progress=display.progress))
    finally:
        display.close()
