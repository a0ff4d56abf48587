"""CIFAR-10: found, or downloaded once, and always checked."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the data set."""
    return [
        Component(
            "data",
            "cifar10",
            "gantk_cifar.data:CIFAR10",
            "60,000 colour photographs, 32x32, ten classes; found or downloaded (170 MB)",
            paper="Krizhevsky 2009, Learning multiple layers of features from tiny images",
            licence="none stated; its author asks to be cited",
        )
    ]
