"""The binary version: a tar of batches, each a row of records of one label and 3072 pixels."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from gan_toolkit.errors import DataError
from gan_toolkit.packed import Chunk

SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
CLASSES = 10
BATCHES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}


def binary_chunks(path: Path, half: str) -> Iterator[Chunk]:
    """Yield rows [n, 3, 32, 32] and their labels, a batch at a time, in the authors' order.

    Nothing is written: members are read into memory. Raises `DataError`.
    """
    batches = BATCHES[half]
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                file = archive.extractfile(member) if name in batches else None
                if file is not None:
                    contents[name] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"'{path}' cannot be read: {error}. Fetch it again.") from error
    for name in batches:
        if name not in contents:
            raise DataError(f"'{path}' holds no {name}. Fetch it again.")
        images, labels = parse_batch(contents.pop(name), name)
        yield images, labels.tolist()


def parse_batch(content: bytes, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return images [N, 3, 32, 32] and labels [N]. Raises `DataError` when it is no batch."""
    if not content or len(content) % RECORD:
        raise DataError(f"{name} has {len(content)} bytes, which are no records of {RECORD} bytes.")
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0]
    if labels.max() >= CLASSES:
        raise DataError(f"{name} holds the label {labels.max()}; CIFAR-10's are 0 … 9.")
    return records[:, 1:].reshape(-1, *SHAPE), labels
