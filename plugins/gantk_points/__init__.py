"""Toy distributions in few dimensions, and the scores that only they allow."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1
PACGAN = "Lin et al. 2018, arXiv:1712.04086"


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the data sets and their metrics."""
    return [
        Component(
            "data",
            "curve",
            "gantk_points.curves:Curve",
            "Points on a polynomial, a sine or a cosine, in any dimension, or on two of them",
            licence="CC0-1.0",
        ),
        Component(
            "data",
            "ring",
            "gantk_points.mixtures:Ring",
            "Gaussians on a circle, labelled; 8 of them by PacGAN's protocol",
            paper=PACGAN,
            licence="CC0-1.0",
        ),
        Component(
            "data",
            "grid",
            "gantk_points.mixtures:Grid",
            "Gaussians on a square grid, labelled; 25 of them by PacGAN's protocol",
            paper=PACGAN,
            licence="CC0-1.0",
        ),
        Component(
            "data",
            "swiss-roll",
            "gantk_points.roll:SwissRoll",
            "Points on a spiral in the plane, or on the rolled-up sheet in space",
            paper="Marsland 2014, Machine Learning: An Algorithmic Perspective, chapter 6",
            licence="CC0-1.0",
        ),
        Component(
            "metric",
            "modes",
            "gantk_points.metrics:Modes",
            "On ring and grid: modes covered, high-quality share, reverse KL, spread",
            paper=PACGAN,
        ),
        Component(
            "metric",
            "curve",
            "gantk_points.metrics:OnCurve",
            "On curve: distance from it, share of its range reached",
        ),
    ]
