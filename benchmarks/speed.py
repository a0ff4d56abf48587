"""Steps of our engines beside what a user would otherwise run, paired in one process.

    nox -s bench

Every contestant of a workload makes a block of steps in turn, round after round, so that whatever
else the machine does meets all of them; a ratio is taken within a round, and its median counts.
Wall time and CPU time are both kept. Ours pays for all that `Trainer.run` does in a step, averaged
weights included, which no other contestant has. OMP_NUM_THREADS decides the number of threads.
Writes `benchmarks/speed.json`, or `speed_cuda.json`, and `docs/benchmarks.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from plain_loops import Batches, Curve, Digits, Loop, Plain, PlainPenalised, PlainThree, TorchGAN
from speed_page import page
from torch import Tensor, nn

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.layers import Conv2d, ConvTranspose2d, LeakyReLU
from gan_toolkit.observer import Observer
from gan_toolkit.resolve import Request
from gan_toolkit.system import machine, versions
from gan_toolkit.trainer import Trainer
from gan_toolkit.training import prepare
from gantk_mnist.data import MNIST

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
BLOCK_S = 0.4
"""Seconds that a block of steps is to take, at least one step."""
GATHERING_S = 2.0
FILES = {"cpu": "speed.json", "cuda": "speed_cuda.json"}
"""Results by device."""
FASTER: Mapping[type[nn.Module], type[nn.Module]] = {
    Conv2d: nn.Conv2d,
    ConvTranspose2d: nn.ConvTranspose2d,
    LeakyReLU: nn.LeakyReLU,
}
"""Layers that are ours to torch's own."""
Settings = dict[str, Any]  # Any: TOML values


class Ours:
    """Our trainer with one of its engines."""

    def __init__(self, settings: Settings, engine: str, device: str, **more: object) -> None:
        begun = time.perf_counter()
        request = Request(
            recipe=settings.get("recipe"),
            arch=settings.get("arch"),
            data=settings.get("data"),
            settings={
                **{k: v for k, v in settings.items() if k not in {"recipe", "arch", "data"}},
                "compute.engine": engine,
                "compute.device": device,
                "compute.threads": torch.get_num_threads(),
                **more,
            },
        )
        warnings: list[str] = []
        observer = Observer()
        observer.warn = warnings.append  # type: ignore[method-assign,assignment]  # for this one
        self.trainer = prepare(request, Catalogue.discover(), observer).trainer(observer)
        for _ in range(2):  # the first pays for memory and for programs
            self._step()
        if warnings:
            raise RuntimeError(warnings[0])
        self.first_step_s = time.perf_counter() - begun

    def run(self, steps: int) -> None:
        """Make steps and read their means every 50th, as a row of metrics does."""
        for _ in range(steps):
            self._step()
            if self.trainer.state.step % 50 == 0:
                self.trainer.state.readings.means()
                self.trainer.state.readings.clear()
        if self.trainer.device.type == "cuda":
            torch.cuda.synchronize()

    def _step(self) -> None:
        state = self.trainer.state
        self.trainer.engine.step(state, *self.trainer.feed.moves(state))
        state.grow()


@dataclass(frozen=True)
class Workload:
    """The same job for several contestants."""

    title: str
    ours: Settings
    others: Mapping[str, Callable[[Trainer], Loop]]


def networks(trainer: Trainer) -> tuple[nn.Module, nn.Module]:
    """Return fresh networks like the trainer's, of torch's own layers alone."""
    made = trainer.recipe.arch.networks(trainer.feed.spec, 0)
    for module in (each for network in made.values() for each in network.modules()):
        if type(module) in FASTER:
            module.__class__ = FASTER[type(module)]
    return made["generator"].to(trainer.device), made["discriminator"].to(trainer.device)


class LogitsOnly(nn.Module):
    """A discriminator that returns features too, without them."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.inner(x)[0]
        return logits


def uniform(count: int) -> Tensor:
    """Return latents of the curve's tutorial."""
    return torch.rand(count, 2) * 2 - 1


def normal(size: int, count: int) -> Tensor:
    """Return normal latents."""
    return torch.randn(count, size)


def digits(side: int, batch: int = 64) -> Batches:
    """Return batches of MNIST, resized one by one."""
    source = MNIST().open()
    return Batches(Digits(source.gather(torch.arange(60_000))["sample"].squeeze(1), side), batch)


