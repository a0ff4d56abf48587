"""Conditional DCGAN: labels at every level, embedded, projected or classified."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the architecture, its auxiliary loss, its default recipe and system S4."""
    paper = "Radford et al. 2016, arXiv:1511.06434"
    return [
        Component(
            "architecture",
            "cdcgan",
            "gantk_cdcgan.networks:CDCGAN",
            "Convolutions told the class of each image, of any size from 8×8",
            paper=paper,
            licence="MIT",
        ),
        Component(
            "loss",
            "auxiliary-classifier",
            "gantk_cdcgan.losses:AuxiliaryClassifier",
            "Cross-entropy of D's head that names the class, for both players",
            paper="Odena et al. 2017, arXiv:1610.09585",
            licence="MIT",
        ),
        Component(
            "recipe",
            "cdcgan",
            "gantk_cdcgan:recipes/cdcgan.toml",
            "Digits of a chosen class in a few minutes of two cores",
            paper=paper,
        ),
        Component(
            "recipe",
            "cond-mnist",
            "gantk_cdcgan:recipes/cond-mnist.toml",
            "A published conditional DCGAN on MNIST, D updated twice for each G",
            paper=paper,
        ),
    ]
