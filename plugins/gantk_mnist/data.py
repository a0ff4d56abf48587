"""The data sets `mnist` and `fashion-mnist`: the same format, other files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gan_toolkit import packed
from gan_toolkit.data import DataSet, Progress, Stored, silent
from gan_toolkit.errors import DataError
from gan_toolkit.options import Field
from gan_toolkit.resizing import bicubic
from gantk_mnist import files
from gantk_mnist.idx import parse_idx

SIDE = 28
PADDED = 32
CHUNK = 5000
HALVES = {"train": ("train",), "test": ("t10k",), "all": ("train", "t10k")}


class GreyImages(DataSet):
    """Four IDX files of 28x28 grey images on black with one of ten labels each."""

    collection: ClassVar[files.Collection]
    class_names: ClassVar[tuple[str, ...]]

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
        return self.collection.where(self._files(), timeout_s)

    def open(self, progress: Progress = silent) -> Stored:
        """Return the images: `sample` uint8 [N, 1, R, R], `label` int64 [N].

        The first time they are downloaded if need be, checked and packed; from then on mapped.
        Raises `DataError` when a file cannot be had or is another data set's.
        """
        shape = (1, self.resolution, self.resolution)
        hashes = [self.collection.sha256[name] for name in self._files()]
        key = packed.name_of(mnist=hashes, shape=shape)
        pack = packed.open_pack(key) if packed.seen(self._stamp(progress)) == key else None
        if pack is None:
            contents = {name: self.collection.content(name, progress) for name in self._files()}
            chunks = self._chunks(contents, progress)
            pack = packed.pack(key, chunks, shape=shape, classes=self.class_names)
            packed.remember(self._stamp(progress), key)
        return pack.images(self.collection.name, licence=self.licence, source=self.source)

    def _files(self) -> tuple[str, ...]:
        return tuple(
            f"{half}-{kind}-ubyte"
            for half in HALVES[self.split]
            for kind in ("images-idx3", "labels-idx1")
        )

    def _stamp(self, progress: Progress) -> str:
        paths = [self.collection.obtain(name, progress).resolve() for name in self._files()]
        stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
        return packed.name_of(mnist=stats, resolution=self.resolution)

    def _chunks(self, contents: dict[str, bytes], progress: Progress) -> Iterator[packed.Chunk]:
        """Yield rows [n, 1, R, R] and their labels."""
        done, title = 0, self.collection.title
        for half in HALVES[self.split]:
            images, labels = (
                parse_idx(contents[name], dimensions, name)
                for name, dimensions in (
                    (f"{half}-images-idx3-ubyte", 3),
                    (f"{half}-labels-idx1-ubyte", 1),
                )
            )
            if len(images) != len(labels):
                raise DataError(f"{title} holds {len(images)} images but {len(labels)} labels.")
            for start in range(0, len(images), CHUNK):
                rows = _resized(images[start : start + CHUNK], self.resolution)
                yield rows[:, None], labels[start : start + CHUNK].tolist()
                done += len(rows)
                progress(f"Packing {title}", done, None)


class MNIST(GreyImages):
    """Grey handwritten digits with labels 0 … 9: 60,000 to train, 10,000 to test."""

    licence: ClassVar[str] = "CC BY-SA 3.0"
    source: ClassVar[str] = "Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database, 1998"
    collection: ClassVar[files.Collection] = files.MNIST
    class_names: ClassVar[tuple[str, ...]] = tuple("0123456789")


class FashionMNIST(GreyImages):
    """Grey photographs of ten kinds of clothing: 60,000 to train, 10,000 to test."""

    licence: ClassVar[str] = "MIT"
    source: ClassVar[str] = (
        "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST, Zalando SE, 2017, "
        "https://github.com/zalandoresearch/fashion-mnist"
    )
    collection: ClassVar[files.Collection] = files.FASHION
    class_names: ClassVar[tuple[str, ...]] = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )


def _resized(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return images [N, 28, 28] as [N, side, side]."""
    if side == SIDE:
        return images
    if side == PADDED:
        rim = (PADDED - SIDE) // 2
        return np.pad(images, ((0, 0), (rim, rim), (rim, rim)))
    return bicubic(images, side)
