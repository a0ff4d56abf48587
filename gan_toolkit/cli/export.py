"""`gantk export`: a run becomes a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gan_toolkit.cli.common import Model, Offline, PluginFiles


def export(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the bundle.")],
    half: Annotated[
        bool, typer.Option("--half", help="Store weights in 16 bits: half the size.")
    ] = False,
    offline: Offline = False,
    plugin: PluginFiles = None,
) -> None:
    """Write a run's generator as a bundle to share.

    Weights, config, card, recipe and a sample grid, in a new folder.
    """
    from gan_toolkit.cli.display import Display
    from gan_toolkit.export import export_bundle

    display = Display()
    try:
        path = export_bundle(
            model,
            out,
            half=half,
            plugins=plugin or (),
            offline=offline,
            progress=display.progress,
        )
    finally:
        display.close()
    print(path)
