"""What extractors and metrics promise, and what a score says of itself.

A metric sees an `Exam`: the model's samples, the real ones and held-out real ones, each a `Side`
that is read a chunk at a time. What an extractor sees of a side is computed once for all metrics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from gan_toolkit import score_cache
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import LABEL, SAMPLE, Batch, DataSet, DataSpec
from gan_toolkit.errors import UsageError
from gan_toolkit.options import Field, Options

KEPT_BYTES = 128 * 2**20
"""Chunks up to this many bytes are kept for the next metric; more are made again."""
KEPT_FEATURES = 2**30
"""The same for what an extractor saw of a side, which takes far longer to make again."""
CHUNK_VALUES = 2**22
"""Numbers in a chunk of samples, if that is from 64 to 512 of them."""

Better = Literal["lower", "higher", "none"]
Item = TypeVar("Item")


class Receipt(Options):
    """Where a number comes from: all that could change it."""

    n: int = Field(description="samples of the model")
    seed: int = Field(description="seed of those samples")
    seeds: int = Field(1, description="seeds from that one on; the value is the mean over them")
    model: str = Field(description="SHA-256 of the model's file")
    data: str = Field(description="registry name of the data set")
    split: str = Field("", description="part of the data set, where it has parts")
    fingerprint: str = Field("", description="SHA-256 of the data's content")
    real: int = Field(description="real samples")
    extractor: str = Field("", description="registry name of the extractor")
    extractor_sha256: str = Field("", description="SHA-256 of the extractor's weights")
    resize: str = Field("", description="how samples came to the extractor's size")
    dtype: str = Field("float32", description="arithmetic of samples and extractor")
    floor: str = Field("", description="what the floor was measured on")
    notes: tuple[str, ...] = Field((), description="what to know before comparing the number")
    versions: dict[str, str] = Field({}, description="versions that can change the last digits")


class Score(Options):
    """One number about a model, with its receipt."""

    name: str = Field(description="what was measured, then a hyphen and the extractor, if any")
    value: float = Field(description="the number")
    unit: str = Field("", description="unit, empty for a plain number; `share` runs from 0 to 1")
    better: Better = Field(description="which way is better")
    floor: float | None = Field(None, description="the same number for held-out real samples")
    error: float | None = Field(None, description="standard error, where the metric has one")
    deviation: float | None = Field(
        None, description="standard deviation over seeds, where several were taken"
    )
    parts: dict[str, float] = Field({}, description="the number of each part: class, mode")
    receipt: Receipt = Field(description="where it comes from")

    @property
    def rank(self) -> float:
        """What scores of one name are sorted by: the best has the lowest."""
        return -self.value if self.better == "higher" else self.value


class Seen(NamedTuple):
    """What an extractor makes of samples."""

    features: Tensor
    """[N, d]"""
    logits: Tensor | None = None
    """[N, classes], for an extractor that names classes."""
    label: Tensor | None = None
    """[N] int64, the class of each sample where it is known: asked for, or the data's."""


class Extractor(Options):
    """Options that open a fixed network whose features metrics compare. The plugin kind.

    `sha256` is that of its weights, `resize` says how samples come to its size, `classes` are
    those of its logits, if it has any. `titles` names the scores that papers take through this very
    network, by their own name: any other extractor's `fd` is `fd-NAME`.
    """

    sha256: ClassVar[str]
    resize: ClassVar[str]
    classes: ClassVar[tuple[str, ...]] = ()
    titles: ClassVar[Mapping[str, str]] = {}

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why it cannot look at such samples, one sentence a reason; empty if it can."""
        raise NotImplementedError

    def suits(self, spec: DataSpec) -> bool:
        """Return whether it was made for such data, so that metrics take it unasked."""
        del spec
        return False

    def open(self) -> nn.Module:
        """Return the network, in eval mode: images [N, C, H, W] in -1 … 1, any size → `Seen`.

        Raises `DataError` when its weights cannot be had or are not those of `sha256`.
        """
        raise NotImplementedError


class Metric(Options):
    """Options that score a generator against a data set. The plugin kind.

    `watched` says that its first score tells which of two moments of a run is better: such a metric
    is taken while a run trains and none was named.
    """

    watched: ClassVar[bool] = False

    def refusals(self, exam: Exam) -> list[str]:
        """Return why it cannot judge this model on this data, one sentence a reason."""
        del exam
        return []

    def scores(self, exam: Exam) -> list[Score]:
        """Return its scores. Nothing random but `exam.seed`: the same exam, the same digits."""
        raise NotImplementedError


class FeatureMetric(Metric):
    """A metric over what an extractor sees; its scores carry the extractor's name."""

    extractor: str | None = Field(
        None, description="registry name; none takes the one made for such data"
    )

    def refusals(self, exam: Exam) -> list[str]:
        """Return why no extractor can be used."""
        try:
            exam.eye(self.extractor)
        except UsageError as error:
            return [str(error)]
        return []

    def eye(self, exam: Exam) -> Eye:
        """Return the extractor to look with."""
        return exam.eye(self.extractor)


