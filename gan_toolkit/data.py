"""What a data set promises: fields with shapes and ranges, rows gathered from stored tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

from pydantic import model_validator

from gan_toolkit.options import Field, Options

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Batch = dict[str, "Tensor"]
"""Rows of every field, by field name: `sample` [N, …], `label` [N]."""

SAMPLE = "sample"
LABEL = "label"

Progress = Callable[[str, int, int | None], None]
"""Told `(what, done, total)` by anything that may take over two seconds."""


def silent(what: str, done: int, total: int | None) -> None:
    """Show no progress."""


class FieldSpec(Options):
    """One field of a sample: its shape, and its range or its classes."""

    shape: tuple[int, ...] = Field(description="shape of one row: (C, H, W), (d,) or ()")
    low: float | None = Field(None, description="smallest value, none when unbounded")
    high: float | None = Field(None, description="largest value, none when unbounded")
    classes: tuple[str, ...] = Field((), description="class names when the field is a label")

    @model_validator(mode="after")
    def _is_bounded_on_both_sides_or_neither(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high go together: give both, or neither")
        return self

    def normalise(self, stored: Tensor) -> Tensor:
        """Return stored rows as the networks see them, low … high.

        Bounded rows are stored as uint8 0 … 255 or as floats -1 … 1; unbounded ones as they are.
        """
        import torch

        if self.low is None or self.high is None:
            return stored
        span = self.high - self.low
        if stored.dtype is torch.uint8:
            return stored.to(torch.float32).mul_(span / 255).add_(self.low)
        return stored if (self.low, self.high) == (-1, 1) else (stored + 1) * (span / 2) + self.low


class DataSpec(Options):
    """What is known of a data set once it is open: enough to build networks and to name it."""

    name: str = Field(description="registry name of the data set")
    fields: dict[str, FieldSpec] = Field(
        description="every field by name; `sample` is the main one"
    )
    length: int | None = Field(None, description="number of stored samples, none when endless")
    fingerprint: str = Field("", description="SHA-256 of the stored content")
    licence: str = Field("", description="licence of the data")
    source: str = Field("", description="where the data comes from")

    @property
    def sample(self) -> FieldSpec:
        """The main field."""
        return self.fields[SAMPLE]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, empty for unlabelled data."""
        return self.fields[LABEL].classes if LABEL in self.fields else ()

    def ranged(self, low: float, high: float) -> DataSpec:
        """Return this spec with a bounded sample field seen in low…high."""
        if self.sample.low is None:
            return self
        sample = self.sample.model_copy(update={"low": low, "high": high})
        return self.model_copy(update={"fields": {**self.fields, SAMPLE: sample}})


class Source(Protocol):
    """An open data set of known length."""

    spec: DataSpec

    def gather(self, indices: Tensor) -> Batch:
        """Return the stored rows at `indices` [N] of 0 … length - 1; images stay uint8."""


class EndlessSource(Protocol):
    """An open data set that is drawn afresh: `spec.length` is None."""

    spec: DataSpec

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Return `n` rows drawn from `generator` alone."""


class DataSet(Options):
    """Options that open a source of samples. The plugin kind `data`."""

    licence: ClassVar[str] = ""
    source: ClassVar[str] = ""

    def probe(self, timeout_s: float) -> str:
        """Return where the data would come from, in a few words, without fetching it.

        Raises `DataError` with what to do when it is neither here nor can be fetched. Takes at most
        `timeout_s` seconds. Unless a data set says otherwise it is at hand.
        """
        del timeout_s
        return "at hand"

    def open(self, progress: Progress = silent) -> Source | EndlessSource:
        """Return the open data set, fetched and packed when it was not yet. Raises `DataError`."""
        raise NotImplementedError


class Stored:
    """Tensors held in memory or mapped from disk, one row a sample.

    With `flip`, the mirrored samples follow the others: row `i + length/2` is row `i` mirrored, so
    no randomness is needed and the data order says it all.
    """

    def __init__(self, spec: DataSpec, rows: Batch, *, flip: bool = False) -> None:
        self._rows = rows
        self._flip = flip
        self._count = len(rows[SAMPLE])
        length = self._count * 2 if flip else self._count
        self.spec = spec.model_copy(update={"length": length})

    def gather(self, indices: Tensor) -> Batch:
        """Return the rows at `indices` [N], int64, on the device that holds them."""
        rows = {name: tensor[indices % self._count] for name, tensor in self._rows.items()}
        if self._flip:
            mirrored = (indices >= self._count).view(-1, *[1] * (rows[SAMPLE].dim() - 1))
            rows[SAMPLE] = rows[SAMPLE].flip(-1).where(mirrored, rows[SAMPLE])
        return rows

    def to(self, device: torch.device) -> Stored:
        """Return the same rows held on `device`."""
        moved = object.__new__(Stored)
        moved.__dict__ = {
            **self.__dict__,
            "_rows": {k: t.to(device) for k, t in self._rows.items()},
        }
        return moved
