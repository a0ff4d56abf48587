"""Adversarial losses of logits."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1
GOODFELLOW = "Goodfellow et al. 2014, arXiv:1406.2661"
RELATIVISTIC = "Jolicoeur-Martineau 2019, arXiv:1807.00734"


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the losses."""
    return [
        Component(
            "loss",
            "non-saturating",
            "gantk_losses.adversarial:NonSaturating",
            "Cross-entropy; G maximises the log-probability that D is fooled",
            paper=GOODFELLOW,
            licence="MIT",
            default=True,
            helps=("vanishing-gradients",),
        ),
        _loss(
            "minimax",
            "adversarial:Minimax",
            "Cross-entropy; G minimises what D maximises",
            GOODFELLOW,
        ),
        _loss(
            "least-squares",
            "critics:LeastSquares",
            "Squared distance of logits from targets",
            "Mao et al. 2017, arXiv:1611.04076",
        ),
        _loss(
            "wasserstein",
            "critics:Wasserstein",
            "Difference of mean scores; wants a penalty or a constraint on D",
            "Arjovsky et al. 2017, arXiv:1701.07875",
        ),
        _loss(
            "hinge",
            "critics:Hinge",
            "D pays within a margin of 1 only",
            "Lim & Ye 2017, arXiv:1705.02894",
        ),
        Component(
            "loss",
            "relativistic-pairing",
            "gantk_losses.relativistic:RelativisticPairing",
            "Each real against one fake (RpGAN)",
            paper=RELATIVISTIC,
            licence="MIT",
            helps=("mode-collapse", "partial-collapse"),
        ),
        _loss(
            "relativistic-average",
            "relativistic:RelativisticAverage",
            "Each real against the average fake, and the reverse (RaGAN)",
            RELATIVISTIC,
        ),
    ]


def _loss(name: str, target: str, summary: str, paper: str) -> Component:
    return Component("loss", name, f"gantk_losses.{target}", summary, paper=paper, licence="MIT")
