"""MNIST, Fashion-MNIST and stacked MNIST: found, or downloaded once, and always checked."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the data sets."""
    return [
        Component(
            "data",
            "mnist",
            "gantk_mnist.data:MNIST",
            "70,000 handwritten digits, 28x28 grey; found in GANTK_DATA or downloaded (11 MB)",
            paper="LeCun et al. 1998, doi:10.1109/5.726791",
            licence="CC BY-SA 3.0",
        ),
        Component(
            "data",
            "fashion-mnist",
            "gantk_mnist.data:FashionMNIST",
            "70,000 pieces of clothing, 28x28 grey; found in GANTK_DATA or downloaded (30 MB)",
            paper="Xiao et al. 2017, arXiv:1708.07747",
            licence="MIT",
        ),
        Component(
            "data",
            "stacked-mnist",
            "gantk_mnist.stacked:StackedMNIST",
            "Three MNIST digits as the channels of one colour image: 1000 modes to count",
            paper="Metz et al. 2017, arXiv:1611.02163",
            licence="CC BY-SA 3.0",
        ),
    ]
