"""Conditional DCGAN: labels at every level, embedded, projected or classified."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare nothing yet."""
    return []
