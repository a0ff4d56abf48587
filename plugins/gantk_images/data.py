"""The data set `folder`: any folder or archive of images."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Literal

from pydantic import field_validator

from gan_toolkit import packed
from gan_toolkit.data import DataSet, Progress, Stored, silent
from gan_toolkit.images.decode import LARGEST_SIDE, SMALLEST_SIDE, Policy, Size
from gan_toolkit.images.layout import lay_out
from gan_toolkit.options import LOCAL, Field
from gantk_images.files import digest, located, opened, stamp
from gantk_images.packing import pack_images

_log = logging.getLogger(__name__)


class Folder(DataSet):
    """Images of a folder, .zip, .tar, .tar.gz or .tar.xz; sub-folders, if any, are the classes."""

    path: str = Field(
        description="folder or archive; a relative one is also looked up in GANTK_DATA",
        json_schema_extra=LOCAL,
    )
    split: str = Field("", description="folder above the classes to take, such as train")
    resolution: int | str = Field(
        "", description="side in pixels or HEIGHTxWIDTH; empty when all images have one size"
    )
    resize: Policy = Field(
        "crop", description="cut to shape around the centre, stretch, or pad with black"
    )
    channels: Literal["auto", 1, 3, 4] = Field(
        "auto", description="grey, RGB or RGBA; auto: as many as any image needs; else on white"
    )
    flip: bool = Field(False, description="add every image mirrored left to right")
    on_bad: Literal["stop", "skip"] = Field(
        "stop", description="what to do about damaged images; all are named either way"
    )

    @field_validator("path")
    @classmethod
    def _can_be_written_down(cls, path: str) -> str:
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise ValueError("its name is no UTF-8; rename it, or name a link to it") from error
        return path

    @field_validator("resolution", mode="before")  # before: one message, not one for each type
    @classmethod
    def _is_a_size(cls, value: object) -> object:
        sides = _sides(value)
        if sides is not None and not SMALLEST_SIDE <= min(sides) <= max(sides) <= LARGEST_SIDE:
            raise ValueError(f"a side has {SMALLEST_SIDE} to {LARGEST_SIDE} pixels")
        return value

    @property
    def size(self) -> Size | None:
        """Height and width asked for."""
        return _sides(self.resolution)

    def probe(self, timeout_s: float) -> str:
        """Return where the images lie. Raises `DataError` when they do not."""
        del timeout_s
        return f"in '{located(self.path)}'"

    def open(self, progress: Progress = silent) -> Stored:
        """Return the images: `sample` uint8 [N, C, H, W], `label` int64 [N] if there are classes.

        The first time they are decoded and packed; from then on mapped, until a file or an option
        changes. Raises `DataError` naming what cannot be used and what to do.
        """
        place = located(self.path)
        options = self.model_dump(exclude={"path", "flip"}) | {"resolution": self.size}
        known = packed.name_of(images=stamp(place), options=options)
        key = packed.seen(known)
        pack = packed.open_pack(key) if key else None
        if pack is None:
            key = packed.name_of(images=digest(place, progress), options=options)
            pack = packed.open_pack(key) or self._packed(key, place, progress)
            packed.remember(known, key)
        for note in pack.about.notes:
            _log.warning("%s", note)
        return pack.images("folder", flip=self.flip)

    def _packed(self, key: str, place: Path, progress: Progress) -> packed.Pack:
        with opened(place, progress) as files:
            layout = lay_out(files.names, self.split, self.path)
            return pack_images(key, files, layout, self, progress)


def _sides(resolution: object) -> Size | None:
    """Return (height, width), or None for an empty string. Raises `ValueError` for no size."""
    if resolution == "":
        return None
    if not (match := re.fullmatch(r"(\d+)(?:x(\d+))?", str(resolution))):
        raise ValueError("write a side such as 64, or HEIGHTxWIDTH such as 48x64")
    return int(match[1]), int(match[2] or match[1])
