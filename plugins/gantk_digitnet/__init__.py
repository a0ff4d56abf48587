"""Small classifiers of digits: two extractors, and the metric that the strict one makes."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the extractors and the metric."""
    return [
        Component(
            "extractor",
            "digits",
            "gantk_digitnet.extractor:Digits",
            "A classifier of MNIST's digits: 64 features, ten classes; in the wheel",
            licence="MIT",
        ),
        Component(
            "extractor",
            "strict-digits",
            "gantk_digitnet.extractor:StrictDigits",
            "The same, unsure of noise and of averaged digits; in the wheel",
            paper="Hendrycks et al. 2019, arXiv:1812.04606",
            licence="MIT",
        ),
        Component(
            "metric",
            "readable",
            "gantk_digitnet.readable:Readable",
            "Share of samples that a strict reader of digits is sure of",
            licence="MIT",
        ),
    ]
