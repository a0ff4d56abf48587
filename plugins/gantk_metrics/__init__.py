"""Scores of image generators, with receipts."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


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
        Component(
            "metric",
            "kid",
            "gantk_metrics.kernel:KernelDistance",
            "Kernel distance between features, unbiased, with its standard error",
            paper="Bińkowski et al. 2018, arXiv:1801.01401",
            licence="MIT",
        ),
        Component(
            "metric",
            "inception-score",
            "gantk_metrics.inception:InceptionScore",
            "Inception Score: how surely and how evenly samples are named",
            paper="Salimans et al. 2016, arXiv:1606.03498",
            licence="MIT",
        ),
        Component(
            "metric",
            "neighbours",
            "gantk_metrics.neighbours:Neighbours",
            "Precision and recall, density and coverage, by nearest neighbours",
            paper="Kynkäänniemi et al. 2019, arXiv:1904.06991; Naeem et al. 2020, arXiv:2002.09797",
            licence="MIT",
        ),
        Component(
            "metric",
            "ms-ssim",
            "gantk_metrics.similarity:Similarity",
            "Structural similarity of pairs of samples: high when a model collapsed",
            paper="Odena et al. 2017, arXiv:1610.09585",
            licence="MIT",
        ),
        Component(
            "metric",
            "energy",
            "gantk_metrics.energy:EnergyDistance",
            "Energy distance between vectors",
            paper="Székely & Rizzo 2013, doi:10.1016/j.jspi.2013.03.018",
            licence="MIT",
        ),
    ]
