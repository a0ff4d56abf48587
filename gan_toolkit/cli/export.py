"""`gantk export`: a run becomes a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gan_toolkit.cli.common import Model, PluginFiles


def export(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the bundle.")],
    plugin: PluginFiles = None,
) -> None:
    """Write a run's generator as a bundle to share.

    Weights, config, card, recipe and a sample grid, in a new folder.
    """
    from gan_toolkit.export import export_bundle

    path = export_bundle(model, out, plugins=plugin or ())
    print(path)
