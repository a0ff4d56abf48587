"""Sample grids over time, and samples with D's own estimate under each."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from gan_toolkit import bundle, checkpoint
from gan_toolkit.animation import MOST_FRAMES, write_frames
from gan_toolkit.architecture import Architecture
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.checkpoint import Checkpoint
from gan_toolkit.data import LABEL, SAMPLE, DataSpec
from gan_toolkit.errors import CheckpointError
from gan_toolkit.feed import architecture_scalars
from gan_toolkit.figures import spread
from gan_toolkit.pictures import is_picture, to_images
from gan_toolkit.plots.canvas import panels, save
from gan_toolkit.run import CHECKPOINTS, Run
from gan_toolkit.sampling import at_rest, first_rows, seeded

SHOWN = 32


def draw_samples_over_time(run: Run, path: Path) -> bool:
    """Draw the sample grids of a run as an animation: the same latents at every step."""
    grids = spread(run.sample_paths(), MOST_FRAMES)
    if len(grids) < 2 or run.trace_paths():
        return False
    frames = []
    for file in grids:
        with Image.open(file) as image:
            frames.append(image.convert("RGB"))
    write_frames(path, frames)
    return True


def draw_estimates(run: Run, path: Path, catalogue: Catalogue) -> bool:
    """Draw samples of the averaged generator with D's estimate that each is real, in per cent.

    The estimate is 1 / (1 + e^-logit): a probability for the cross-entropy losses, and elsewhere
    D's score on the same scale.
    """
    found = _newest(run)
    if found is None or not (run.path / bundle.RUN_WEIGHTS).is_file():
        return False
    about = bundle.describe(bundle.locate(run.path))
    field = about.data.sample
    if not is_picture(field):
        return False
    arch = bundle.architecture_of(about, catalogue, run.path)
    if set(arch.conditions) - {LABEL}:
        return False
    samples, logits = _judged(arch, about.data, found, span=run.recipe()["planned_steps"])
    sheet, axes = panels(SHOWN, columns=8, side=1.0)
    shown = zip(axes, to_images(samples, field), logits.sigmoid().tolist(), strict=True)
    for panel, image, estimate in shown:
        panel.imshow(image, cmap="gray", vmin=0, vmax=255)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.set_xlabel(f"{100 * estimate:.0f} %", fontsize=7, labelpad=2)
    sheet.suptitle(f"{run.path.name}, step {found.step:,}: D's estimate of each", fontsize=9)
    save(sheet, path)
    return True


def _newest(run: Run) -> Checkpoint | None:
    """Return the newest checkpoint that is intact, without moving any; None when there is none."""
    for path in reversed(list(checkpoint.listed(run.path / CHECKPOINTS))):
        with suppress(CheckpointError):
            return checkpoint.read(path)
    return None


@torch.no_grad()
def _judged(
    arch: Architecture, spec: DataSpec, found: Checkpoint, *, span: int
) -> tuple[Tensor, Tensor]:
    """Return samples [SHOWN, …] of a checkpoint's averaged networks and D's logits [SHOWN]."""
    networks = arch.networks(spec, arch.stage_at(found.nimg))
    for name, network in networks.items():
        prefix = f"{'ema' if name in arch.ema else 'networks'}/{name}/"
        own = (key for key in found.tensors if key.startswith(prefix))
        network.load_state_dict({key.removeprefix(prefix): found.tensors[key] for key in own})
    s = architecture_scalars(arch, found.nimg, found.step / span)
    draws = first_rows(seeded(arch.draws(spec), seed=0), SHOWN)
    labels = {LABEL: torch.arange(SHOWN) % len(spec.classes)} if spec.classes else {}
    with at_rest(networks):
        fakes = {**labels, **arch.generate(networks, draws, labels, s)}
        logits = arch.judge(networks, fakes, s).logits
    return fakes[SAMPLE], logits.reshape(SHOWN, -1).mean(1)
