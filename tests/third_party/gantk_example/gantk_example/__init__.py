"""A third party's plugin: one architecture, one loss, one recipe."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl


@hookimpl
def gantk_components() -> Iterable[Component]:
    return [
        Component("architecture", "tiny", "gantk_example.parts:Tiny", "Two linear layers"),
        Component("loss", "squared", "gantk_example.parts:Squared", "Least squares"),
        Component("recipe", "tiny", "gantk_example:tiny.toml", "The tiny one on digits"),
    ]
