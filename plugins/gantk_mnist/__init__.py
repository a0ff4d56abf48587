"""MNIST: found, or downloaded once, and always checked."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the data set."""
    return [
        Component(
            "data",
            "mnist",
            "gantk_mnist.data:MNIST",
            "70,000 handwritten digits, 28x28 grey; found in GANTK_DATA or downloaded (11 MB)",
            paper="LeCun et al. 1998, doi:10.1109/5.726791",
            licence="CC BY-SA 3.0",
        )
    ]
