"""An extractor or a metric with one thing wrong breaks the promise that it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from faults import broken
from torch import Tensor, nn

from gan_toolkit import DataSpec
from gan_toolkit.plugin import Kind
from gan_toolkit.scoring import Exam, Extractor, Metric, Score, Seen


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache and data folder out of it."""
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GANTK_DATA", raising=False)


class Means(Extractor):
    """Four block means, the first two as logits."""

    sha256: ClassVar[str] = "0" * 64
    resize: ClassVar[str] = "none"
    classes: ClassVar[tuple[str, ...]] = ("dark", "bright")

    def refusals(self, spec: DataSpec) -> list[str]:
        return [] if len(spec.sample.shape) == 3 else ["It looks at images [C, H, W]."]

    def open(self) -> nn.Module:
        return self.Network().eval()

    class Network(nn.Module):
        def forward(self, images: Tensor) -> Seen:
            blocks = nn.functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), 2)
            return self.seen(blocks.flatten(1))

        def seen(self, features: Tensor) -> Seen:
            return Seen(features, features[:, :2])


class Training(Means):
    """Never put into eval mode, which its dropout would need."""

    def open(self) -> nn.Module:
        return nn.Sequential(self.Network(), nn.Identity())


class Dropping(Means):
    """Drops features in eval mode, too."""

    class Network(Means.Network):
        def seen(self, features: Tensor) -> Seen:
            return Seen(nn.functional.dropout(features), features[:, :2])


class Leaking(Means):
    """Features are relative to their batch."""

    class Network(Means.Network):
        def seen(self, features: Tensor) -> Seen:
            return Seen(features - features.mean(0), features[:, :2])


class Maps(Means):
    class Network(Means.Network):
        def seen(self, features: Tensor) -> Seen:
            return Seen(features.view(-1, 2, 2), features[:, :2])


class TooManyLogits(Means):
    class Network(Means.Network):
        def seen(self, features: Tensor) -> Seen:
            return Seen(features, features)


class Fresh(Means):
    """Its weights are random."""

    def open(self) -> nn.Module:
        return self.Network().eval()

    class Network(Means.Network):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.Parameter(torch.randn(4, 4), requires_grad=False)

        def seen(self, features: Tensor) -> Seen:
            return Seen(features @ self.weights, features[:, :2])


class Unhashed(Means):
    sha256: ClassVar[str] = "v1"


class Takes(Means):
    """Refuses nothing, points neither."""

    def refusals(self, spec: DataSpec) -> list[str]:
        return []


class Mumbling(Means):
    def refusals(self, spec: DataSpec) -> list[str]:
        return [] if len(spec.sample.shape) == 3 else ["no"]


class Distance(Metric):
    """How far mean and spread of all numbers are from those of the data."""

    def scores(self, exam: Exam) -> list[Score]:
        (made, real), (held, others) = (
            [torch.cat([batch["sample"].flatten() for batch in side.chunks()]) for side in sides]
            for sides in ((exam.fake, exam.real), exam.floor)
        )
        receipt = exam.signed().model_copy(update={"floor": exam.floor_name})
        return [self.score(value=gap(made, real), floor=gap(held, others), receipt=receipt)]

    def score(self, **facts: Any) -> Score:
        return Score(**{"name": "distance", "better": "lower", **facts})


def gap(a: Tensor, b: Tensor) -> float:
    return float((a.mean() - b.mean()).abs() + (a.std() - b.std()).abs())


class Inverted(Distance):
    def score(self, **facts: Any) -> Score:
        return super().score(better="higher", **facts)


class Jittery(Distance):
    def score(self, **facts: Any) -> Score:
        return super().score(**{**facts, "value": facts["value"] + 1e-9 * float(torch.rand(()))})


class Undefined(Distance):
    def score(self, **facts: Any) -> Score:
        return super().score(**facts).model_copy(update={"value": float("nan")})


class Shouting(Distance):
    def score(self, **facts: Any) -> Score:
        return super().score(**{**facts, "name": "Distance_1"})


class Unsigned(Distance):
    def score(self, **facts: Any) -> Score:
        receipt = facts["receipt"].model_copy(update={"fingerprint": ""})
        return super().score(**{**facts, "receipt": receipt})


class Floored(Distance):
    """Does not say what its floor is."""

    def score(self, **facts: Any) -> Score:
        receipt = facts["receipt"].model_copy(update={"floor": ""})
        return super().score(**{**facts, "receipt": receipt})


class ImagesOnly(Distance):
    """Fails where it should refuse."""

    def scores(self, exam: Exam) -> list[Score]:
        _, _, _ = exam.spec.sample.shape
        return super().scores(exam)


HEALTHY: list[tuple[Kind, type]] = [
    ("extractor", Means),
    ("metric", Distance),
]
FAULTS: list[tuple[Kind, type, str]] = [
    ("extractor", Training, "it-opens-in-eval-mode"),
    ("extractor", Dropping, "looking-twice-shows-the-same"),
    ("extractor", Leaking, "it-looks-at-each-image-alone"),
    ("extractor", Maps, "its-features-are-finite-rows"),
    ("extractor", TooManyLogits, "its-logits-are-of-its-classes"),
    ("extractor", Fresh, "looking-twice-shows-the-same"),
    ("extractor", Unhashed, "it-says-which-weights-it-has"),
    ("extractor", Takes, "what-it-cannot-look-at-it-refuses"),
    ("extractor", Mumbling, "what-it-cannot-look-at-it-refuses"),
    ("metric", Inverted, "real-samples-score-better-than-bad-ones"),
    ("metric", Jittery, "the-same-exam-gives-the-same-digits"),
    ("metric", Undefined, "its-scores-are-finite"),
    ("metric", Shouting, "its-scores-have-names-that-can-be-typed"),
    ("metric", Unsigned, "its-receipts-are-complete"),
    ("metric", Floored, "its-receipts-are-complete"),
    ("metric", ImagesOnly, "what-it-cannot-judge-it-refuses"),
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
