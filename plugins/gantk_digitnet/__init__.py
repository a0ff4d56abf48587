"""A small classifier of digits, the feature extractor `digits`."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the extractor."""
    return [
        Component(
            "extractor",
            "digits",
            "gantk_digitnet.extractor:Digits",
            "A classifier of MNIST's digits: 64 features, ten classes; in the wheel",
            licence="MIT",
        )
    ]
