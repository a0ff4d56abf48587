"""The JPEG copy: an archive of image files, read as any other is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_toolkit.data import Progress
from gan_toolkit.errors import DataError
from gan_toolkit.images.archives import opened_archive
from gan_toolkit.images.decode import pixels
from gan_toolkit.images.files import Unreadable
from gan_toolkit.images.layout import lay_out
from gan_toolkit.images.threads import in_order
from gan_toolkit.packed import Chunk
from gantk_cifar.binary import SHAPE

AT_ONCE = 256
COUNTS = {"train": 50_000, "test": 10_000}


def jpeg_chunks(
    path: Path, halves: Sequence[str], classes: tuple[str, ...], progress: Progress
) -> Iterator[Chunk]:
    """Yield rows [n, 3, 32, 32] and their labels, by class and name within each half.

    Raises `DataError` when the archive is torn or unsafe, or holds other images.
    """
    with opened_archive(path, progress) as files:

        def decode(names: Sequence[str]) -> NDArray[np.uint8]:
            return np.stack([_image(path, name, files.read) for name in names])

        for half in halves:
            layout = lay_out(files.names, half, str(path))
            if layout.classes != classes or len(layout.names) != COUNTS[half]:
                raise DataError(
                    f"'{path}' is no copy of CIFAR-10: its {half} half has {len(layout.names)} "
                    f"images of {len(layout.classes)} classes, not {COUNTS[half]} of "
                    f"{', '.join(classes)}. To train on it as it is: `--data {path}`."
                )
            done = 0
            for rows in in_order(decode, layout.names, AT_ONCE):
                yield rows, layout.labels[done : done + len(rows)]
                done += len(rows)


def _image(path: Path, name: str, read: Callable[[str], bytes]) -> NDArray[np.uint8]:
    try:
        image = pixels(read(name), channels=SHAPE[0])
    except Unreadable as reason:
        raise DataError(
            f"'{path}' holds a file that cannot be used: {name}: {reason}. Fetch it again, or put "
            "the original beside it."
        ) from reason
    if image.shape != SHAPE:
        raise DataError(f"'{path}' is no copy of CIFAR-10: {name} has {image.shape[1:]} pixels.")
    return image
