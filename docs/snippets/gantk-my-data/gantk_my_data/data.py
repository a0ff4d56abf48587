"""The data set: one bright bar on black in every picture."""

from __future__ import annotations

import hashlib
from typing import ClassVar

import torch
from gan_toolkit import DataSet, DataSpec, Field, FieldSpec, Stored
from gan_toolkit.data import LABEL, SAMPLE, Progress, silent

CLASSES = ("standing", "lying")


class MyData(DataSet):
    """Pictures of one bar each: every place, and every width up to half of the side.

    Half of the bars stand and half of them lie, which is their class. Nothing is random.
    """

    licence: ClassVar[str] = "CC0-1.0"
    source: ClassVar[str] = "drawn by a formula"

    resolution: int = Field(16, ge=4, le=64, description="side in pixels")

    def probe(self, timeout_s: float) -> str:
        """Return that nothing has to be fetched."""
        del timeout_s
        return self.source

    def open(self, progress: Progress = silent) -> Stored:
        """Return the pictures: `sample` uint8 [N, 1, R, R] of 0 and 255, `label` int64 [N]."""
        del progress
        side = self.resolution
        places = torch.arange(side)
        bars = [
            (places >= first) & (places < end)
            for first in range(side)
            for end in range(first + 1, min(first + side // 2, side) + 1)
        ]
        rows = torch.stack(bars)  # [bars, R]
        standing = rows[:, None, :].expand(-1, side, -1)  # [bars, R, R]
        pictures = torch.cat([standing, standing.mT])[:, None]  # [N, 1, R, R]
        samples = pictures.to(torch.uint8) * 255
        labels = torch.arange(len(CLASSES)).repeat_interleave(len(rows))  # [N]
        content = samples.numpy().tobytes() + labels.numpy().tobytes()
        spec = DataSpec(
            name="my-data",
            fields={
                SAMPLE: FieldSpec(shape=(1, side, side), low=-1.0, high=1.0),
                LABEL: FieldSpec(shape=(), classes=CLASSES),
            },
            fingerprint=hashlib.sha256(content).hexdigest(),
            licence=self.licence,
            source=self.source,
        )
        return Stored(spec, {SAMPLE: samples, LABEL: labels})
