"""What each of several processes does in `test_processes.py`: it trains, and writes what it holds.

torchrun --nproc-per-node 2 tests/training/together.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

import gan_toolkit
from gan_toolkit import processes
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import Diverged
from gan_toolkit.files import write_tensors
from gan_toolkit.observer import Quiet
from gan_toolkit.resolve import Request
from gan_toolkit.state import Tensors
from gan_toolkit.tensors import TensorData
from gan_toolkit.training import prepare

SKETCHES = Path(__file__).with_name("sketches.py")
STEPS = 12
SGD = {"name": "sgd", "lr": 0.05}
NORMED = {
    "arch.hidden": [16, 16],
    "arch.discriminator_hidden": [16],
    "arch.generator_norm": "batch",
    "updates.generator.optimiser": SGD,
    "updates.discriminator.optimiser": SGD,
}
Systems = dict[str, tuple[str, dict[str, Any]]]
EXACT: Systems = {
    "plain": ("plain", {}),
    "twice-d-once-g": ("plain", {"updates.discriminator.times": 2}),
    "same-fakes": ("plain", {"updates.generator.fresh_fakes": False}),
    "wgan-gp": ("plain", {"terms.gp": {"name": "interpolated", "every": 2}}),
    "r3gan": (
        "plain",
        {
            "terms.adversarial": {"name": "pairing"},
            "terms.zero": {"name": "r1r2"},
            "updates.generator.fresh_reals": True,
        },
    ),
    "acgan": ("acgan", {"terms.head": {"name": "class-head"}}),
    "growing": ("growing", {}),
    "endless-data": ("plain", {"data": "endless"}),
    "progressive": (
        "progressive",
        {
            "data": TensorData.of(torch.rand(40, 1, 16, 16, generator=torch.Generator()) * 2 - 1),
            "arch.latent": 5,
            "arch.width": 6,
            "arch.taper": 48,
            "arch.whole_batch_to": 8,
            "arch.stage_kimg": 0.06,
            "arch.fade_kimg": 0.06,
        },
    ),
}
"""Those that two processes train to the bits of twice as many micro-batches."""
ALIKE: Systems = {
    "dropout-and-batch-norm": ("normed", {}),
    "batch-norm-and-same-fakes": ("normed", {"updates.generator.fresh_fakes": False}),
    "path-length": (
        "mapped",
        {
            "terms.path": {"name": "path-length"},
            "updates.generator.networks": ["mapping", "generator"],
        },
    ),
}
"""Those of which only is said that all processes hold the same."""
ROUNDED: Systems = {
    "accumulated": (
        "plain",
        {
            "accumulate": 2,
            "updates.generator.optimiser": SGD,
            "updates.discriminator.optimiser": SGD,
        },
    ),
    "synchronised": ("mlp", {**NORMED, "compute.batch_norm": "synchronised"}),
    "synchronised-twice": (
        "mlp",
        {
            **NORMED,
            "compute.batch_norm": "synchronised",
            "terms.zero": {"name": "r1r2", "gamma": 0.1},
        },
    ),
}
"""Those that two processes train as one does on the whole batch, within rounding."""


def request(arch: str, settings: dict[str, Any]) -> Request:
    generator = torch.Generator().manual_seed(5)
    labelled = torch.randn(50, 8, generator=generator), torch.arange(50) % 3
    return Request(
        arch=arch,
        data=settings.get("data", TensorData.of(labelled)),
        settings={
            "batch": 16,
            "steps": STEPS,
            "compute.engine": "eager",
            **{key: value for key, value in settings.items() if key != "data"},
        },
    )


def trained(arch: str, settings: dict[str, Any]) -> Tensors:
    """Return the whole state after some steps."""
    ready = prepare(request(arch, settings), Catalogue.discover([SKETCHES]), Quiet())
    trainer = ready.trainer(Quiet())
    for _ in range(STEPS):
        trainer.advance()
    return trainer.state.tensors()


def main(folder: Path) -> None:
    processes.join()
    rank = processes.rank()
    for name, (arch, settings) in (EXACT | ALIKE | ROUNDED).items():
        write_tensors(folder / f"{name}-{rank}.safetensors", trained(arch, settings), {})
    settings = {"batch": 16, "steps": 40, "log_every": 7, "terms.bad.name": "exploding"}
    try:
        gan_toolkit.train(
            arch="plain",
            data=torch.randn(50, 8, generator=torch.Generator().manual_seed(5)),
            settings=settings,
            out=folder / "diverged",
            plugins=[SKETCHES],
        )
    except Diverged as error:
        (folder / f"diverged-{rank}.txt").write_text(str(error))
    processes.leave(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
