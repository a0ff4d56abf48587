"""Pretrained generators: shipped with the toolkit, found on the Hub, published there."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare what turns a name into a bundle."""
    return [
        Component(
            "resolver", "hub", "gantk_zoo.resolvers:Hub", "owner/repo on the Hugging Face Hub"
        ),
        Component("resolver", "shipped", "gantk_zoo.resolvers:Shipped", "Models in this package"),
    ]
