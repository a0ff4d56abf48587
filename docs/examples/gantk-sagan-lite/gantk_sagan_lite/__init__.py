"""SAGAN, small: convolutions whose maps also look at themselves."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1
PAPER = "Zhang et al. 2019, arXiv:1805.08318"


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the architecture and its default recipe."""
    return [
        Component(
            "architecture",
            "sagan-lite",
            "gantk_sagan_lite.networks:SAGANLite",
            "Convolutions with self-attention, square images of side 8, 16, 32, …",
            paper=PAPER,
            licence="MIT",
        ),
        Component(
            "recipe",
            "sagan-lite",
            "gantk_sagan_lite:sagan-lite.toml",
            "Digits by the hinge loss, D learning faster than G",
            paper=PAPER,
        ),
    ]
