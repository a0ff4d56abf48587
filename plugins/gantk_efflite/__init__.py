"""An ImageNet classifier from two small packages: scores of colour images without a download."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the extractor."""
    return [
        Component(
            "extractor",
            "efflite0",
            "gantk_efflite.extractor:EffLite0",
            "EfficientNet-Lite0 of ImageNet: 1280 features, 1000 classes; extra 'efflite'",
            paper="Tan & Le 2019, arXiv:1905.11946",
            licence="Apache-2.0 (network and weights)",
        )
    ]
