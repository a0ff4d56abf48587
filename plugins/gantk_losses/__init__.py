"""Adversarial losses of logits."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the losses."""
    paper = "Goodfellow et al. 2014, arXiv:1406.2661"
    return [
        Component(
            "loss",
            "non-saturating",
            "gantk_losses.adversarial:NonSaturating",
            "Cross-entropy; G maximises the log-probability that D is fooled",
            paper=paper,
            licence="MIT",
            default=True,
        ),
        Component(
            "loss",
            "minimax",
            "gantk_losses.adversarial:Minimax",
            "Cross-entropy; G minimises what D maximises",
            paper=paper,
            licence="MIT",
        ),
    ]
