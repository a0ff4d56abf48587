"""The data set `mnist`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gan_toolkit import packed
from gan_toolkit.data import LABEL, SAMPLE, DataSet, DataSpec, FieldSpec, Progress, Stored, silent
from gan_toolkit.errors import DataError
from gan_toolkit.options import Field
from gan_toolkit.resizing import bicubic
from gantk_mnist.files import SHA256, content, obtain, where
from gantk_mnist.idx import parse_idx

SIDE = 28
PADDED = 32
CHUNK = 5000
CLASSES = tuple("0123456789")
HALVES = {"train": ("train",), "test": ("t10k",), "all": ("train", "t10k")}


class MNIST(DataSet):
    """Grey handwritten digits with labels 0 … 9: 60,000 to train, 10,000 to test."""

    licence: ClassVar[str] = "CC BY-SA 3.0"
    source: ClassVar[str] = "Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database, 1998"

    split: Literal["train", "test", "all"] = Field(
        "train", description="60,000, 10,000 or all 70,000, the training half first"
    )
    resolution: int = Field(
        SIDE,
        ge=4,
        le=1024,
        description="side in pixels; 32 adds a black rim of 2, any other size is resized, bicubic",
    )

    def probe(self, timeout_s: float) -> str:
        """Return where the files lie or would come from. Raises `DataError` within `timeout_s`."""
        return where(self._files(), timeout_s)

    def open(self, progress: Progress = silent) -> Stored:
        """Return the digits: `sample` uint8 [N, 1, R, R], `label` int64 [N].

        The first time they are downloaded if need be, checked and packed; from then on mapped.
        Raises `DataError` when a file cannot be had or is not MNIST's.
        """
        shape = (1, self.resolution, self.resolution)
        key = packed.name_of(mnist=[SHA256[name] for name in self._files()], shape=shape)
        pack = packed.open_pack(key) if packed.seen(self._stamp(progress)) == key else None
        if pack is None:
            contents = {name: content(name, progress) for name in self._files()}
            pack = packed.pack(key, self._chunks(contents, progress), shape=shape, classes=CLASSES)
            packed.remember(self._stamp(progress), key)
        spec = DataSpec(
            name="mnist",
            fields={
                SAMPLE: FieldSpec(shape=shape, low=-1.0, high=1.0),
                LABEL: FieldSpec(shape=(), classes=CLASSES),
            },
            fingerprint=pack.about.fingerprint,
            licence=self.licence,
            source=self.source,
        )
        assert pack.labels is not None
        return Stored(spec, {SAMPLE: pack.samples, LABEL: pack.labels})

    def _files(self) -> tuple[str, ...]:
        return tuple(
            f"{half}-{kind}-ubyte"
            for half in HALVES[self.split]
            for kind in ("images-idx3", "labels-idx1")
        )

    def _stamp(self, progress: Progress) -> str:
        paths = [obtain(name, progress).resolve() for name in self._files()]
        stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
        return packed.name_of(mnist=stats, resolution=self.resolution)

    def _chunks(self, contents: dict[str, bytes], progress: Progress) -> Iterator[packed.Chunk]:
        """Yield rows [n, 1, R, R] and their labels."""
        done = 0
        for half in HALVES[self.split]:
            images, labels = (
                parse_idx(contents[name], dimensions, name)
                for name, dimensions in (
                    (f"{half}-images-idx3-ubyte", 3),
                    (f"{half}-labels-idx1-ubyte", 1),
                )
            )
            if len(images) != len(labels):
                raise DataError(f"MNIST holds {len(images)} images but {len(labels)} labels.")
            for start in range(0, len(images), CHUNK):
                rows = _resized(images[start : start + CHUNK], self.resolution)
                yield rows[:, None], labels[start : start + CHUNK].tolist()
                done += len(rows)
                progress("Packing MNIST", done, None)


def _resized(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return images [N, 28, 28] as [N, side, side]."""
    if side == SIDE:
        return images
    if side == PADDED:
        rim = (PADDED - SIDE) // 2
        return np.pad(images, ((0, 0), (rim, rim), (rim, rim)))
    return bicubic(images, side)