def plain_curve(trainer: Trainer) -> Loop:
    """Return the tutorial's loop on the curve."""
    G, D = networks(trainer)
    rms = partial(torch.optim.RMSprop, lr=1e-3, alpha=0.9, eps=1e-10)
    return Plain(G, LogitsOnly(D), Curve(256), uniform, rms, again=False)


def plain_digits(side: int, loop: type[Plain], trainer: Trainer) -> Loop:
    """Return a plain loop on MNIST."""
    adam = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999))
    return loop(*networks(trainer), digits(side), partial(normal, 64), adam)


def torchgan_digits(side: int, penalised: bool, trainer: Trainer) -> Loop:
    """Return torchgan's trainer on MNIST."""
    arguments = (torch.optim.Adam, {"lr": 2e-4, "betas": (0.5, 0.999)})
    G, D = networks(trainer)
    return TorchGAN(G, D, digits(side), 64, optimiser=arguments, penalised=penalised)


def plain_three(trainer: Trainer) -> Loop:
    """Return the loop with three optimisers."""
    return PlainThree(digits(28, 50), trainer.device)


def dcgan(side: int) -> Workload:
    """Return the workload of a DCGAN on images of a size."""
    return Workload(
        f"DCGAN, {side}×{side}, width 64, batch 64",
        {
            "arch": "dcgan",
            "data": "mnist",
            "data.resolution": side,
            "arch.width": 64,
            "updates.generator.fresh_fakes": False,  # as in the loop
            "compute.channels_last": True,
        },
        {
            "plain loop": partial(plain_digits, side, Plain),
            "torchgan": partial(torchgan_digits, side, False),
        },
    )


WORKLOADS = {
    "curve": Workload(
        "MLP of 16 on a curve, batch 256", {"recipe": "quadratic"}, {"plain loop": plain_curve}
    ),
    "oreilly": Workload(
        "O'Reilly's tutorial, 28×28, three optimisers, batch 50",
        {
            "recipe": "oreilly-mnist",
            "updates.generator.starts_at": 0,
            "compute.channels_last": True,
        },
        {"plain loop": plain_three},
    ),
    "dcgan28": dcgan(28),
    "dcgan32": dcgan(32),
    "dcgan64": dcgan(64),
    "wgan28": Workload(
        "WGAN-GP, 28×28, width 64, batch 64, a penalty every step",
        {
            "arch": "wgan",
            "data": "mnist",
            "arch.width": 64,
            "terms.penalty.every": 1,
            "compute.channels_last": True,
        },
        {
            "plain loop": partial(plain_digits, 28, PlainPenalised),
            "torchgan": partial(torchgan_digits, 28, True),
        },
    ),
}


@dataclass
class Measured:
    """One contestant's blocks."""

    steps: int
    wall: list[float]
    cpu: list[float]


def raced(contestants: Mapping[str, Loop], seconds: float) -> dict[str, Measured]:
    """Let all make blocks of steps in turn; return seconds a step of each block."""
    found = {name: Measured(_block(loop), [], []) for name, loop in contestants.items()}
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds or len(next(iter(found.values())).wall) < 5:
        for name, loop in contestants.items():
            kept = found[name]
            wall, cpu = time.perf_counter(), time.process_time()
            loop.run(kept.steps)
            kept.wall.append((time.perf_counter() - wall) / kept.steps)
            kept.cpu.append((time.process_time() - cpu) / kept.steps)
    return found


def _block(loop: Loop) -> int:
    """Return how many steps take about a block's time, after making some."""
    loop.run(3)
    steps = 1
    while True:
        begun = time.perf_counter()
        loop.run(steps)
        if (spent := time.perf_counter() - begun) > BLOCK_S / 4 or steps >= 4096:
            return max(1, round(steps * BLOCK_S / spent))
        steps *= 4


def gathered(batch: int = 64) -> int:
    """Return packed 28×28 images gathered in a second of one core."""
    source, order = MNIST().open(), torch.randperm(60_000)
    count, begun = 0, time.process_time()
    while time.process_time() - begun < GATHERING_S:
        for first in range(0, len(order) - batch, batch):
            source.gather(order[first : first + batch])
            count += batch
    return round(count / (time.process_time() - begun))


