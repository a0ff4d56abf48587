"""The sides of an exam: which samples stand beside which, and how they are made comparable."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal, cast, get_args, get_origin

import torch
from torch import Tensor

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import (
    LABEL,
    SAMPLE,
    Batch,
    DataSet,
    DataSpec,
    EndlessSource,
    Progress,
    Source,
)
from gan_toolkit.errors import DataError, UsageError
from gan_toolkit.generator import Generator
from gan_toolkit.recipe import Values
from gan_toolkit.sampling import device_of
from gan_toolkit.scoring import Exam, Read, Receipt, Side
from gan_toolkit.streams import stream
from gan_toolkit.system import versions
from gan_toolkit.tensors import TensorData

ENDLESS_ROWS = 50_000
"""Real samples drawn from data that has no end."""

LEAST = 2
"""Real samples, at least, that others are held against."""

Opened = Source | EndlessSource
Rows = Tensor | tuple[Tensor, Tensor]
"""Samples, or (samples, labels)."""


class Judged:
    """A model, or samples in its place."""

    def __init__(self, spec: DataSpec, sha256: str, read: Read) -> None:
        self.spec = spec.ranged(-1.0, 1.0)
        self.sha256 = sha256
        self.read = read
        self.asked = False
        self.trained_on: Values | None = None
        self.device = torch.device("cpu")

    @classmethod
    def of(cls, model: Generator | Rows, n: int, seed: int) -> Judged:
        """Return it with what reads its samples."""
        if isinstance(model, Tensor | tuple):
            return cls._given(TensorData.of(model).open(), n)
        return cls._generated(model, seed)

    @classmethod
    def _given(cls, source: Source, n: int) -> Judged:
        have = source.spec.length or 0
        if have < n:
            raise UsageError(f"{n} samples were asked for but {have} given; set n to {have}.")
        judged = cls(source.spec, source.spec.fingerprint, _reader(source))
        judged.asked = bool(source.spec.classes)
        return judged

    @classmethod
    def _generated(cls, model: Generator, seed: int) -> Judged:
        classes = len(model.spec.classes)
        low, high = model.spec.sample.low, model.spec.sample.high

        def read(first: int, count: int) -> Batch:
            samples = model.sample(count, seed=seed, first=first)
            if low is not None and high is not None:  # brought to -1 … 1, as a picture cuts it
                samples = ((samples - low) * (2 / (high - low)) - 1).clamp(-1, 1)
            labels = {LABEL: torch.arange(first, first + count) % classes} if judged.asked else {}
            return {SAMPLE: samples, **labels}

        judged = cls(model.spec, model.sha256, read)
        judged.asked = LABEL in model.conditions
        judged.trained_on = model.description.recipe
        judged.device = device_of(model.networks)
        return judged


def examined(
    judged: Judged,
    options: DataSet,
    catalogue: Catalogue,
    *,
    n: int,
    seed: int,
    via: int | None,
    progress: Progress,
) -> Exam:
    """Return the exam of `n` samples: beside the data that `options` open, and a floor.

    Raises `DataError` from the data, `UsageError` when the two cannot be compared.
    """
    source = options.open(progress)
    size, resize = _common_size(judged.spec, source.spec, via)

    def side(name: str, opened: Opened, indices: Tensor | None = None, rows: str = "all") -> Side:
        spec = opened.spec.ranged(-1.0, 1.0)
        length = ENDLESS_ROWS if spec.length is None else spec.length
        if spec.length is None:
            rows = f"{name} of {seed}"
        return Side(
            name,
            spec,
            length if indices is None else len(indices),
            _reader(opened, indices, seed, name),
            size,
            f"{spec.fingerprint} {length} {rows}" if spec.fingerprint else "",
            progress,
        )

    real = side("real samples", source)
    floor, told = _floor(source, _held_out(options, source, progress), real, side, n, seed)
    if min(each.n for each in floor) < LEAST:
        raise UsageError(
            f"'{source.spec.name}' has {real.n} real samples here, too few to compare with: of two "
            f"halves each needs {LEAST}. Name more data with --data."
        )
    receipt = Receipt(
        n=n,
        seed=seed,
        model=judged.sha256,
        data=source.spec.name,
        split=str(getattr(options, "split", "")),
        fingerprint=source.spec.fingerprint,
        real=real.n,
        resize=resize,
        notes=_notes(judged.spec, source.spec),
        versions=versions(),
    )
    return Exam(
        fake=Side("samples", judged.spec, n, judged.read, size, progress=progress),
        real=real,
        floor=floor,
        floor_name=told,
        data=options,
        receipt=receipt,
        catalogue=catalogue,
        asked=judged.asked,
        device=judged.device,
    )


def sat(exam: Exam, judged: Judged, seed: int) -> Exam:
    """Return the same exam with other samples in it.

    What is known of the real side is kept, and so are the extractors that were opened.
    """
    old = exam.fake
    return dataclasses.replace(
        exam,
        fake=Side(old.name, judged.spec, old.n, judged.read, old.size, progress=old.progress),
        receipt=exam.receipt.model_copy(update={"model": judged.sha256, "seed": seed}),
    )


def _floor(
    source: Opened,
    held_out: Opened | None,
    real: Side,
    side: Callable[..., Side],
    n: int,
    seed: int,
) -> tuple[tuple[Side, Side], str]:
    """Return real samples to stand in for a perfect model's, what they face, and how it is told."""
    if held_out is not None:
        length = held_out.spec.length or 0
        order = torch.arange(length)
        if length > n:  # the floor of as many samples as the model is judged by
            order = torch.randperm(length, generator=stream(seed, "floor"))[:n]
        kept = side("held-out samples", held_out, order, f"{len(order)} of {seed}")
        return (kept, real), f"{kept.n} held-out real samples against the {real.n} others"
    if source.spec.length is None:
        more = side("more real samples", source)
        return (more, real), f"{more.n} freshly drawn real samples against {real.n} others"
    order = torch.randperm(real.n, generator=stream(seed, "floor"))
    first, second = order[: real.n // 2], order[real.n // 2 :]
    halves = (
        side("half the real samples", source, first, f"first half of {seed}"),
        side("the other half", source, second, f"second half of {seed}"),
    )
    return halves, f"two halves of the {real.n} real samples, which share none"


def _reader(source: Opened, indices: Tensor | None = None, seed: int = 0, title: str = "") -> Read:
    """Return what reads rows of a source, or those at `indices` only, in -1 … 1."""
    spec = source.spec.ranged(-1.0, 1.0)

    def read(first: int, count: int) -> Batch:
        if spec.length is None:
            rows = cast(EndlessSource, source).draw(count, stream(seed, title, first))
        else:
            places = torch.arange(first, first + count)
            places = places if indices is None else indices[places]
            rows = cast(Source, source).gather(places)
        known = {SAMPLE, LABEL} & rows.keys()
        return {field: spec.fields[field].normalise(rows[field]) for field in known}

    return read


def _held_out(data: DataSet, source: Opened, progress: Progress) -> Opened | None:
    """Return the test split of data opened as its training split, if it has both."""
    field = type(data).model_fields.get("split")
    splits = get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()
    if "test" not in splits or getattr(data, "split", "") != "train" or source.spec.length is None:
        return None
    try:
        return data.model_copy(update={"split": "test"}).open(progress)
    except DataError:
        return None  # the training half alone is here; the receipt says what the floor is


def _common_size(
    fake: DataSpec, real: DataSpec, via: int | None
) -> tuple[tuple[int, int] | None, str]:
    """Return the size that images of both sides are brought to, and how that is told.

    Raises `UsageError` when samples of both sides cannot be compared at all.
    """
    made, given = fake.sample.shape, real.sample.shape
    if len(made) != len(given) or (made[0] != given[0]):
        raise UsageError(
            f"The model makes samples {list(made)} but those of '{real.name}' are {list(given)}: "
            "these cannot be compared. Name the data it was trained on with --data."
        )
    if len(made) != 3:
        if via is not None:
            raise UsageError("Only images can be sent through another size; leave --via out.")
        return None, ""
    size = (via, via) if via is not None else (made[1], made[2])
    told = [
        f"{name} {h}×{w} → {size[0]}×{size[1]}"
        for name, (h, w) in (("samples", made[1:]), ("real", given[1:]))
        if (h, w) != size
    ]
    return size, ", ".join(told)


def _notes(fake: DataSpec, real: DataSpec) -> tuple[str, ...]:
    notes = []
    if fake.sample.shape != real.sample.shape:
        notes.append("the real samples were of another size than the model's")
    if fake.classes and real.classes and fake.classes != real.classes:
        notes.append("the model knows other classes than the data")
    return tuple(notes)
