"""The data set `glyphs`: drawn when it is opened, kept in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
from gan_toolkit import DataSet, DataSpec, Field, FieldSpec, Stored
from gan_toolkit.data import LABEL, SAMPLE, Progress, silent
from gan_toolkit.errors import DataError
from gan_toolkit.options import LOCAL
from gan_toolkit.packed import fingerprint
from numpy.typing import NDArray
from PIL import ImageFont
from pydantic import field_validator, model_validator

from gantk_glyphs.fonts import BASIC, Font, drawn, faces, files, folders

TRIAL = 64
"""Size in pixels at which a font is looked at first."""
INSTEAD = (
    "Install some, name a folder that has some (`--set data.folder=PATH`), or take the one font "
    "that is part of Pillow (`--set data.fonts=pillow`)."
)


class Glyphs(DataSet):
    """Letters in every font of this machine, [1, R, R], white on black; the label is the letter.

    By font, in order of file name, then by letter. A font that lacks one of the letters is left
    out, and so is one that draws them as an earlier one does; every letter thus has as many
    pictures.
    """

    licence: ClassVar[str] = "the fonts' own"
    source: ClassVar[str] = "the fonts of the machine that it was opened on"

    letters: str = Field(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_length=1, description="what is drawn, and the classes"
    )
    resolution: int = Field(32, ge=8, le=1024, description="side in pixels")
    fonts: Literal["installed", "pillow"] = Field(
        "installed", description="those of the system, or the one that is part of Pillow"
    )
    folder: str = Field(
        "",
        description="folder of .ttf, .otf and .ttc to take in place of the system's",
        json_schema_extra=LOCAL,
    )

    @field_validator("letters")
    @classmethod
    def _can_be_told_apart(cls, letters: str) -> str:
        if len(set(letters)) < len(letters) or any(letter.isspace() for letter in letters):
            raise ValueError(f"{letters!r} must be letters without a space, each of them once")
        return letters

    @model_validator(mode="after")
    def _fonts_come_from_one_place(self) -> Self:
        if self.folder and self.fonts == "pillow":
            raise ValueError("fonts = 'pillow' takes no folder")
        return self

    def probe(self, timeout_s: float) -> str:
        """Return how many font files there are. Raises `DataError` when there are none."""
        del timeout_s
        if self.fonts == "pillow":
            return "the font that is part of Pillow"
        return f"{len(self._files())} font files on this machine"

    def open(self, progress: Progress = silent) -> Stored:
        """Return the letters: `sample` uint8 [N, 1, R, R], `label` int64 [N].

        Raises `DataError` when no font has all of the letters.
        """
        import torch

        pictures: dict[bytes, NDArray[np.uint8]] = {}
        for font in self._faces(progress):
            rows = drawn(font, self.letters, self.resolution)
            if rows is not None:
                pictures.setdefault(rows.tobytes(), rows)
        if not pictures:
            raise DataError(f"No font here has all of '{self.letters}'. {INSTEAD}")
        shape, classes = (1, self.resolution, self.resolution), tuple(self.letters)
        samples = np.concatenate(list(pictures.values())).reshape(-1, *shape)
        labels = np.tile(np.arange(len(classes), dtype="<i8"), len(pictures))
        spec = DataSpec(
            name="glyphs",
            fields={
                SAMPLE: FieldSpec(shape=shape, low=-1.0, high=1.0),
                LABEL: FieldSpec(shape=(), classes=classes),
            },
            fingerprint=fingerprint(
                shape,
                classes,
                hashlib.sha256(samples.tobytes()).hexdigest(),
                hashlib.sha256(labels.tobytes()).hexdigest(),
            ),
            licence=self.licence,
            source=f"{len(pictures)} {self.fonts} fonts",
        )
        return Stored(spec, {SAMPLE: torch.from_numpy(samples), LABEL: torch.from_numpy(labels)})

    def _faces(self, progress: Progress) -> Iterator[Font]:
        """Yield the fonts that are asked for, at the trial size."""
        if self.fonts == "pillow":
            font = ImageFont.load_default(TRIAL)
            assert isinstance(font, Font)
            yield font.font_variant(layout_engine=BASIC)
            return
        found = self._files()
        for done, file in enumerate(found):
            yield from faces(file, TRIAL)
            progress("Drawing letters", done + 1, len(found))

    def _files(self) -> list[Path]:
        places = [Path(self.folder).expanduser()] if self.folder else folders()
        found = files(places)
        if not found:
            looked = ", ".join(f"'{place}'" for place in places)
            raise DataError(f"No .ttf, .otf or .ttc in {looked}. {INSTEAD}")
        return found
