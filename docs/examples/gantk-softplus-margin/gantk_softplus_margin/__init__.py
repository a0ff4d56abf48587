"""A loss of ours: softplus with a margin."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1
PAPER = "ours, 2026; no paper"


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the loss and a recipe that trains by it."""
    return [
        Component(
            "loss",
            "softplus-margin",
            "gantk_softplus_margin.losses:SoftplusMargin",
            "Cross-entropy that asks for a margin: a hinge with a rounded corner",
            paper=PAPER,
            licence="MIT",
        ),
        Component(
            "recipe",
            "softplus-margin",
            "gantk_softplus_margin:softplus-margin.toml",
            "DCGAN on digits by the loss of this plugin",
            paper=PAPER,
        ),
    ]
