"""Small exams for metrics: real samples, and what no good generator would make in their place."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, cast

import torch
from pydantic import PrivateAttr
from torch import Tensor

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import (
    LABEL,
    SAMPLE,
    Batch,
    DataSet,
    EndlessSource,
    Progress,
    Source,
    Stored,
    silent,
)
from gan_toolkit.errors import DataError
from gan_toolkit.scoring import Exam, FeatureMetric, Metric, Score
from gan_toolkit.sides import Judged, examined
from gan_toolkit.streams import stream
from gan_toolkit.tensors import TensorData
from gan_toolkit.testing.promises import NotMade, Subject
from gan_toolkit.testing.stages.opening import Opened, evenly, needed, opened
from gan_toolkit.testing.stages.scene import default
from gan_toolkit.testing.stages.surroundings import offline, own_cache

SEED = 7
SIZES = (128, 2048)
"""Samples of an exam: a metric that refuses the first is offered the second."""
REALS = 2
"""Real samples for each of a model's, where the data has as many."""
MOST = 2**26
"""Numbers in the real samples of an exam; data of larger samples sets none."""
SITTINGS = 2
"""Data sets on which a metric is tried, the second where the first tells nothing apart."""

Fakes = Literal["real", "flat", "noise", "repeated"]
"""What stands in for a model: real samples, all the same grey, noise, one real sample for all."""
BAD: tuple[Fakes, ...] = ("flat", "noise", "repeated")


class Material(NamedTuple):
    """An open data set that exams can be made of."""

    title: str
    options: DataSet
    source: Opened


class Exams:
    """Exams of `n` samples that differ in nothing but who made them."""

    def __init__(self, material: Material, n: int, catalogue: Catalogue) -> None:
        self._material = material
        self._n = n
        self._catalogue = catalogue
        self._rows = _drawn(material.source, REALS * n)

    def of(self, fakes: Fakes) -> Exam:
        """Return the exam of such samples. Raises `DataError` when these are none to judge."""
        judged = self._judged(fakes)
        side = dataclasses.replace(self._model.fake, spec=judged.spec, read=judged.read)
        receipt = self._model.receipt.model_copy(update={"model": judged.sha256})
        return dataclasses.replace(self._model, fake=side, receipt=receipt)

    @functools.cached_property
    def _model(self) -> Exam:
        """The exam of real samples, whose other sides all exams share."""
        exam = examined(
            self._judged("real"),
            _Held.of(Stored(self._material.source.spec, self._rows)),
            self._catalogue,
            n=self._n,
            seed=SEED,
            via=None,
            progress=silent,
        )
        return dataclasses.replace(exam, data=self._material.options)

    def _judged(self, fakes: Fakes) -> Judged:
        places = torch.arange(self._n) * len(self._rows[SAMPLE]) // self._n
        real = {name: rows[places] for name, rows in self._rows.items()}
        samples = made(
            real[SAMPLE], fakes, bounded=self._material.source.spec.sample.low is not None
        )
        return Judged.of((samples, real[LABEL]) if LABEL in real else samples, self._n, SEED)


class Sitting:
    """A metric and exams that it takes."""

    def __init__(self, metric: Metric, exams: Exams) -> None:
        self.metric = metric
        self.exams = exams
        self._scored: dict[Fakes, Sequence[Score]] = {}

    def scores(self, fakes: Fakes) -> Sequence[Score]:
        """Return the scores of such samples, taken once; none when their exam is refused."""
        if fakes not in self._scored:
            self._scored[fakes] = self.scores_again(fakes)
        return self._scored[fakes]

    def scores_again(self, fakes: Fakes) -> Sequence[Score]:
        """Return the scores of such samples, taken now. Raises `NotMade` when weights are away."""
        exam = self.exams.of(fakes)
        with offline(), own_cache():
            try:
                return [] if self.metric.refusals(exam) else self.metric.scores(exam)
            except DataError as error:
                raise NotMade(f"what it looks with is not at hand: {error}") from error


@functools.lru_cache(maxsize=1)
def sittings(it: Subject) -> Sequence[Sitting]:
    """Return the first exams that a metric takes. Raises `NotMade` with why it takes none."""
    found: list[Sitting] = []
    refused: dict[str, str] = {}
    for metric, material in _candidates(it):
        for n in SIZES:
            if REALS * n * math.prod(material.source.spec.sample.shape) > MOST:
                break
            exams = Exams(material, n, it.catalogue)
            reason = _refusal(metric, exams)
            if not reason:
                found.append(Sitting(metric, exams))
                break
            refused.setdefault(reason, material.title)
        if len(found) == SITTINGS:
            break
    if not found:
        reasons = [f"{title}: {reason}" for reason, title in refused.items()]
        raise NotMade(f"it takes no exam that can be set here. {' '.join(reasons)}")
    return found


