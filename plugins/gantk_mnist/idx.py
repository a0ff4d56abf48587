"""The IDX format: a magic number, the sizes, then bytes."""

from __future__ import annotations

import math
import struct

import numpy as np
from numpy.typing import NDArray

from gan_toolkit.errors import DataError

UINT8 = 0x08


def parse_idx(content: bytes, dimensions: int, name: str) -> NDArray[np.uint8]:
    """Return the uint8 array of an IDX file of so many `dimensions`.

    Raises `DataError` when `content` is of another kind, shorter or longer than it says.
    """
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise DataError(f"{name} is cut short: {len(content)} bytes hold no IDX header.")
    magic, *sizes = struct.unpack(f">{1 + dimensions}I", content[:header])
    expected = UINT8 << 8 | dimensions
    if magic != expected:
        raise DataError(f"{name} is no such IDX file: its magic is {magic:#x}, not {expected:#x}.")
    if len(content) != header + math.prod(sizes):
        raise DataError(
            f"{name} says it holds {'x'.join(map(str, sizes))} bytes but holds "
            f"{len(content) - header}."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(sizes)
