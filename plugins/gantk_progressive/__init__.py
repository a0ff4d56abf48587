"""Progressive growing: networks that begin at 4×4 and double up to 1024×1024."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the architecture, its default recipe and the paper's drift penalty."""
    paper = "Karras et al. 2018, arXiv:1710.10196"
    return [
        Component(
            "architecture",
            "progressive",
            "gantk_progressive.growth:Progressive",
            "Grows from 4×4 to square images of up to 1024×1024",
            paper=paper,
            licence="MIT",
        ),
        Component(
            "penalty",
            "drift",
            "gantk_progressive.drift:Drift",
            "Mean square of the real logits, so that a critic's do not drift",
            paper=paper,
            licence="MIT",
        ),
        Component(
            "recipe",
            "progressive",
            "gantk_progressive:recipes/progressive.toml",
            "Digits of 32×32, grown from 4×4 in three fades",
            paper=paper,
        ),
    ]
