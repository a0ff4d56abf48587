"""Image data sets of the Hugging Face Hub, streamed once and kept packed."""

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
            "hub",
            "gantk_hub.data:Hub",
            "Images of a data set on the Hugging Face Hub; needs gan-toolkit[data]",
            licence="that of the data set: its card names one, and so does the run",
        )
    ]
