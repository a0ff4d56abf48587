"""Letters in the fonts of this machine."""

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
            "glyphs",
            "gantk_glyphs.data:Glyphs",
            "Letters drawn in every font of this machine, at any resolution",
            licence="the fonts' own",
        )
    ]
