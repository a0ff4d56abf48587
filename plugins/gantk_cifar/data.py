"""The data set `cifar10`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gan_toolkit import packed
from gan_toolkit.data import DataSet, Progress, Stored, silent
from gan_toolkit.options import Field
from gan_toolkit.resizing import bicubic
from gantk_cifar.binary import binary_chunks
from gantk_cifar.files import BINARY, Archive, checked, obtain, where
from gantk_cifar.jpeg import jpeg_chunks

SIDE = 32
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
HALVES = {"train": ("train",), "test": ("test",), "all": ("train", "test")}

_log = logging.getLogger(__name__)


class CIFAR10(DataSet):
    """Small colour photographs of ten kinds of things: 50,000 to train, 10,000 to test."""

    licence: ClassVar[str] = "none stated; its author asks to be cited"
    source: ClassVar[str] = "A. Krizhevsky: Learning multiple layers of features, 2009, CIFAR-10"

    split: Literal["train", "test", "all"] = Field(
        "train", description="50,000, 10,000 or all 60,000, the training half first"
    )
    resolution: int = Field(
        SIDE, ge=4, le=1024, description="side in pixels; other than 32 is resized, bicubic"
    )
    flip: bool = Field(False, description="add every image mirrored left to right")

    def probe(self, timeout_s: float) -> str:
        """Return where the data is or would come from. Raises `DataError` within `timeout_s`."""
        return where(timeout_s)

    def open(self, progress: Progress = silent) -> Stored:
        """Return the images: `sample` uint8 [N, 3, R, R], `label` int64 [N].

        The first time they are downloaded if need be, checked and packed; from then on mapped.
        Raises `DataError` when they cannot be had or the archive is not CIFAR-10's.
        """
        archive = obtain(progress)
        key = packed.seen(self._stamp(archive))
        pack = packed.open_pack(key) if key else None
        if pack is None:
            archive, digest = checked(progress)
            key = packed.name_of(cifar10=digest, split=self.split, resolution=self.resolution)
            shape = (3, self.resolution, self.resolution)
            chunks = self._chunks(archive, progress)
            pack = packed.pack(key, chunks, shape=shape, classes=CLASSES)
            packed.remember(self._stamp(archive), key)
        source = self.source
        if not archive.original:
            source += ", recompressed as JPEG"
            _log.warning(
                "CIFAR-10 comes from '%s', recompressed as JPEG: pixels differ a little from the "
                "original's, so scores do not compare. Put %s beside it to use the original.",
                archive.path,
                BINARY,
            )
        return pack.images("cifar10", licence=self.licence, source=source, flip=self.flip)

    def _stamp(self, archive: Archive) -> str:
        path = archive.path.resolve()
        status = path.stat()
        stats = [str(path), status.st_size, status.st_mtime_ns]
        return packed.name_of(cifar10=stats, split=self.split, resolution=self.resolution)

    def _chunks(self, archive: Archive, progress: Progress) -> Iterator[packed.Chunk]:
        """Yield rows [n, 3, R, R] and their labels."""
        halves, done = HALVES[self.split], 0
        chunks = (
            (chunk for half in halves for chunk in binary_chunks(archive.path, half))
            if archive.original
            else jpeg_chunks(archive.path, halves, CLASSES, progress)
        )
        for rows, labels in chunks:
            yield _resized(rows, self.resolution), labels
            done += len(rows)
            progress("Packing CIFAR-10", done, None)


def _resized(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return images [N, 3, 32, 32] as [N, 3, side, side]."""
    if side == SIDE:
        return images
    return bicubic(images.reshape(-1, SIDE, SIDE), side).reshape(-1, 3, side, side)
