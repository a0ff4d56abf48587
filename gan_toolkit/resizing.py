"""One way to resize small grey images, the same bits on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def bicubic(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return grey images [N, H, W] resized to [N, side, side].

    Bicubic (a = -0.5) and antialiased when shrinking, in Pillow's integer arithmetic, so that the
    result and its fingerprint do not depend on the processor.
    """
    resized = np.empty((len(images), side, side), np.uint8)
    for row, image in zip(resized, images, strict=True):
        row[:] = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
    return resized
