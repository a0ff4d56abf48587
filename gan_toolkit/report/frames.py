"""Pictures inside a page: sample grids thinned out and made light enough, as data URIs."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from gan_toolkit.data import Progress, silent
from gan_toolkit.figures import spread
from gan_toolkit.run import Run

MOST_FRAMES = 60
BUDGET = 2_400_000
"""Bytes of all the grids of a page before base64 makes them a third longer."""
LONGEST_SIDE = 1024
"""Pixels of a grid that had to be made lighter."""
QUALITY = 90
PNG, WEBP = "image/png", "image/webp"


class Frame(NamedTuple):
    """A sample grid in the page."""

    step: int
    uri: str
    width: int
    height: int


class _Picture(NamedTuple):
    step: int
    content: bytes
    size: tuple[int, int]


def frames_of(run: Run, progress: Progress = silent, budget: int = BUDGET) -> list[Frame]:
    """Return a run's sample grids in order: exact if they are light, else as WebP, else fewer.

    The first and the last are among them as long as two fit. A file that is no picture is left out.
    """
    paths = spread([path for path in run.sample_paths() if _step(path) is not None], MOST_FRAMES)
    found, kind = [picture for path in paths if (picture := _read(path))], PNG
    if _weight(found) > budget:
        found, kind = _all_lighter(found, progress), WEBP
    fewer = (spread(found, count) for count in range(len(found), 1, -1))
    fitting = next((each for each in fewer if _weight(each) <= budget), found[-1:])
    return [Frame(each.step, uri(each.content, kind), *each.size) for each in fitting]


def still(image: Image.Image) -> str:
    """Return one image as a data URI, exactly as it is."""
    return uri(_encoded(image, "PNG"), PNG)


def uri(content: bytes, kind: str) -> str:
    """Return bytes as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _step(path: Path) -> int | None:
    found = re.fullmatch(r"step-([0-9]{1,12})", path.stem)
    return int(found[1]) if found else None


def _read(path: Path) -> _Picture | None:
    """Return a grid, None when it is torn, damaged or out of all proportion."""
    try:
        content = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
                image.load()
                return _Picture(_step(path) or 0, content, image.size)
    except Exception:  # noqa: BLE001  # decoders raise anything; the report goes on without
        return None


def _all_lighter(pictures: list[_Picture], progress: Progress) -> list[_Picture]:
    lighter = []
    for done, picture in enumerate(pictures, 1):
        lighter.append(_lighter(picture))
        progress("Making pictures lighter", done, len(pictures))
    return lighter


def _lighter(picture: _Picture) -> _Picture:
    with Image.open(io.BytesIO(picture.content)) as image:
        shown = image.convert("RGB")
    shown.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return _Picture(picture.step, _encoded(shown, "WEBP", quality=QUALITY), shown.size)


def _encoded(image: Image.Image, format_: str, **options: int) -> bytes:
    content = io.BytesIO()
    image.save(content, format=format_, **options)
    return content.getvalue()


def _weight(pictures: Sequence[_Picture]) -> int:
    return sum(len(each.content) for each in pictures)
