"""From the bytes of one image file to pixels.

Orientation from EXIF is applied, colour profiles are not. Of 16 bits a channel the high 8 are kept.
Where alpha is not wanted the image is laid over white. Of an animation the first frame counts.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from gan_toolkit.images.files import Unreadable

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
LARGEST_SIDE = 16384
SMALLEST_SIDE = 2
TRAINED = 64
"""The longest side that is proposed: a laptop trains on so many pixels in an hour."""
EXIF_ORIENTATION = 0x0112

Policy = Literal["crop", "stretch", "pad"]
Size = tuple[int, int]
"""Height, width."""


@dataclass(frozen=True)
class Header:
    """What an image file says before its pixels are decoded."""

    size: Size
    """As it is shown, EXIF orientation applied."""
    channels: int
    """1 grey, 3 colour, 4 with alpha."""
    bits: int
    format: str


def header(content: bytes) -> Header:
    """Return what the file says of itself. Raises `Unreadable`."""
    with _opened(content) as image:
        height, width = image.height, image.width
        bits = _bits(image)  # before anything makes Pillow decode, as a PNG's EXIF does
        if image.format != "TIFF" and image.getexif().get(EXIF_ORIENTATION, 1) >= 5:
            height, width = width, height  # Pillow turns a TIFF itself
        return Header((height, width), _channels(image), bits, image.format or "")


def pixels(
    content: bytes, channels: int, size: Size | None = None, policy: Policy = "crop"
) -> NDArray[np.uint8]:
    """Return the image as uint8 [C, H, W], resized to `size` if given. Raises `Unreadable`."""
    with _opened(content) as image:
        shown = ImageOps.exif_transpose(_eight_bits(image))
        shown = _with_channels(shown, channels)
        if size is not None and size != (shown.height, shown.width):
            shown = _resized(shown, size, policy)
        rows = np.asarray(shown)  # [H, W] or [H, W, C]
    return np.ascontiguousarray(rows[None] if rows.ndim == 2 else rows.transpose(2, 0, 1))


def suggested_side(headers: Iterable[Header]) -> int:
    """Return the largest power of two that enlarges no image, from 8 to what a laptop trains."""
    side = 1 << (min(min(found.size) for found in headers).bit_length() - 1)
    return min(max(8, side), TRAINED)


@contextmanager
def _opened(content: bytes) -> Iterator[ImageFile]:
    """Yield the image; whatever a damaged file makes a decoder raise becomes `Unreadable`."""
    if not content:
        raise Unreadable("the file is empty")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_size(image)
            yield image
    except Unreadable:
        raise
    except UnidentifiedImageError as error:
        raise Unreadable(f"it cannot be read as {', '.join(FORMATS)}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large() from error
    except Exception as error:
        raise Unreadable(f"it is damaged ({str(error) or type(error).__name__})") from error


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if min(width, height) < SMALLEST_SIDE:
        raise Unreadable(f"it has {height}x{width} pixels; a side needs {SMALLEST_SIDE}")
    if max(width, height) > LARGEST_SIDE or width * height > _most_pixels():
        raise _too_large()


def _most_pixels() -> int:
    return Image.MAX_IMAGE_PIXELS or LARGEST_SIDE**2


def _too_large() -> Unreadable:
    return Unreadable(
        f"it claims too many pixels; a side may have {LARGEST_SIDE}, an image {_most_pixels()}"
    )


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in image.info


def _channels(image: Image.Image) -> int:
    if _has_alpha(image):
        return 4
    return 1 if image.mode in {"1", "L"} or image.mode.startswith("I") else 3


def _bits(image: ImageFile) -> int:
    if image.mode == "1":
        return 1
    return 16 if image.mode.startswith("I") or ";16" in str(image.tile[:1]) else 8


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return a deep grey image with the high 8 of its 16 bits; Pillow itself does so for colour."""
    if image.mode == "F":
        raise Unreadable("its pixels are floating-point numbers; save it with 8 or 16 bits")
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise Unreadable("its pixels have more than 16 bits; save it with 8 or 16")
    reduced = Image.fromarray((values >> 8).astype(np.uint8))
    reduced.getexif().update(image.getexif())
    return reduced


def _with_channels(image: Image.Image, channels: int) -> Image.Image:
    if channels == 4:
        return image.convert("RGBA")
    if _has_alpha(image):
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("L" if channels == 1 else "RGB")


def _resized(image: Image.Image, size: Size, policy: Policy) -> Image.Image:
    """Return the image in `size`, bicubic, antialiased when shrinking."""
    target = (size[1], size[0])
    how = Image.Resampling.BICUBIC
    if policy == "crop":
        return ImageOps.fit(image, target, how)
    if policy == "pad":
        return ImageOps.pad(image, target, how)
    return image.resize(target, how)
