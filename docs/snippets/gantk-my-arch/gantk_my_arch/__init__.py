"""Residual fully connected networks for samples of any shape.

This module is imported whenever plugins are listed, so nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare what this distribution adds."""
    return [
        Component(
            "architecture",
            "my-arch",
            "gantk_my_arch.networks:MyArch",
            "Residual fully connected networks for samples of any shape",
            paper="ours, 2026",
        ),
        Component(
            "recipe",
            "my-arch",
            "gantk_my_arch:my-arch.toml",
            "Residual fully connected networks on the bundled digits",
        ),
    ]
