"""1,797 real handwritten digits that need no download."""

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
            "digits",
            "gantk_digits.data:Digits",
            "1,797 handwritten digits, bundled: no download",
            paper="Alpaydin & Kaynak 1998, doi:10.24432/C50P49",
            licence="CC BY 4.0",
        )
    ]