OURS: dict[str, dict[str, tuple[str, Settings]]] = {
    "cpu": {
        "eager": ("eager", {}),
        "compiled": ("compiled", {}),
        "eager, bf16": ("eager", {"compute.precision": "bf16"}),
        "compiled, bf16": ("compiled", {"compute.precision": "bf16"}),
    },
    "cuda": {
        "eager": ("eager", {}),
        "captured": ("captured", {}),
        "compiled": ("compiled", {}),
        "captured, bf16": ("captured", {"compute.precision": "bf16"}),
    },
}
"""Our contestants by device: engine and what else is set."""


def result(
    workload: Workload, seconds: float, device: str, without: Collection[str]
) -> dict[str, Any]:
    """Return a workload's figures: milliseconds a step and how many times ours is as fast."""
    ours: dict[str, Ours] = {}
    for name, (engine, more) in OURS[device].items():
        if name in without:
            continue
        try:
            ours[name] = Ours(workload.ours, engine, device, **more)
        except RuntimeError as error:
            print(f"without {name}: {error}")
    contestants: dict[str, Loop] = dict(ours)
    for name, build in workload.others.items():
        try:
            contestants[name] = build(ours["eager"].trainer)
        except ImportError as error:
            print(f"without {name}: {error}")
    found = raced(contestants, seconds)
    return {
        "title": workload.title,
        "batch": ours["eager"].trainer.recipe.plan.batch,
        "first_step_s": {name: round(one.first_step_s, 1) for name, one in ours.items()},
        "contestants": {
            name: {
                "ms_wall": round(1000 * statistics.median(kept.wall), 3),
                "ms_cpu": round(1000 * statistics.median(kept.cpu), 3),
                "blocks": len(kept.wall),
                "steps_a_block": kept.steps,
            }
            for name, kept in found.items()
        },
        "ratios": {
            other: {
                own: {
                    kind: round(statistics.median(_ratios(found[other], found[own], kind)), 2)
                    for kind in ("wall", "cpu")
                }
                for own in ours
            }
            for other in found
            if other not in ours
        },
    }


def _ratios(other: Measured, own: Measured, kind: str) -> Iterator[float]:
    for theirs, mine in zip(getattr(other, kind), getattr(own, kind), strict=True):
        yield theirs / mine


def main() -> None:
    """Measure the workloads and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each workload")
    parser.add_argument("--only", nargs="*", choices=sorted(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--device", choices=sorted(OURS), default="cpu")
    parser.add_argument(
        "--without",
        nargs="*",
        default=[],
        choices=sorted({name for own in OURS.values() for name in own} - {"eager"}),
        help="contestants of ours to leave out",
    )
    parser.add_argument("--folder", type=Path, default=HERE, help="of the results")
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    path = arguments.folder / FILES[arguments.device]
    kept = _read(path) if path.exists() else {}
    about = {"machine": machine(torch.device(arguments.device)), "versions": versions()}
    workloads = dict(kept.get("workloads", {}))
    left = workloads.keys() - set(arguments.only)
    if left and any(kept.get(key) != told for key, told in about.items()):
        parser.error(f"{path} is of another machine or other versions: measure all, without --only")
    rate = gathered()
    with tempfile.TemporaryDirectory() as cache:  # so that every first step is compiled
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        for name in arguments.only:
            workloads[name] = result(
                WORKLOADS[name], arguments.seconds, arguments.device, arguments.without
            )
            print(json.dumps(workloads[name], indent=1), flush=True)
            kept = {
                **kept,
                "workloads": {key: workloads[key] for key in WORKLOADS if key in workloads},
                "gathered": rate,
                **about,
            }
            text = json.dumps(kept, indent=2, ensure_ascii=False)
            path.write_text(text + "\n", encoding="utf-8")
            write_page(arguments.folder, arguments.page)


def write_page(folder: Path = HERE, page_path: Path = PAGE) -> None:
    """Write the page of all results in a folder."""
    paths = {device: folder / name for device, name in FILES.items()}
    kept = {device: _read(path) for device, path in paths.items() if path.exists()}
    limits = folder / "limits.json"
    text = page(kept, OURS, _read(limits) if limits.exists() else None)
    page_path.write_text(text, encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    main()
