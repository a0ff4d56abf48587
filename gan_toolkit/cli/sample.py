"""`gantk sample`: images from a trained generator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gan_toolkit.cli.common import Label, Model, Offline, PluginFiles, Truncation


def sample(
    model: Model,
    n: Annotated[
        int | None, typer.Option("-n", min=1, help="Number of samples; else a full grid.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Sample i of a seed is always the same.")] = 0,
    label: Label = None,
    truncation: Truncation = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="grid.png, a folder/ of PNGs, x.npz or x.safetensors."),
    ] = Path("samples.png"),
    offline: Offline = False,
    plugin: PluginFiles = None,
) -> None:
    """Draw samples from a trained model.

    The name of --out decides the form: a grid, a folder of pictures or an array file.
    """
    from gan_toolkit.cli.display import open_model, task
    from gan_toolkit.outputs import Drawn, writer_for

    write = writer_for(out)
    generator = open_model(model, plugin or (), offline=offline)
    full, rows = generator.grid
    n = n or full
    with task("Sampling", n) as advance:
        samples = generator.sample(
            n, seed=seed, labels=label, truncation=truncation, progress=advance
        )
    facts = {"seed": str(seed), "model": generator.sha256}
    facts |= {"label": label} if label else {}
    facts |= {"truncation": str(truncation)} if truncation else {}
    in_turn = rows is not None and label is None and n >= rows
    write(out, Drawn(samples, generator.spec.sample, facts, rows if in_turn else None))
    print(out)
