"""A data set with one thing wrong breaks the promise that it is about."""

from __future__ import annotations

import socket
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from faults import broken
from torch import Tensor

from gan_toolkit import Batch, DataSet, DataSpec, Field, FieldSpec, Stored
from gan_toolkit.data import Progress, silent
from gan_toolkit.errors import DataError
from gan_toolkit.plugin import Kind
from gan_toolkit.streams import stream

LENGTH = 24
IMAGE = (1, 4, 4)


class Pictures(DataSet):
    """Random pictures of three classes."""

    licence: ClassVar[str] = "CC0-1.0"
    source: ClassVar[str] = "drawn on the spot"

    def fields(self) -> dict[str, FieldSpec]:
        return {
            "sample": FieldSpec(shape=IMAGE, low=-1.0, high=1.0),
            "label": FieldSpec(shape=(), classes=("a", "b", "c")),
        }

    def rows(self) -> Batch:
        samples = torch.randint(256, (LENGTH, *IMAGE), generator=stream(0, "pictures"))
        return {"sample": samples.to(torch.uint8), "label": torch.arange(LENGTH) % 3}

    def spec(self) -> DataSpec:
        return DataSpec(name="planted", fields=self.fields(), fingerprint="f" * 64, length=LENGTH)

    def open(self, progress: Progress = silent) -> Any:  # Any: what tests plant is no source
        return Stored(self.spec(), self.rows())


class Points(DataSet):
    """Points of a Gaussian, drawn afresh."""

    licence: ClassVar[str] = "CC0-1.0"
    source: ClassVar[str] = "drawn by its formula"

    def open(self, progress: Progress = silent) -> Points.Endless:
        return self.Endless()

    class Endless:
        fields: ClassVar[dict[str, FieldSpec]] = {"sample": FieldSpec(shape=(2,))}
        spec: DataSpec = DataSpec(name="planted", fields=fields, fingerprint="f" * 64)

        def draw(self, n: int, generator: torch.Generator) -> Batch:
            return {"sample": torch.randn(n, 2, generator=generator)}


class Files(Pictures):
    """Pictures in a file of the user's."""

    path: str = Field(description="where it lies")

    def open(self, progress: Progress = silent) -> Any:  # Any: as above
        raise DataError(f"No pictures at '{self.path}'. Name a file that is there.")


class LabelsFromOne(Pictures):
    def rows(self) -> Batch:
        return {**super().rows(), "label": torch.arange(LENGTH) % 3 + 1}


class FloatLabels(Pictures):
    def rows(self) -> Batch:
        return {**super().rows(), "label": torch.arange(LENGTH) % 3 / 1}


class Untrue(Pictures):
    """The spec tells of another shape."""

    def fields(self) -> dict[str, FieldSpec]:
        return {**super().fields(), "sample": FieldSpec(shape=(1, 4, 5), low=-1.0, high=1.0)}


class MoreThanSaid(Pictures):
    def rows(self) -> Batch:
        return {**super().rows(), "mask": torch.zeros(LENGTH, 1)}


class Short(Pictures):
    """One row is missing."""

    def open(self, progress: Progress = silent) -> Any:  # Any: as above
        return Short.Source(self)

    class Source:
        def __init__(self, data: Pictures) -> None:
            self.spec = data.spec()
            self.rows = {name: rows[: self.kept()] for name, rows in data.rows().items()}

        def kept(self) -> int:
            return LENGTH - 1

        def gather(self, indices: Tensor) -> Batch:
            return {name: rows[indices] for name, rows in self.rows.items()}


class Shuffled(Pictures):
    """Other rows at each call."""

    def open(self, progress: Progress = silent) -> Any:  # Any: as above
        return Shuffled.Source(self)

    class Source(Short.Source):
        def kept(self) -> int:
            return LENGTH

        def gather(self, indices: Tensor) -> Batch:
            return super().gather(torch.randint(LENGTH, indices.shape))


class Centred(Pictures):
    """Rows depend on the rest of their batch."""

    def open(self, progress: Progress = silent) -> Any:  # Any: as above
        return Centred.Source(self)

    class Source(Shuffled.Source):
        def gather(self, indices: Tensor) -> Batch:
            rows = {name: rows[indices] for name, rows in self.rows.items()}
            return {**rows, "sample": rows["sample"] - rows["sample"][:1]}


class Aliasing(Pictures):
    """Rows that are asked for in order are those that are stored."""

    def open(self, progress: Progress = silent) -> Any:  # Any: as above
        return Aliasing.Source(self)

    class Source(Shuffled.Source):
        def gather(self, indices: Tensor) -> Batch:
            if torch.equal(indices, torch.arange(LENGTH)):
                return dict(self.rows)
            return {name: rows[indices] for name, rows in self.rows.items()}


class FromZero(Pictures):
    """Floats 0 … 1 for what is said to lie in -1 … 1."""

    def rows(self) -> Batch:
        rows = super().rows()
        return {**rows, "sample": rows["sample"] / 255}


