"""Multi-layer perceptrons for samples of any shape, and what they learn in two dimensions."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1
GOODFELLOW = "Goodfellow et al. 2014, arXiv:1406.2661"
PACGAN = "Lin et al. 2018, arXiv:1712.04086"


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the architecture and its recipes."""
    return [
        Component(
            "architecture",
            "mlp",
            "gantk_mlp.networks:MLP",
            "Dense layers of any sizes, for points, vectors and images",
            paper=GOODFELLOW,
            licence="MIT",
        ),
        Component(
            "recipe",
            "quadratic",
            "gantk_mlp:recipes/quadratic.toml",
            "A vanilla GAN on the curve y = 10 + x²",
        ),
        Component(
            "recipe",
            "grid25",
            "gantk_mlp:recipes/grid25.toml",
            "PacGAN's grid of 25 Gaussians, by pairs and both penalties",
            paper=PACGAN,
        ),
        Component(
            "recipe",
            "ring8",
            "gantk_mlp:recipes/ring8.toml",
            "PacGAN's ring of 8 Gaussians, by pairs and both penalties",
            paper=PACGAN,
        ),
        Component(
            "recipe",
            "mlp",
            "gantk_mlp:recipes/mlp.toml",
            "A grid or a ring of Gaussians, or digits",
        ),
    ]
