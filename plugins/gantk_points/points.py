"""What the toy data sets share: endless rows by default, or a fixed number of stored ones."""

from __future__ import annotations

import hashlib
import json
from typing import ClassVar

import torch

from gan_toolkit.data import (
    LABEL,
    SAMPLE,
    Batch,
    DataSet,
    DataSpec,
    FieldSpec,
    Progress,
    Stored,
    silent,
)
from gan_toolkit.options import Field
from gan_toolkit.packed import fingerprint
from gan_toolkit.streams import stream


class PointSet(DataSet):
    """A distribution of points [N, d] that is drawn by formula, float32 and unbounded."""

    NAME: ClassVar[str]
    licence: ClassVar[str] = "CC0-1.0"
    source: ClassVar[str] = "drawn by its formula"

    points: int | None = Field(
        None, ge=1, le=100_000_000, description="stored points, drawn once; none: endless"
    )
    seed: int = Field(0, ge=0, description="which points are stored; no effect while endless")

    @property
    def size(self) -> int:
        """Number of coordinates of a point."""
        return 2

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, empty when points carry no label."""
        return ()

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Return `sample` [n, d] float32, and `label` [n] int64 where there are classes."""
        raise NotImplementedError

    def probe(self, timeout_s: float) -> str:
        """Return that nothing has to be fetched."""
        del timeout_s
        return self.source

    def open(self, progress: Progress = silent) -> Stored | Endless:
        """Return `points` stored rows, the same for the same seed, or the endless source."""
        del progress
        if self.points is None:
            return Endless(self)
        rows = self.draw(self.points, stream(self.seed, self.NAME))
        digests = {
            name: hashlib.sha256(tensor.numpy().tobytes()).hexdigest()
            for name, tensor in rows.items()
        }
        mark = fingerprint((self.size,), self.classes, digests[SAMPLE], digests.get(LABEL, ""))
        return Stored(self.spec(mark), rows)

    def spec(self, mark: str) -> DataSpec:
        """Return what is known of the rows, `mark` being their fingerprint."""
        fields = {SAMPLE: FieldSpec(shape=(self.size,))}
        if self.classes:
            fields[LABEL] = FieldSpec(shape=(), classes=self.classes)
        return DataSpec(
            name=self.NAME,
            fields=fields,
            fingerprint=mark,
            licence=self.licence,
            source=self.source,
        )


class Endless:
    """Rows drawn afresh. There is no content to hash: the fingerprint is that of the options."""

    def __init__(self, points: PointSet) -> None:
        options = points.model_dump(mode="json", exclude={"points", "seed"})
        content = json.dumps([points.NAME, options], sort_keys=True)
        self.spec = points.spec(hashlib.sha256(content.encode()).hexdigest())
        self._points = points

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Return `n` rows that depend on the generator alone."""
        return self._points.draw(n, generator)