class Unscaled(Pictures):
    """Floats 0 … 255."""

    def rows(self) -> Batch:
        rows = super().rows()
        return {**rows, "sample": rows["sample"].float()}


class Doubles(Pictures):
    def rows(self) -> Batch:
        rows = super().rows()
        return {**rows, "sample": rows["sample"].double() / 127.5 - 1}


class Unlicensed(Pictures):
    licence: ClassVar[str] = ""


class Nameless(Pictures):
    """The spec carries another name."""

    def spec(self) -> DataSpec:
        return super().spec().model_copy(update={"name": "other"})


class OtherNow(Pictures):
    """Opened again it holds something else."""

    def rows(self) -> Batch:
        samples = torch.randint(256, (LENGTH, *IMAGE)).to(torch.uint8)
        return {**super().rows(), "sample": samples}


class Raising(Files):
    def open(self, progress: Progress = silent) -> Any:  # Any: as above
        return dict[str, Stored]()[self.path]


class Curt(Files):
    def open(self, progress: Progress = silent) -> Any:  # Any: as above
        raise DataError("ENOENT")


class Undaunted(Files):
    """Opens whatever is not there."""

    def open(self, progress: Progress = silent) -> Any:  # Any: as above
        return Stored(self.spec(), self.rows())


class Wordless(Pictures):
    """Says nothing of where its data is."""

    def probe(self, timeout_s: float) -> str:
        return ""


class OnTheWeb(Pictures):
    """Lets the network's own error pass."""

    def open(self, progress: Progress = silent) -> Any:  # Any: as above
        socket.create_connection(("example.org", 443), timeout=1)


class GlobalDraws(Points):
    class Endless(Points.Endless):
        def draw(self, n: int, generator: torch.Generator) -> Batch:
            return {"sample": torch.randn(n, 2)}


class NumpyDraws(Points):
    class Endless(Points.Endless):
        dice: ClassVar[np.random.Generator] = np.random.default_rng(0)

        def draw(self, n: int, generator: torch.Generator) -> Batch:
            noise = torch.from_numpy(self.dice.standard_normal((n, 2)).astype(np.float32))
            return {"sample": noise + torch.randn(n, 2, generator=generator)}


class Repeating(Points):
    class Endless(Points.Endless):
        def draw(self, n: int, generator: torch.Generator) -> Batch:
            generator.manual_seed(generator.initial_seed())
            return super().draw(n, generator)


HEALTHY: list[tuple[Kind, type]] = [
    ("data", Pictures),
    ("data", Points),
    ("data", Files),
]
FAULTS: list[tuple[Kind, type, str]] = [
    ("data", LabelsFromOne, "its-labels-are-numbers-of-its-classes"),
    ("data", FloatLabels, "its-labels-are-numbers-of-its-classes"),
    ("data", Untrue, "its-rows-have-the-shapes-of-its-spec"),
    ("data", MoreThanSaid, "its-rows-have-the-shapes-of-its-spec"),
    ("data", Short, "every-row-of-its-length-is-there"),
    ("data", Shuffled, "gathering-twice-gives-the-same-bits"),
    ("data", Centred, "a-row-depends-on-its-index-alone"),
    ("data", Aliasing, "a-batch-is-a-copy"),
    ("data", FromZero, "its-numbers-lie-in-their-range"),
    ("data", Unscaled, "its-numbers-lie-in-their-range"),
    ("data", Doubles, "its-numbers-lie-in-their-range"),
    ("data", Unlicensed, "its-licence-and-its-source-are-named"),
    ("data", Nameless, "its-spec-names-it"),
    ("data", OtherNow, "opening-twice-gives-the-same-data"),
    ("data", Raising, "what-is-not-there-is-told-in-a-sentence"),
    ("data", Curt, "what-is-not-there-is-told-in-a-sentence"),
    ("data", Undaunted, "what-is-not-there-is-told-in-a-sentence"),
    ("data", Wordless, "it-says-where-its-data-is"),
    ("data", OnTheWeb, "it-opens-or-says-why-not"),
    ("data", GlobalDraws, "endless-rows-come-from-their-generator"),
    ("data", NumpyDraws, "endless-rows-come-from-their-generator"),
    ("data", Repeating, "endless-rows-never-repeat"),
]


@pytest.mark.parametrize(("kind", "planted"), HEALTHY, ids=[each.__name__ for _, each in HEALTHY])
def test_what_is_sound_breaks_no_promise(kind: Kind, planted: type) -> None:
    assert broken(kind, planted) == {}


@pytest.mark.parametrize(
    ("kind", "planted", "promise"), FAULTS, ids=[fault.__name__ for _, fault, _ in FAULTS]
)
def test_the_first_promise_that_a_fault_breaks_is_about_it(
    kind: Kind, planted: type, promise: str
) -> None:
    planted.__doc__ = planted.__doc__ or "Made for a test."
    assert next(iter(broken(kind, planted))) == promise
