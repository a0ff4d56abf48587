"""Scores of image generators, with receipts."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the metrics."""
    return [
        Component(
            "metric",
            "fd",
            "gantk_metrics.frechet:FrechetDistance",
            "Fréchet distance between the features of samples and of real data",
            paper="Heusel et al. 2017, arXiv:1706.08500",
            licence="MIT",
        ),
        Component(
            "metric",
            "classifier",
            "gantk_metrics.classifier:Classified",
            "How surely samples are recognised, how even the classes are, labels obeyed",
            licence="MIT",
        ),
        Component(
            "metric",
            "swd",
            "gantk_metrics.sliced:SlicedWasserstein",
            "Sliced Wasserstein distance between patches of samples and of real images",
            paper="Karras et al. 2018, arXiv:1710.10196",
            licence="MIT",
        ),
    ]
