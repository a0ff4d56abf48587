"""The data set `digits`: a sheet of pictures and a text of labels, both in this folder."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import ClassVar

import numpy as np
from PIL import Image

from gan_toolkit.data import LABEL, SAMPLE, DataSet, DataSpec, FieldSpec, Progress, Stored, silent
from gan_toolkit.options import Field
from gan_toolkit.packed import fingerprint
from gan_toolkit.resizing import bicubic

SIDE = 8
CLASSES = tuple("0123456789")


class Digits(DataSet):
    """The test half of UCI's optical digits: 1,797 grey 8x8 pictures with labels 0 … 9."""

    licence: ClassVar[str] = "CC BY 4.0"
    source: ClassVar[str] = (
        "E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, "
        "UCI Machine Learning Repository, 1998"
    )

    resolution: int = Field(
        16, ge=4, le=1024, description="side in pixels; other than 8 is resized, bicubic"
    )

    def probe(self, timeout_s: float) -> str:
        """Return that the data is bundled."""
        del timeout_s
        return "bundled with gan-toolkit"

    def open(self, progress: Progress = silent) -> Stored:
        """Return the digits: `sample` uint8 [1797, 1, R, R], `label` int64 [1797]."""
        import torch

        del progress
        folder = files(__package__)
        text = "".join((folder / "labels.txt").read_text(encoding="ascii").split())
        with (folder / "digits.png").open("rb") as file, Image.open(file) as image:
            sheet = np.array(image)
        down, across = (side // SIDE for side in sheet.shape)
        tiles = sheet.reshape(down, SIDE, across, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)
        samples = tiles[: len(text)]
        if self.resolution != SIDE:
            samples = bicubic(samples, self.resolution)
        labels = np.array([int(letter) for letter in text], "<i8")
        shape = (1, self.resolution, self.resolution)
        spec = DataSpec(
            name="digits",
            fields={
                SAMPLE: FieldSpec(shape=shape, low=-1.0, high=1.0),
                LABEL: FieldSpec(shape=(), classes=CLASSES),
            },
            fingerprint=fingerprint(
                shape,
                CLASSES,
                hashlib.sha256(samples.tobytes()).hexdigest(),
                hashlib.sha256(labels.tobytes()).hexdigest(),
            ),
            licence=self.licence,
            source=self.source,
        )
        rows = {
            SAMPLE: torch.from_numpy(samples.reshape(-1, *shape).copy()),
            LABEL: torch.from_numpy(labels),
        }
        return Stored(spec, rows)
