"""Gradient penalties and constraints, each usable with any loss."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare nothing yet."""
    return []
