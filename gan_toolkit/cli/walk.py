"""`gantk walk`: an animation from sample to sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gan_toolkit.cli.common import Label, Model, Offline, PluginFiles, Truncation
from gan_toolkit.errors import UsageError

SIDE = 256
"""Pixels that a small frame is enlarged to at most."""


def walk(
    model: Model,
    stops: Annotated[int, typer.Option(min=1, metavar="N", help="Samples on the way.")] = 6,
    frames: Annotated[int, typer.Option(min=1, metavar="N", help="Frames from one to next.")] = 16,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Whose samples are visited.")] = 0,
    label: Label = None,
    truncation: Truncation = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="x.gif, or x.mp4 with gan-toolkit[video].")
    ] = Path("walk.gif"),
    offline: Offline = False,
    plugin: PluginFiles = None,
) -> None:
    """Walk through latent space: from sample to sample, and back.

    Normal latents move along great circles, so that what is between looks as sharp.
    """
    from gan_toolkit.animation import check_format, write_frames
    from gan_toolkit.cli.display import open_model, task
    from gan_toolkit.pictures import enlarged, is_picture, to_images

    check_format(out)
    generator = open_model(model, plugin or (), offline=offline)
    if not is_picture(generator.spec.sample):
        raise UsageError(
            f"'{model}' makes no images to walk through; `gantk sample {model} -o points.png` "
            "draws what it makes."
        )
    with task("Walking", stops * frames) as advance:
        samples = generator.walk(
            stops, frames, seed=seed, label=label, truncation=truncation, progress=advance
        )
    pictures = [enlarged(image, to=SIDE) for image in to_images(samples, generator.spec.sample)]
    write_frames(out, pictures, seconds=0.06, last=1)
    print(out)
