"""Your own images: a folder or an archive of them."""

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
            "folder",
            "gantk_images.data:Folder",
            "Your images: a folder, .zip, .tar, .tar.gz or .tar.xz; sub-folders are classes",
            opens_paths=True,
        )
    ]
