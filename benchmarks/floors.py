"""What each score says of real samples, and of what is plainly wrong.

    GANTK_DATA=data nox -s floors

10,000 samples each: MNIST through `digits`, CIFAR-10 through `efflite0`. Real are the test images
against the 50,000 or 60,000 others. The nulls keep one thing of the data and lose the rest: each
image's pixels in another order, noise, the images of one class alone, one image again and again,
labels in another order; and training images over again, which no such score finds out. Writes
`benchmarks/floors.json` and `docs/reference/floors.md`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_toolkit.data import LABEL, SAMPLE, DataSet, Stored
from gan_toolkit.evaluation import evaluate
from gan_toolkit.streams import stream
from gan_toolkit.system import versions
from gantk_cifar.data import CIFAR10
from gantk_mnist.data import MNIST

HERE = Path(__file__).parent
JSON = HERE / "floors.json"
PAGE = HERE.parent / "docs" / "reference" / "floors.md"
STAMP = "<!-- Written by benchmarks/floors.py; do not edit. -->\n"
N = 10_000
DATA: dict[str, tuple[DataSet, DataSet]] = {
    "MNIST": (MNIST(), MNIST(split="test")),
    "CIFAR-10": (CIFAR10(), CIFAR10(split="test")),
}

Rows = tuple[Tensor, Tensor]


def rows(data: DataSet) -> Rows:
    """Return `N` images of data, uint8 [N, C, H, W], and their labels, in random order."""
    source = data.open()
    assert isinstance(source, Stored)
    order = torch.randperm(source.spec.length or 0, generator=stream(0, "floors"))[:N]
    found = source.gather(order)
    return found[SAMPLE], found[LABEL]


def nulls(test: Rows, train: Rows) -> dict[str, Rows]:
    """Return what stands in for samples, by what it is."""
    images, labels = test
    dice = stream(0, "nulls")
    pixels = torch.rand(N, 1, images[0, 0].numel(), generator=dice).argsort(-1)
    mixed = images.flatten(2).gather(2, pixels.expand(-1, images.shape[1], -1))
    noise = torch.randint(256, images.shape, generator=dice).to(torch.uint8)
    one = images[labels == labels[0]]
    return {
        "pixels shuffled": (mixed.view_as(images), labels),
        "noise": (noise, labels),
        "one class": (one[torch.arange(N) % len(one)], labels),
        "one image": (images[:1].expand_as(images), labels),
        "labels shuffled": (images, labels[torch.randperm(N, generator=dice)]),
        "training images": train,
    }


def measured(data: DataSet, held_out: DataSet) -> dict[str, Any]:
    """Return every score of the real samples and of each null."""
    found: dict[str, Any] = {"real": {}}
    for name, samples in nulls(rows(held_out), rows(data)).items():
        begun = time.process_time()
        scores = evaluate(samples, data, n=N)
        found[name] = {score.name: score.value for score in scores}
        found["real"] |= {score.name: score.floor for score in scores}
        print(name, round(time.process_time() - begun), "s", json.dumps(found[name]), flush=True)
    return found


def shown(value: float | None) -> str:
    """Return a number for a table."""
    if value is None:
        return ""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def page(told: dict[str, Any]) -> str:
    """Return the page of the documentation from what the JSON holds."""
    parts = [
        f"""{STAMP}
# What real samples score, and what nonsense does

{N:,} samples each. *Real* are held-out test images: no generator can be told to do better. The
other columns keep one thing of the data and lose the rest, so that a number can be read between
two ends. The last one is the training data over again: to be read as a warning, since these
scores take a copy for the best of models. `gantk publish` shows the nearest training images for
that reason. `GANTK_DATA=data nox -s floors` writes this page anew.
"""
    ]
    for title, table in told["tables"].items():
        kinds = list(table)
        head = f"| score | {' | '.join(kinds)} |\n{'| --- ' * (len(kinds) + 1)}|\n"
        lines = [
            f"| `{name}` | {' | '.join(shown(table[kind].get(name)) for kind in kinds)} |\n"
            for name in table["real"]
        ]
        parts.append(f"## {title}\n\n{head}{''.join(lines)}")
    return "\n".join(parts)


def main() -> None:
    """Score, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=DATA, action="append", help="left out, all; repeatable")
    chosen = parser.parse_args().data or list(DATA)
    known = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else {"tables": {}}
    made = {name: measured(*DATA[name]) for name in chosen}
    every = known["tables"] | made
    tables = {name: every[name] for name in DATA if name in every}
    told = {"n": N, "tables": tables, "versions": versions()}
    JSON.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(page(told), encoding="utf-8")


if __name__ == "__main__":
    main()
