"""Wasserstein GAN: a critic without batch norm."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the architecture and its default recipe."""
    return [
        Component(
            "architecture",
            "wgan",
            "gantk_wgan.networks:WGAN",
            "DCGAN's generator, a critic without batch norm, images of any size from 8×8",
            paper="Arjovsky et al. 2017, arXiv:1701.07875",
            licence="MIT",
        ),
        Component(
            "recipe",
            "wgan",
            "gantk_wgan:recipes/wgan.toml",
            "Digits by the Wasserstein loss and a gradient penalty, in minutes of two cores",
            paper="Gulrajani et al. 2017, arXiv:1704.00028",
        ),
    ]
