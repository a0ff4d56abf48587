"""Gradient penalties and constraints, each usable with any loss."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1
MESCHEDER = "Mescheder et al. 2018, arXiv:1801.04406"


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the penalties and the constraint."""
    return [
        Component(
            "penalty",
            "r1",
            "gantk_penalties.zero_centred:R1",
            "Slope of D on reals towards 0",
            paper=MESCHEDER,
            licence="MIT",
            helps=("discriminator-overpowers", "oscillation", "mode-collapse"),
        ),
        _penalty("r2", "zero_centred:R2", "Slope of D on fakes towards 0", MESCHEDER),
        _penalty(
            "zero-centred-gp",
            "zero_centred:ZeroCentredGP",
            "Slope of D between reals and fakes towards 0",
            "Thanh-Tung et al. 2019, arXiv:1902.03984",
        ),
        _penalty(
            "wgan-gp",
            "lipschitz:WGANGP",
            "Slope of D between reals and fakes towards 1",
            "Gulrajani et al. 2017, arXiv:1704.00028",
        ),
        _penalty(
            "wgan-lp",
            "lipschitz:WGANLP",
            "Slope of D between reals and fakes to at most 1",
            "Petzka et al. 2018, arXiv:1709.08894",
        ),
        _penalty(
            "dragan",
            "lipschitz:DRAGAN",
            "Slope of D around reals towards 1",
            "Kodali et al. 2017, arXiv:1705.07215",
        ),
        _penalty(
            "weight-clipping",
            "clipping:WeightClipping",
            "Weights of D within a limit after each update",
            "Arjovsky et al. 2017, arXiv:1701.07875",
        ),
    ]


def _penalty(name: str, target: str, summary: str, paper: str) -> Component:
    return Component(
        "penalty", name, f"gantk_penalties.{target}", summary, paper=paper, licence="MIT"
    )
