"""Train a digit classifier on MNIST's 60,000 training images and write its weights.

    python -m gantk_digitnet.train --out digits.safetensors
    python -m gantk_digitnet.train --strict --out strict.safetensors

The strict one also sees what is no digit, noise and averaged pairs, and learns to be unsure of it
(Hendrycks et al. 2019, arXiv:1812.04606: outlier exposure). The same machine, torch and number of
threads give the same file. A new file gets its SHA-256 into `extractor.py`; every score taken with
the old one is then of another scale.
"""

from __future__ import annotations

import argparse
import hashlib
import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import LABEL, SAMPLE, Stored
from gan_toolkit.files import write_tensors
from gan_toolkit.streams import global_stream, seed_own_draws, stream
from gantk_digitnet.network import SIDE, DigitNet

SEED = 0
EPOCHS = 5
BATCH = 128
PEAK_RATE = 2e-3
WARM_UP = 0.2
"""Share of the steps over which the rate climbs to its peak; then a cosine takes it to 0."""
SHRINK, GROW = 0.8, 1.1
"""Digits are scaled by a factor drawn between these …"""
SHIFT = 2.0
"""… and moved by up to so many pixels, so that a digit with a rim is read as surely."""
BLOCKS = (1, 2, 4, 7, 14)
"""Sides in pixels of the blocks that noise for the strict one is made of."""
CPU = torch.device("cpu")


def mnist(split: str) -> tuple[Tensor, Tensor]:
    """Return MNIST's images [N, 1, 28, 28] in -1 … 1 and labels [N] of a split."""
    source = Catalogue.discover().load("data", "mnist")(split=split).open()
    assert isinstance(source, Stored)
    assert source.spec.length is not None
    rows = source.gather(torch.arange(source.spec.length))
    return source.spec.sample.normalise(rows[SAMPLE]), rows[LABEL]


def moved(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return images [N, 1, 28, 28], each scaled and moved at random; what comes in is black."""
    n, side = len(images), images.shape[-1]
    scale = torch.empty(n).uniform_(SHRINK, GROW, generator=generator)
    shift = torch.empty(n, 2).uniform_(-SHIFT, SHIFT, generator=generator) * 2 / side
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 / scale
    theta[:, :, 2] = shift
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images + 1, grid, align_corners=False) - 1


def averaged(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the means of pairs of images of different classes, as many as there are such."""
    partner = torch.randperm(len(images), generator=generator)
    unlike = labels != labels[partner]
    return ((images + images[partner]) / 2)[unlike]


def noise(n: int, generator: torch.Generator) -> Tensor:
    """Return images [n, 1, 28, 28] of random blocks, grey or black and white, of any contrast."""
    size = BLOCKS[int(torch.randint(len(BLOCKS), (), generator=generator))]
    grey = torch.rand(n, 1, SIDE // size, SIDE // size, generator=generator)
    density, contrast, level, kind = torch.rand(4, n, 1, 1, 1, generator=generator)
    blocks = torch.where(kind < 0.5, grey, (grey < density).float())
    fine = functional.interpolate(blocks * 2 - 1, scale_factor=size)
    noisy: Tensor = fine * contrast + (2 * level - 1) * (1 - contrast)
    return noisy


def no_digits(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return about as many images that show no digit: three in four averaged pairs, else noise."""
    kept = len(images) * 3 // 4
    pairs = averaged(images, labels, generator)[:kept]
    return torch.cat([pairs, noise(len(images) - kept, generator)])


def rate(step: int, steps: int) -> float:
    """Return the learning rate at a step of `steps`."""
    climb = WARM_UP * steps
    if step < climb:
        return PEAK_RATE * (step + 1) / climb
    return PEAK_RATE * (1 + math.cos(math.pi * (step - climb) / (steps - climb))) / 2


def train(*, strict: bool = False) -> DigitNet:
    """Return the trained classifier, in eval mode."""
    images, labels = mnist("train")
    with global_stream(SEED, "weights"):
        net = DigitNet()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's own gap
    optimiser = torch.optim.Adam(net.parameters(), fused=True)
    epoch_steps = len(images) // BATCH
    for epoch in range(EPOCHS):
        order = torch.randperm(len(images), generator=stream(SEED, "order", epoch))
        for i in range(epoch_steps):
            step = epoch * epoch_steps + i
            chosen = order[i * BATCH :][:BATCH]
            seed_own_draws(CPU, SEED, "dropout", step)
            shown = moved(images[chosen], stream(SEED, "moved", step))
            if strict:
                shown = torch.cat(
                    [shown, no_digits(shown, labels[chosen], stream(SEED, "no", step))]
                )
            _, logits = net(shown)
            loss = functional.cross_entropy(logits[:BATCH], labels[chosen])
            if strict:  # cross-entropy with the uniform distribution (equation 2)
                loss = loss - functional.log_softmax(logits[BATCH:], 1).mean()
            optimiser.param_groups[0]["lr"] = rate(step, EPOCHS * epoch_steps)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss.item():.4f}", flush=True)
    return net.eval()


@torch.inference_mode()
def sure(net: nn.Module, images: Tensor, least: float = 0.9) -> float:
    """Return the share of images whose largest class probability is `least` or more."""
    found = torch.cat([net(part)[1].softmax(1).amax(1) for part in images.split(1000)])
    return float((found >= least).double().mean())


@torch.inference_mode()
def accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of images that are named as labelled."""
    named = torch.cat([net(part)[1].argmax(1) for part in images.split(1000)])
    return float((named == labels).double().mean())


def main() -> None:
    """Train, write the weights, print test accuracy and SHA-256."""
    parser = argparse.ArgumentParser(description="Train the digit classifier on MNIST.")
    parser.add_argument("--out", type=Path, default=Path("digits.safetensors"))
    parser.add_argument("--strict", action="store_true", help="be unsure of what is no digit")
    arguments = parser.parse_args()
    out: Path = arguments.out
    torch.use_deterministic_algorithms(mode=True)
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    net = train(strict=arguments.strict)
    write_tensors(out, net.state_dict())
    images, labels = mnist("test")
    print(f"test accuracy {accuracy(net, images, labels):.4f}")
    pairs = averaged(images, labels, stream(SEED, "test pairs"))
    for what, shown in (
        ("test digits", images),
        ("averaged pairs of them", pairs),
        ("noise", noise(10_000, stream(SEED, "test noise"))),
    ):
        print(f"read at 0.9 or more: {sure(net, shown):.4f} of {len(shown)} {what}")
    print(f"{out}: SHA-256 {hashlib.sha256(out.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
