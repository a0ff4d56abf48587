"""Where fonts lie, and what a letter looks like in one."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

SUFFIXES = {".ttf", ".otf", ".ttc"}
NOBODY_HAS = "\U0010ffff"
"""A character that stands for none: fonts draw it as they draw what they lack."""
MARGIN = 1 / 8
"""Share of a side that stays black around the largest letter."""

Font = ImageFont.FreeTypeFont
BASIC = ImageFont.Layout.BASIC
"""The same pixels whether or not Pillow has found a better shaper of text."""


def folders() -> list[Path]:
    """Return where this system keeps fonts, the user's own and everybody's."""
    home = Path.home()
    if sys.platform == "win32":
        windows = Path(os.environ.get("WINDIR", r"C:\Windows"))
        local = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
        return [windows / "Fonts", local / "Microsoft" / "Windows" / "Fonts"]
    if sys.platform == "darwin":
        return [root / "Library" / "Fonts" for root in (home, Path("/"), Path("/System"))]
    own = os.environ.get("XDG_DATA_HOME") or home / ".local" / "share"
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    return [home / ".fonts", *(Path(root) / "fonts" for root in (own, *shared.split(":")))]


def files(places: Iterable[Path]) -> list[Path]:
    """Return the font files below some folders, by name."""
    found = {file for place in places for file in place.rglob("*") if file.suffix in SUFFIXES}
    return sorted(found, key=lambda file: (file.name, str(file)))


def faces(file: Path, size: float) -> Iterator[Font]:
    """Yield the fonts of a file: one, those of a collection, or none when it cannot be read."""
    for index in itertools.count():
        try:
            yield ImageFont.truetype(file, size, index, layout_engine=BASIC)
        except OSError:
            return


def drawn(font: Font, letters: str, side: int) -> NDArray[np.uint8] | None:
    """Return the letters as pictures [L, side, side], white on black, or None if one is lacking.

    All are drawn at one size, the largest at which each of them leaves `MARGIN` free, and each
    stands in the middle of its picture.
    """
    try:
        trial = [ink(font, letter) for letter in letters]
        lacked = ink(font, NOBODY_HAS)
        if any(glyph.size == 0 or np.array_equal(glyph, lacked) for glyph in trial):
            return None
        largest = max(max(glyph.shape) for glyph in trial)
        fitted = font.font_variant(size=font.size * side * (1 - 2 * MARGIN) / largest)
        return np.stack([_framed(ink(fitted, letter), side) for letter in letters])
    except OSError:  # a font of fixed sizes, or a damaged one
        return None


def ink(font: Font, letter: str) -> NDArray[np.uint8]:
    """Return what can be seen of a letter, nothing around it: [h, w], empty for a blank."""
    mask = font.getmask(letter)
    image = np.array(mask, np.uint8).reshape(mask.size[::-1])
    left, up, right, down = mask.getbbox() or (0, 0, 0, 0)
    return image[up:down, left:right]


def _framed(glyph: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a glyph in the middle of a picture [side, side]."""
    height, width = glyph.shape
    image = np.zeros((side, side), np.uint8)
    up, left = (side - height) // 2, (side - width) // 2
    image[up : up + height, left : left + width] = glyph
    return image