class Eye:
    """An extractor of a name, opened when first looked with."""

    def __init__(self, name: str, extractor: Extractor, device: torch.device) -> None:
        self.name = name
        self.extractor = extractor
        self._device = device
        self._network: nn.Module | None = None

    @property
    def arithmetic(self) -> tuple[str, bool]:
        """Where it computes, and whether in TensorFloat-32."""
        narrow = torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32
        return self._device.type, self._device.type == "cuda" and narrow

    def title(self, score: str) -> str:
        """Return the name of a score taken through it, `fd` say: its own, or `fd-NAME`."""
        return self.extractor.titles.get(score, f"{score}-{self.name}")

    @torch.inference_mode()
    def look(self, images: Tensor) -> Seen:
        """Return what it sees in images [N, C, H, W] in -1 … 1, on the CPU."""
        if self._network is None:
            self._network = self.extractor.open().to(self._device)
        seen: Seen = self._network(images.to(self._device))
        return Seen(seen.features.cpu(), None if seen.logits is None else seen.logits.cpu())


class Kept(Generic[Item]):
    """Chunks that can be gone through again: kept while they are small, else made again."""

    def __init__(
        self, make: Callable[[], Iterator[Item]], weigh: Callable[[Item], int], most: int
    ) -> None:
        self._make = make
        self._weigh = weigh
        self._most = most
        self._items: list[Item] | None = None

    def __iter__(self) -> Iterator[Item]:
        if self._items is not None:
            yield from self._items
            return
        items: list[Item] | None = []
        weight = 0
        for item in self._make():
            weight += self._weigh(item)
            if items is not None:
                items.append(item)
            if weight > self._most:
                items = None
            yield item
        self._items = items


Read = Callable[[int, int], Batch]
"""Rows `first` … `first + count - 1`: samples in -1 … 1 where they are bounded, and labels."""


