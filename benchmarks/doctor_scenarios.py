"""Runs made to fail in known ways, and healthy ones: what `doctor.py` trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Settings = dict[str, Any]
"""Recipe keys, and `few` and `shuffled`, which change the data. Any: TOML values."""
D, G = "updates.discriminator", "updates.generator"


@dataclass(frozen=True)
class Scenario:
    """A recipe, what was done to it, and what is to be found: nothing where it is healthy."""

    name: str
    finding: str
    settings: Settings


def rates(d: float | None = None, g: float | None = None) -> Settings:
    """Return the settings of constant learning rates."""
    return {f"{u}.optimiser.lr": rate for u, rate in ((D, d), (G, g)) if rate is not None}


def sgd(update: str, lr: float) -> Settings:
    """Return the settings of plain gradient descent: no Adam to scale gradients up or down."""
    return {f"{update}.optimiser": {"name": "sgd", "lr": lr}}


def game(loss: str, **others: Settings | None) -> Settings:
    """Return the settings that leave a recipe one loss, and these terms."""
    return {"terms": {"adversarial": {"name": loss}, **others}}


DCGAN = {"arch": "dcgan", "data": "digits", "steps": 1000}
WGAN = {"arch": "wgan", "data": "digits", "steps": 1000}
CDCGAN = {"arch": "cdcgan", "data": "digits", "steps": 1000}
MLP = {"arch": "mlp", "data": "digits", "steps": 1500}
RING = {"arch": "mlp", "data": "ring", "steps": 3000}
GRID = {"arch": "mlp", "data": "grid", "steps": 4000}
NON_SATURATING, MINIMAX = game("non-saturating"), game("minimax")
HEAD = {"name": "auxiliary-classifier"}
MOMENTUM = {f"{update}.optimiser.beta1": 0.9 for update in (D, G)}
SAME_LATENT = {"arch.prior": "uniform", "arch.bounds": [-0.001, 0.001]}
DROPPING = {"adversarial": {"name": "dropping", "kept": 5}}
# The first GAN paper's game on points: no penalty, one constant rate.
PLAIN_RING = {**RING, **NON_SATURATING, "arch.octaves": 0, **rates(1e-3, 1e-3)}

SCENARIOS: dict[str, dict[str, Settings]] = {
    "": {
        "dcgan": DCGAN,
        "dcgan, 4,000 steps": {**DCGAN, "steps": 4000},
        "dcgan, hinge": {**DCGAN, **game("hinge")},
        "dcgan, least squares": {**DCGAN, **game("least-squares")},
        "dcgan, augmented": {**DCGAN, "augmentation.name": "diffaugment"},
        "dcgan, width 32": {**DCGAN, "arch.width": 32},
        "dcgan, constant rate": {**DCGAN, **rates(2e-4, 2e-4)},
        "dcgan, pairs and R1": {
            **DCGAN,
            **game("relativistic-pairing", r1={"name": "r1", "gamma": 1.0}),
            "arch.norm": "none",
        },
        "wgan": WGAN,
        "cdcgan": {**CDCGAN, "steps": 2000},
        "cdcgan, classifier": {
            **CDCGAN,
            **game("non-saturating", head=HEAD),
            "arch.conditioning": "classifier",
        },
        "mlp, digits": MLP,
        "mlp, ring": RING,
        "mlp, grid": GRID,
    },
    "nan": {
        "plain descent at 10⁶": {**PLAIN_RING, **sgd(D, 1e6), **sgd(G, 1e6)},
        "unbounded critic": {**PLAIN_RING, **game("wasserstein"), **sgd(D, 10.0), **sgd(G, 10.0)},
        "rates of 10³⁰": {**MLP, **rates(1e30, 1e30)},
        "penalty of 10⁴": {**MLP, **sgd(D, 1e4), "terms.r1.gamma": 1e4},
    },
    "vanishing-gradients": {
        "minimax after D alone, dcgan": {
            **DCGAN,
            **MINIMAX,
            **sgd(G, 1e-3),
            "arch.norm": "none",
            f"{G}.starts_at": 200,
        },
        "minimax after D alone, ring": {
            **PLAIN_RING,
            **MINIMAX,
            **sgd(G, 1e-3),
            **rates(d=5e-3),
            f"{G}.starts_at": 500,
        },
        "minimax after D alone, mlp": {
            **MLP,
            **MINIMAX,
            **sgd(G, 1e-3),
            f"{G}.starts_at": 300,
        },
        "ten layers of sigmoids": {
            **MLP,
            **NON_SATURATING,
            "arch.activation": "sigmoid",
            "arch.hidden": [64] * 10,
            "arch.discriminator_hidden": [64] * 10,
        },
    },
    "discriminator-overpowers": {
        "D thrice a step, G at 10⁻⁶": {**DCGAN, **rates(g=1e-6), f"{D}.times": 3},
        "D alone first, G at 10⁻⁶": {
            **WGAN,
            **rates(g=1e-6),
            f"{G}.starts_at": 200,
            "steps": 1200,
        },
        "G at 10⁻⁶, ring": {**PLAIN_RING, **rates(5e-3, 1e-6)},
        "D far too large, G at 10⁻⁶": {
            **MLP,
            **NON_SATURATING,
            **rates(g=1e-6),
            "arch.discriminator_hidden": [1024, 512],
        },
    },
    "generator-overpowers": {
        "D at 10⁻⁶, dcgan": {**DCGAN, **rates(d=1e-6)},
        "D frozen, ring": {**RING, **rates(d=1e-9)},
        "D of one unit, mlp": {**MLP, **rates(d=1e-5), "arch.discriminator_hidden": [1]},
        "D at 10⁻⁷, grid": {**GRID, **rates(d=1e-7)},
    },
    "mode-collapse": {
        "one latent, mlp": {**MLP, **SAME_LATENT},
        "one latent, ring": {**RING, **SAME_LATENT, "arch.latent": 1},
        "one latent, grid": {**GRID, **SAME_LATENT},
        "G ten times a step": {**MLP, **NON_SATURATING, f"{G}.times": 10, "steps": 1000},
    },
    "partial-collapse": {
        "half of the classes dropped, mlp": {**MLP, "terms": DROPPING},
        "half of the classes dropped, dcgan": {**DCGAN, "terms": DROPPING, "arch.norm": "none"},
        "the same, spectral norm": {**DCGAN, "terms": DROPPING, "arch.norm": "spectral"},
        "ten modes dropped, grid": {
            **GRID,
            **game("dropping", r1={"name": "r1", "gamma": 0.1}, r2={"name": "r2", "gamma": 0.1}),
            "terms.adversarial.kept": 15,
        },
    },
    "oscillation": {
        "G's rate × 50, ring": {**PLAIN_RING, **rates(g=5e-2)},
        "momentum 0.9, ring": {**PLAIN_RING, **MOMENTUM, **rates(1e-2, 1e-2)},
        "momentum 0.9, mlp": {**MLP, **NON_SATURATING, **MOMENTUM, **rates(1e-2, 1e-2)},
        "rates × 100, dcgan": {**DCGAN, **rates(2e-1, 2e-1)},
        "clipped critic, high rates": {
            **PLAIN_RING,
            **game("wasserstein", clip={"name": "weight-clipping"}),
            **rates(1e-2, 1e-2),
        },
    },
    "stalled": {
        "G frozen, dcgan": {**DCGAN, **rates(g=1e-12)},
        "G frozen, mlp": {**MLP, **rates(g=1e-12)},
        "rates / 1000, ring": {**RING, **rates(4e-6, 4e-6)},
        "rates / 1000, wgan": {**WGAN, **rates(2e-6, 2e-6)},
    },
    "memorising": {
        "8 images, mlp": {**MLP, "few": 8},
        "16 images, mlp": {**MLP, **NON_SATURATING, "few": 16},
        "12 images, mlp": {**MLP, **NON_SATURATING, "few": 12},
        "4 images, dcgan": {**DCGAN, "few": 4, "steps": 1500},
        "6 images, wgan": {**WGAN, "few": 6, "steps": 1500},
    },
    "augmentation-leak": {
        "rolled around, dcgan": {**DCGAN, "augmentation.name": "rolling"},
        "rolled around, wgan": {**WGAN, "augmentation.name": "rolling"},
        "rolled around, mlp": {**MLP, "augmentation.name": "rolling"},
        "rolled around, hinge": {**DCGAN, **game("hinge"), "augmentation.name": "rolling"},
    },
    "labels-ignored": {
        "no weight on labels": {
            **CDCGAN,
            **game("non-saturating", head={**HEAD, "weight": 1e-9}),
            "arch.conditioning": "classifier",
        },
        "no weight on labels, hinge": {
            **CDCGAN,
            **game("hinge", head={**HEAD, "weight": 1e-9}),
            "arch.conditioning": "classifier",
        },
    },
    "labels-random": {
        "labels shuffled, projection": {**CDCGAN, "shuffled": True},
        "labels shuffled, concatenation": {
            **CDCGAN,
            "shuffled": True,
            "arch.conditioning": "concatenation",
        },
    },
    "converged": {
        "ring, three times its length": {**RING, "steps": 9000, "planned_steps": 3000},
        "grid, three times its length": {**GRID, "steps": 12000, "planned_steps": 4000},
        "dcgan, three times its length": {**DCGAN, "steps": 3000, "planned_steps": 1000},
        "mlp, three times its length": {**MLP, "steps": 4500, "planned_steps": 1500},
    },
}


def scenarios() -> Iterator[Scenario]:
    """Yield all of them."""
    for finding, named in SCENARIOS.items():
        for name, settings in named.items():
            yield Scenario(name, finding, settings)
