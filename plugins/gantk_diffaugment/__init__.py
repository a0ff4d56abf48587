"""Differentiable augmentation of reals and fakes alike."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the augmentation."""
    return [
        Component(
            "augmentation",
            "diffaugment",
            "gantk_diffaugment.diffaugment:DiffAugment",
            "Colour, translation and cutout, for few images or long runs",
            paper="Zhao et al. 2020, arXiv:2006.10738",
            licence="MIT",
            helps=("memorising", "discriminator-overpowers"),
        )
    ]