@dataclass(eq=False)
class Side:
    """Samples of one kind, read a chunk at a time."""

    name: str
    spec: DataSpec
    n: int
    read: Read
    size: tuple[int, int] | None = None
    """Height and width that images are brought to, so that both sides go the same way."""
    identity: str = ""
    """Names the rows in the cache of statistics; empty when they are not worth keeping."""
    progress: Callable[[str, int, int | None], None] = lambda *_: None
    _chunks: Kept[Batch] = field(init=False)
    _seen: dict[str, Kept[Seen]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._chunks = Kept(
            self._read_all, lambda batch: sum(t.nbytes for t in batch.values()), KEPT_BYTES
        )

    def chunks(self) -> Iterator[Batch]:
        """Yield all rows in order: `sample` [m, …], float32, and `label` [m] where it is known.

        Bounded samples lie in -1 … 1. The chunks are the same every time.
        """
        yield from self._chunks

    def seen(self, eye: Eye) -> Iterator[Seen]:
        """Yield what an extractor sees in each chunk."""
        if eye.name not in self._seen:
            self._seen[eye.name] = Kept(
                lambda: (
                    eye.look(batch[SAMPLE])._replace(label=batch.get(LABEL))
                    for batch in self.chunks()
                ),
                lambda seen: sum(t.nbytes for t in seen if t is not None),
                KEPT_FEATURES,
            )
        yield from self._seen[eye.name]

    def statistic(
        self, name: str, eye: Eye, compute: Callable[[Iterable[Seen]], Mapping[str, Tensor]]
    ) -> Mapping[str, Tensor]:
        """Return `compute` of what an extractor sees; that of real samples is kept on disk.

        `name` must change when what `compute` does changes.
        """
        if not self.identity:
            return compute(self.seen(eye))
        key = score_cache.key(
            name, self.identity, self.n, self.size, eye.name, eye.extractor.sha256, eye.arithmetic
        )
        return score_cache.remembered(key, lambda: compute(self.seen(eye)))

    def _read_all(self) -> Iterator[Batch]:
        step = min(max(CHUNK_VALUES // math.prod(self.spec.sample.shape) // 64 * 64, 64), 512)
        for first in range(0, self.n, step):
            batch = self.read(first, min(step, self.n - first))
            samples = batch[SAMPLE]
            if not samples.isfinite().all():
                raise UsageError(f"The {self.name} hold NaN or infinity; nothing can be scored.")
            if self.size is not None:
                samples = resized(samples, self.size)
            yield {**batch, SAMPLE: samples}
            self.progress(f"Reading {self.name}", min(first + step, self.n), self.n)


@dataclass(eq=False)
class Exam:
    """What metrics see: a model's samples beside real ones."""

    fake: Side
    real: Side
    floor: tuple[Side, Side]
    """Held-out real samples, and the real samples they are compared with."""
    floor_name: str
    data: DataSet
    """The options that the real samples were opened with."""
    receipt: Receipt
    """What is the same for every score."""
    catalogue: Catalogue
    asked: bool = False
    """Whether `label` of the model's samples is the class that was asked for."""
    device: torch.device = torch.device("cpu")  # noqa: RUF009  # a plain value
    _eyes: dict[str, Eye] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """Key of everything random."""
        return self.receipt.seed

    @property
    def spec(self) -> DataSpec:
        """What is known of the data."""
        return self.real.spec

    def eye(self, name: str | None = None) -> Eye:
        """Return the extractor of a name, or the first that was made for such data.

        Raises `UsageError` when there is none or it cannot look at the data.
        """
        names = [name] if name else self.catalogue.names("extractor")
        for each in names:
            extractor = self.catalogue.load("extractor", each)()
            assert isinstance(extractor, Extractor)
            if name and (reasons := extractor.refusals(self.spec)):
                raise UsageError(" ".join(reasons))
            if name or (extractor.suits(self.spec) and not extractor.refusals(self.spec)):
                return self._eyes.setdefault(each, Eye(each, extractor, self.device))
        raise UsageError(
            f"No installed extractor was made for '{self.spec.name}'; name one with --extractor. "
            "`gantk list extractor` shows them."
        )

    def signed(self, eye: Eye | None = None, notes: Iterable[str] = ()) -> Receipt:
        """Return the receipt of a score that was taken with an extractor, or without one."""
        changes: dict[str, object] = {"notes": (*self.receipt.notes, *notes)}
        if eye is not None:
            changes |= {
                "extractor": eye.name,
                "extractor_sha256": eye.extractor.sha256,
                "resize": ", ".join(filter(None, [self.receipt.resize, eye.extractor.resize])),
                "floor": self.floor_name,
            }
        return self.receipt.model_copy(update=changes)


def in_parts(look: Callable[[Tensor], Seen], images: Tensor, most: int) -> Seen:
    """Return what `look` sees in images, `most` of them at a time: memory is that of a part."""
    parts = [look(part) for part in images.split(most)]
    logits = [part.logits for part in parts if part.logits is not None]
    return Seen(torch.cat([part.features for part in parts]), torch.cat(logits) if logits else None)


def resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Return images [N, C, H, W] at `size`, bilinear with antialiasing; as they are if they fit."""
    if images.shape[-2:] == size:
        return images
    return functional.interpolate(
        images, size=size, mode="bilinear", antialias=True, align_corners=False
    )
