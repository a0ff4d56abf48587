"""CPU time of the trainer beside a hand-written loop of the same mathematics, in one run.

    nox -s bench

Both train the same networks on the same rows with the same optimisers, learning-rate schedule and
weight average, D frozen while G learns in both; the hand-written one runs without torch's
deterministic mode. Blocks of steps alternate, and the ratio of their CPU times is taken pair by
pair; the median is what counts (at most 1.10). The trainer's side pays for everything that
`Trainer.run` does in a step and for its row of metrics every 50.

Then trainers of three recipes beside the same trainers without vital signs, rows and doctor: what
these cost together (at most 1.03), over the first steps of runs as long as the recipes have them,
every step made eagerly.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.observer import Observer
from gan_toolkit.resolve import Request, resolve
from gan_toolkit.system import versions
from gan_toolkit.tensors import TensorData
from gan_toolkit.trainer import Trainer
from gan_toolkit.training import prepare
from gan_toolkit.vitals import Vitals

WIDTH, BATCH, LATENT, STEPS = 16, 64, 64, 100_000


class Clocked(Observer):
    """Stops the trainer after every block of steps, to let the other loop run."""

    def __init__(self, block: int, between: Iterator[None], times: list[float]) -> None:
        self._block = block
        self._between = between
        self._times = times
        self._begun = time.process_time()

    def advanced(self, step: int) -> None:
        """Take the time at the end of a block."""
        if step % self._block == 0:
            self._times.append(time.process_time() - self._begun)
            next(self._between)
            self._begun = time.process_time()


def by_hand(images: Tensor, block: int, times: list[float]) -> Iterator[None]:
    """Train as a careful person writes it, a block of steps at each `next`."""
    arch = Catalogue.discover().load("architecture", "dcgan")(width=WIDTH, latent=LATENT)
    networks = arch.networks(TensorData.of(images).open().spec.ranged(-1, 1), 0)
    G, D = networks["generator"], networks["discriminator"]
    average = copy.deepcopy(G).requires_grad_(requires_grad=False)
    own = [*average.parameters(), *(b for b in average.buffers() if b.is_floating_point())]
    new = [*G.parameters(), *(b for b in G.buffers() if b.is_floating_point())]
    optimisers = [
        torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
        for net in (D, G)
    ]
    rows = torch.Generator().manual_seed(0)
    order, position, step = torch.randperm(len(images), generator=rows), 0, 0
    kept: list[Tensor] = []
    while True:
        torch.use_deterministic_algorithms(False)
        begun = time.process_time()
        for _ in range(block):
            if position + BATCH > len(images):
                order, position = torch.randperm(len(images), generator=rows), 0
            real = images[order[position : position + BATCH]].float().div_(127.5).sub_(1)
            position += BATCH
            lr = 2e-5 + 9e-5 * (1 + math.cos(math.pi * step / STEPS))
            for optimiser in optimisers:
                optimiser.param_groups[0]["lr"] = lr
            D.requires_grad_()
            G.requires_grad_(requires_grad=False)
            optimisers[0].zero_grad()
            real_logits = D(real).flatten()
            fake_logits = D(G(torch.randn(BATCH, LATENT))).flatten()
            loss_d = softplus(-real_logits).mean() + softplus(fake_logits).mean()
            loss_d.backward()
            optimisers[0].step()
            D.requires_grad_(requires_grad=False)
            G.requires_grad_()
            optimisers[1].zero_grad()
            loss_g = softplus(-D(G(torch.randn(BATCH, LATENT))).flatten()).mean()
            loss_g.backward()
            optimisers[1].step()
            with torch.no_grad():
                torch._foreach_lerp_(own, new, 0.005)
            kept += [loss_d.detach(), loss_g.detach(), (real_logits > 0).float().mean()]
            step += 1
            if step % 50 == 0:
                torch.stack(kept).tolist()
                kept.clear()
        times.append(time.process_time() - begun)
        torch.use_deterministic_algorithms(True)
        yield


def deaf(trainer: Trainer, block: int, times: list[float]) -> Iterator[None]:
    """Make a trainer's bare steps, a block at each `next`: nothing is looked at or written."""
    trainer.state.vitals = Vitals(log_every=10**9)  # looks once, at step 0
    while True:
        begun = time.process_time()
        for _ in range(block):
            trainer.advance()
            trainer.state.readings.clear()
        times.append(time.process_time() - begun)
        yield


def cost_of_the_doctor(recipe: str, data: str, blocks: int) -> dict[str, float]:
    """Return the ratio of CPU times with and without vital signs, rows and doctor."""
    block = 400  # a row with vital signs in each
    asked = Request(recipe=recipe, data=data)
    settings = {
        "steps": blocks * block,
        "planned_steps": resolve(asked, Catalogue.discover()).plan.span,
        "checkpoint_every": 10**6,
        "sample_every": 10**6,
        "compute.threads": 1,
        "compute.device": "cpu",
        "compute.engine": "eager",
    }
    request = Request(recipe=recipe, data=data, settings=settings)
    without: list[float] = []
    with_all: list[float] = []
    ready = prepare(request, Catalogue.discover(), Observer())
    observer = Clocked(block, deaf(ready.trainer(Observer()), block, without), with_all)
    trainer = ready.trainer(observer)
    with tempfile.TemporaryDirectory() as folder:
        trainer.run(trainer.start(Path(folder) / "run"))
    pairs = [mine / bare for mine, bare in zip(with_all[1:], without[1:], strict=True)]
    return {
        "ratio_median": round(statistics.median(pairs), 4),
        "ms_per_step": round(1000 * statistics.median(with_all) / block, 3),
        "pairs": len(pairs),
    }


def main() -> None:
    """Run all and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=50)
    parser.add_argument("--block", type=int, default=50)
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    images = torch.randint(0, 256, (1797, 1, 16, 16), dtype=torch.uint8)
    hand: list[float] = []
    ours: list[float] = []
    settings = {
        "arch.width": WIDTH,
        "arch.latent": LATENT,
        "batch": BATCH,
        "steps": arguments.blocks * arguments.block,
        "checkpoint_every": 10**6,
        "sample_every": 10**6,
        "compute.threads": 1,
        "compute.device": "cpu",
    }
    request = Request(arch="dcgan", data=TensorData.of(images), settings=settings)
    observer = Clocked(arguments.block, by_hand(images, arguments.block, hand), ours)
    trainer = prepare(request, Catalogue.discover(), Observer()).trainer(observer)
    with tempfile.TemporaryDirectory() as folder:
        trainer.run(trainer.start(Path(folder) / "run"))
    pairs = [mine / theirs for mine, theirs in zip(ours[1:], hand[1:], strict=True)]
    result = {
        "ratio_median": round(statistics.median(pairs), 4),
        "ratio_quartiles": [round(q, 4) for q in statistics.quantiles(pairs, n=4)],
        "ms_per_step_by_hand": round(1000 * statistics.median(hand) / arguments.block, 3),
        "ms_per_step_trainer": round(1000 * statistics.median(ours) / arguments.block, 3),
        "pairs": len(pairs),
        "width": WIDTH,
        "batch": BATCH,
        "image": [1, 16, 16],
        "doctor": {
            recipe: cost_of_the_doctor(recipe, data, arguments.blocks // 2)
            for recipe, data in (("dcgan", "digits"), ("mlp", "ring"), ("quadratic", "curve"))
        },
        "versions": versions(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