@functools.cache
def made_here() -> Sequence[Material]:
    """Return points in three heaps, grey pictures of a blob in one of four corners, colour ones."""
    n, dice = REALS * max(SIZES), stream(0, "made here")
    heap, corner = (torch.randint(kinds, (n,), generator=dice) for kinds in (3, 4))
    points = torch.tensor([[-9, 0], [9, 0], [0, 9]])[heap] + torch.randn(n, 2, generator=dice)
    titled = {
        "points": TensorData.of((points, heap)),
        "grey images": TensorData.of((_blobs(corner, 16, dice), corner)),
        "colour images": TensorData.of(_blobs(corner, 32, dice).expand(-1, 3, -1, -1)),
    }
    return [Material(title, data, data.open()) for title, data in titled.items()]


def _candidates(it: Subject) -> Iterator[tuple[Metric, Material]]:
    """Yield data of the metric's plugin, what is made here, and all else that is at hand.

    A metric that looks through an extractor takes what is made here with any, at last.
    """
    metric = default(it, Metric)
    found = [Subject(it.catalogue, p, c) for c, p in it.catalogue.components("data")]
    own = _at_hand([each for each in found if each.plugin == it.plugin])
    others = _at_hand([each for each in found if each.plugin != it.plugin])
    for material in itertools.chain(own, made_here(), others):
        yield metric, material
    if isinstance(metric, FeatureMetric):
        for name in it.catalogue.names("extractor"):
            for material in made_here():
                yield metric.model_copy(update={"extractor": name}), material


def _refusal(metric: Metric, exams: Exams) -> str:
    """Return why an exam cannot be taken; empty if it can."""
    try:
        exam = exams.of("real")
        if reasons := metric.refusals(exam):
            return " ".join(reasons)
        if isinstance(metric, FeatureMetric):
            with offline():
                metric.eye(exam).extractor.open()
    except DataError as error:  # samples that are none to judge, weights that are not here
        return str(error)
    return ""


def made(real: Tensor, fakes: Fakes, *, bounded: bool) -> Tensor:
    """Return samples of a kind in place of real ones, of their shape and type."""
    if fakes == "real":
        return real
    if fakes == "repeated":
        return real[:1].expand_as(real)
    dice = stream(SEED, fakes)
    if real.dtype is torch.uint8:
        flat = torch.full_like(real, 128)
        return flat if fakes == "flat" else flat.random_(0, 256, generator=dice)
    if bounded:
        flat = torch.zeros_like(real)
        return flat if fakes == "flat" else flat.uniform_(-1, 1, generator=dice)
    flat = real.mean(0).expand_as(real)
    if fakes == "flat":
        return flat
    return flat + 3 * real.std(0) * torch.randn(real.shape, generator=dice)


class _Held(DataSet):
    """Rows that are open already."""

    _source: Source = PrivateAttr()

    @classmethod
    def of(cls, source: Source) -> _Held:
        """Return the options that open them."""
        held = cls()
        held._source = source  # its own private attribute
        return held

    def open(self, progress: Progress = silent) -> Source:
        """Return the rows."""
        del progress
        return self._source


def _at_hand(subjects: Sequence[Subject]) -> Iterator[Material]:
    """Yield those that open without a network and with default options."""
    for subject in subjects:
        try:
            options = subject.options(DataSet) if not needed(subject) else None
            if options is not None:
                yield Material(subject.label, options, opened(subject))
        except Exception:  # noqa: BLE001, S112  # what is wrong with it is for its own promises
            continue


def _drawn(source: Opened, n: int) -> Batch:
    """Return `n` stored rows of a source, or all that it has."""
    if source.spec.length is None:
        return cast(EndlessSource, source).draw(n, stream(SEED, "real"))
    length = source.spec.length
    return cast(Source, source).gather(evenly(min(n, length), length))


def _blobs(corner: Tensor, side: int, dice: torch.Generator) -> Tensor:
    """Return pictures of a bright blob that lies anywhere in its corner: uint8 [N, 1, H, W]."""
    places = torch.arange(side, dtype=torch.float32)
    centre = torch.rand(len(corner), 2, generator=dice) + torch.stack([corner // 2, corner % 2], 1)
    rows, columns = (
        (-((places - c[:, None] * side / 2) / (side / 8)).square()).exp() for c in centre.T
    )
    images: Tensor = rows[:, None, :, None] * columns[:, None, None, :]
    return images.mul(255).to(torch.uint8)
