"""The DCGAN family: a strided convolutional generator and discriminator with batch norm."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the architecture and its default recipe."""
    paper = "Radford et al. 2016, arXiv:1511.06434"
    return [
        Component(
            "architecture",
            "dcgan",
            "gantk_dcgan.networks:DCGAN",
            "Strided convolutions and batch norm, images of any size from 8×8",
            paper=paper,
            licence="MIT",
        ),
        Component(
            "recipe",
            "dcgan",
            "gantk_dcgan:recipes/dcgan.toml",
            "Digits in a few minutes of two cores",
            paper=paper,
        ),
    ]
