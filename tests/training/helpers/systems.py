"""Small systems of every bundled component, and what two engines left in different states."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.engines import Engine
from gan_toolkit.engines.inputs import tensors_of, with_tensors
from gan_toolkit.observer import Observer
from gan_toolkit.resolve import Request
from gan_toolkit.state import TrainState
from gan_toolkit.tensors import TensorData
from gan_toolkit.trainer import Trainer
from gan_toolkit.training import prepare

SKETCHES = Path(__file__).parents[1] / "sketches.py"
Settings = dict[str, Any]  # Any: TOML values

NOTHING = 1e-12
"""Norm of a difference that is rounding about zero: a bias in front of a norm has no gradient."""

MLP: Settings = {"arch.hidden": [6, 6], "arch.latent": 2}
SMALL: Settings = {"arch.width": 2, "arch.latent": 3}


def term(*names: str) -> Settings:
    return {f"terms.{name}": {"name": name} for name in names}


def penalised(penalty: str, **options: object) -> Settings:
    return {
        **MLP,
        "terms.adversarial": {"name": "wasserstein"},
        "terms.penalty": {"name": penalty, **options},
    }


SYSTEMS: dict[str, tuple[str, str, Settings]] = {
    "mlp": ("mlp", "ring", MLP),
    "mlp-normed": (
        "mlp",
        "ring",
        {**MLP, "arch.generator_norm": "batch", "arch.discriminator_norm": "layer"},
    ),
    "mlp-spectral": ("mlp", "ring", {**MLP, "arch.spectral_norm": True, "arch.octaves": 2}),
    "dcgan": ("dcgan", "digits", SMALL),
    "dcgan-spectral": ("dcgan", "digits", {**SMALL, "arch.norm": "spectral"}),
    "dcgan-accumulated": ("dcgan", "digits", {**SMALL, "accumulate": 2}),
    "dcgan-same-fakes": (
        "dcgan",
        "digits",
        {**SMALL, "accumulate": 2, "updates.generator.fresh_fakes": False},
    ),
    "cdcgan-same-fakes": (
        "cdcgan",
        "digits",
        {
            **SMALL,
            "arch.hidden": 5,
            "fake_labels": "uniform",
            "updates.generator.fresh_fakes": False,
        },
    ),
    "r2-same-fakes": (
        "mlp",
        "ring",
        {**penalised("r2"), "updates.generator.fresh_fakes": False},
    ),
    "cdcgan": ("cdcgan", "digits", {**SMALL, "arch.hidden": 5, "fake_labels": "uniform"}),
    "keras": ("keras", "mnist-like", {"arch.filters": [2], "arch.latent": 3}),
    "oreilly": ("oreilly", "mnist-like", {"arch.latent": 4}),
    "wgan": ("wgan", "digits", {**SMALL, "terms.penalty": {"name": "wgan-gp", "every": 2}}),
    "progressive": (
        "progressive",
        "digits",
        {
            "arch.width": 3,
            "arch.latent": 3,
            "arch.stage_kimg": 0.006,
            "arch.fade_kimg": 0.006,
            "arch.whole_batch_to": 8,
            "terms.drift": {"name": "drift"},
        },
    ),
    "non-saturating": ("mlp", "ring", {**MLP, "terms.adversarial": {"name": "non-saturating"}}),
    "minimax": ("mlp", "ring", {**MLP, "terms.adversarial": {"name": "minimax"}}),
    "least-squares": ("mlp", "ring", {**MLP, "terms.adversarial": {"name": "least-squares"}}),
    "wasserstein": ("mlp", "ring", {**MLP, "terms.adversarial": {"name": "wasserstein"}}),
    "hinge": ("mlp", "ring", {**MLP, "terms.adversarial": {"name": "hinge"}}),
    "relativistic-pairing": (
        "mlp",
        "ring",
        {
            **MLP,
            "terms.adversarial": {"name": "relativistic-pairing"},
            "updates.generator.fresh_reals": True,
        },
    ),
    "relativistic-average": (
        "mlp",
        "ring",
        {**MLP, "terms.adversarial": {"name": "relativistic-average"}},
    ),
    "auxiliary-classifier": (
        "cdcgan",
        "digits",
        {
            **SMALL,
            "arch.hidden": 5,
            "arch.conditioning": "classifier",
            "terms.head": {"name": "auxiliary-classifier"},
        },
    ),
    "drift": ("mlp", "ring", penalised("drift")),
    "r1": ("mlp", "ring", penalised("r1", gamma={"start": 1.0, "end": 0.1}, every=2)),
    "r2": ("mlp", "ring", penalised("r2")),
    "zero-centred-gp": ("mlp", "ring", penalised("zero-centred-gp")),
    "wgan-gp": ("mlp", "ring", penalised("wgan-gp")),
    "wgan-lp": ("mlp", "ring", penalised("wgan-lp")),
    "dragan": ("mlp", "ring", penalised("dragan")),
    "weight-clipping": ("mlp", "ring", penalised("weight-clipping")),
    "diffaugment": (
        "dcgan",
        "digits",
        {**SMALL, "arch.norm": "none", "augmentation.name": "diffaugment", **term("r1")},
    ),
    "critic-five-times": ("mlp", "ring", {**MLP, "updates.discriminator.times": 5}),
    "rmsprop": (
        "mlp",
        "ring",
        {
            **MLP,
            "updates.discriminator.optimiser": {"name": "rmsprop", "lr": 1e-4},
            "updates.generator.optimiser": {"name": "rmsprop", "lr": 1e-4, "momentum": 0.5},
        },
    ),
    "sgd": (
        "mlp",
        "ring",
        {
            **MLP,
            "updates.discriminator.optimiser": {"name": "sgd", "lr": 1e-3},
            "updates.generator.optimiser": {"name": "sgd", "lr": 1e-3, "momentum": 0.5},
        },
    ),
    "sketch-tied": (
        "tied",
        "vectors",
        {"updates.generator.networks": ["generator", "q"]},
    ),
    "sketch-twice": ("twice", "vectors", {}),
    "sketch-idle": ("idle", "vectors", {"updates.generator.networks": ["idle", "generator"]}),
    "sketch-growing": ("growing", "vectors", {}),
    "sketch-mapped": (
        "mapped",
        "vectors",
        {
            "terms.path": {"name": "path-length"},
            "updates.generator.networks": ["mapping", "generator"],
            "updates.generator.rates": {"mapping": 0.01},
        },
    ),
    "sketch-translating": (
        "translating",
        "pairs",
        {
            "terms.cycle": {"name": "cycle"},
            "updates.discriminator.networks": ["judge_a", "judge_b"],
            "updates.generator.networks": ["to_a", "to_b"],
        },
    ),
}


def trainer(system: str, more: Settings | None = None) -> Trainer:
    arch, data, settings = SYSTEMS[system]
    rate = {"lr": 1e-4, "eps": 1e-4}  # a gradient that is zero but for rounding moves nothing
    base = {
        "batch": 6,
        "steps": 10,
        "log_every": 3,  # vital signs are looked at in steps 0, 3, 6 and 9
        "compute.device": "cpu",
        "ema.half_life_kimg": 0.05,
        "updates.discriminator.optimiser": rate,
        "updates.generator.optimiser": rate,
    }
    noise = torch.randint(0, 256, (30, 1, 28, 28), generator=torch.Generator().manual_seed(3))
    tensors = {
        "mnist-like": noise.to(torch.uint8),
        "vectors": torch.randn(50, 8, generator=torch.Generator().manual_seed(5)),
    }
    given_data = TensorData.of(tensors[data]) if data in tensors else data
    if data == "digits":
        base |= {"data.resolution": 16}
    request = Request(
        arch=arch, data=given_data, settings=copy.deepcopy({**base, **settings, **(more or {})})
    )
    return prepare(request, Catalogue.discover([SKETCHES]), Observer()).trainer(Observer())


def widened(tensor: Tensor) -> Tensor:
    return tensor.to(torch.get_default_dtype()) if tensor.is_floating_point() else tensor


def after(engine: Engine, one: Trainer, steps: int = 10) -> TrainState:
    """Make steps with every input in torch's default precision."""
    for _ in range(steps):
        moves, new = one.feed.moves(one.state)
        wide = [with_tensors(move, map(widened, tensors_of([move]))) for move in moves]
        engine.step(one.state, wide, new)
        one.state.grow()
    return one.state


def differences(a: TrainState, b: TrainState, tolerance: float) -> list[str]:
    """Return the names of tensors that differ by more than a share of their norm."""
    left, right = a.tensors(), b.tensors()
    assert left.keys() == right.keys()
    return [
        name
        for name in left
        if not (left[name] - right[name]).double().norm()
        <= tolerance * right[name].double().norm() + NOTHING
    ]


def failing(text: str) -> None:
    raise AssertionError(text)
