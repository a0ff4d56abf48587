"""The Inception network that FID, KID and the Inception Score are taken with."""

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
            "inception",
            "gantk_inception.extractor:Inception",
            "The Inception-v3 of the FID: 2048 features, 1008 classes; downloaded (96 MB)",
            paper="Szegedy et al. 2016, arXiv:1512.00567; Heusel et al. 2017, arXiv:1706.08500",
            licence="Apache-2.0 (the weights)",
        )
    ]
