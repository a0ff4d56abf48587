"""What is compared with what: sizes, halves, labels, chunks, the cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import gan_toolkit
from gan_toolkit import score_cache, scoring
from gan_toolkit.data import SAMPLE, Batch, DataSet, DataSpec, FieldSpec, Progress, Stored, silent
from gan_toolkit.errors import UsageError
from gan_toolkit.evaluation import evaluate
from gan_toolkit.options import Field
from gan_toolkit.scoring import Exam, Metric, Score, Seen, Side
from gan_toolkit.streams import stream
from gantk_metrics.classifier import Classified
from gantk_metrics.frechet import FrechetDistance


def images(n: int, key: str, side: int = 8, channels: int = 1) -> Tensor:
    return torch.rand(n, channels, side, side, generator=stream(0, "test", key)) * 2 - 1


class Parted(DataSet):
    """Data with a test split."""

    split: Literal["train", "test"] = Field("train", description="which")

    def open(self, progress: Progress = silent) -> Stored:
        rows = {SAMPLE: images(4000 if self.split == "train" else 3000, self.split)}
        spec = DataSpec(
            name="tensor",
            fields={SAMPLE: FieldSpec(shape=(1, 8, 8), low=-1.0, high=1.0)},
            fingerprint=f"parted {self.split}",
        )
        return Stored(spec, rows)


class Endless:
    """Points that never end."""

    def __init__(self) -> None:
        self.spec = DataSpec(name="tensor", fields={SAMPLE: FieldSpec(shape=(2,))})

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        return {SAMPLE: torch.randn(n, 2, generator=generator)}


class Spring(DataSet):
    """Opens them."""

    def open(self, progress: Progress = silent) -> Endless:
        return Endless()


class Look(Metric):
    """Keeps the exam it saw."""

    def scores(self, exam: Exam) -> list[Score]:
        seen.append(exam)
        return []


seen: list[Exam] = []


def exam(
    fake: Tensor, real: Tensor | DataSet, *, n: int | None = None, via: int | None = None
) -> Exam:
    n = len(fake) if n is None else n
    assert evaluate(fake, real, metrics=[Look()], n=n, via=via) == []
    return seen.pop()


def rows_of(side: Side) -> Tensor:
    return torch.cat([batch[SAMPLE] for batch in side.chunks()])


def test_both_sides_are_sent_through_the_models_size() -> None:
    fake, real = images(40, "fake", 6), images(30, "real", 8)
    found = exam(fake, real)
    expected = functional.interpolate(real, (6, 6), mode="bilinear", antialias=True)
    assert torch.equal(rows_of(found.fake), fake)
    assert torch.equal(rows_of(found.real), expected)
    assert found.receipt.resize == "real 8×8 → 6×6"
    assert "another size" in found.receipt.notes[0]


def test_a_model_of_other_classes_is_told() -> None:
    rows, labels = images(30, "rows"), torch.arange(30)
    for fake, real, notes in (
        (labels % 2, labels % 3, ("the model knows other classes than the data",)),
        (labels % 3, labels % 3, ()),
    ):
        assert evaluate((rows, fake), (rows, real), metrics=[Look()], n=30) == []
        assert seen.pop().receipt.notes == notes


def test_via_sends_both_sides_through_a_third_size() -> None:
    found = exam(images(40, "fake", 6), images(30, "real", 8), via=5)
    assert rows_of(found.fake).shape == (40, 1, 5, 5)
    assert rows_of(found.real).shape == (30, 1, 5, 5)
    assert found.receipt.resize == "samples 6×6 → 5×5, real 8×8 → 5×5"


def test_the_test_split_is_the_floor_where_there_is_one() -> None:
    found = exam(images(50, "fake"), Parted())
    assert found.receipt.split == "train"
    assert found.floor_name == "50 held-out real samples against the 4000 others"
    held_out = {tuple(row.flatten().tolist()) for row in images(3000, "test")}
    assert all(tuple(row.flatten().tolist()) in held_out for row in rows_of(found.floor[0]))
    assert found.floor[1] is found.real


def test_else_the_floor_is_two_halves_that_share_no_row() -> None:
    real = images(31, "real")
    found = exam(images(40, "fake"), real)
    halves = [rows_of(side) for side in found.floor]
    assert [len(half) for half in halves] == [15, 16]
    assert len(torch.cat(halves).flatten(1).unique(dim=0)) == 31
    assert "two halves of the 31 real samples" in found.floor_name


@pytest.mark.parametrize("count", [1, 2, 3])
def test_real_samples_that_are_too_few_to_compare_with_are_told(count: int) -> None:
    with pytest.raises(UsageError, match=f"has {count} real samples here, too few"):
        exam(images(40, "fake"), images(count, "real"))


def test_a_score_that_one_seed_has_not_is_left_out() -> None:
    class Sometimes(Metric):
        def scores(self, exam: Exam) -> list[Score]:
            names = ["a", "b"] if exam.seed == 0 else ["a"]
            return [
                Score(name=n, value=float(exam.seed), better="none", receipt=exam.signed())
                for n in names
            ]

    model = gan_toolkit.load("mnist-dcgan")
    found = evaluate(model, images(30, "real", 28), metrics=[Sometimes()], n=4, seeds=3)
    assert [(score.name, score.value) for score in found] == [("a", 1.0)]


def test_endless_data_is_drawn_twice_and_the_same_every_time() -> None:
    found, again = (exam(torch.zeros(10, 2), Spring()) for _ in range(2))
    assert found.real.n == found.floor[0].n == 50_000
    first, second = rows_of(found.real), rows_of(found.floor[0])
    assert not torch.equal(first, second)
    assert torch.equal(first, rows_of(again.real))


def test_samples_without_a_common_form_are_refused() -> None:
    with pytest.raises(UsageError, match=r"samples \[3, 8, 8\] but those of 'tensor' are \[1, 8"):
        exam(images(9, "fake", 8, 3), images(9, "real"))
    with pytest.raises(UsageError, match=r"cannot be compared.*--data"):
        exam(torch.zeros(9, 2), images(9, "real"))
    with pytest.raises(UsageError, match="leave --via out"):
        exam(torch.zeros(9, 2), torch.zeros(9, 2), via=4)


def test_samples_that_are_not_there_are_refused() -> None:
    with pytest.raises(UsageError, match="9 given; set n to 9"):
        exam(images(9, "fake"), images(9, "real"), n=10)
    with pytest.raises(UsageError, match="n and seeds must be positive"):
        exam(images(9, "fake"), images(9, "real"), n=0)


def test_a_sample_that_is_no_number_stops_the_exam() -> None:
    spec = DataSpec(name="x", fields={SAMPLE: FieldSpec(shape=(2,))})
    broken = Side("samples", spec, 4, lambda first, count: {SAMPLE: torch.full((count, 2), 1e999)})
    with pytest.raises(UsageError, match="samples hold NaN or infinity"):
        list(broken.chunks())


@pytest.mark.parametrize("kept", [0, 2**30])
def test_chunks_are_the_same_kept_or_made_again(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "KEPT_BYTES", kept)
    monkeypatch.setattr(scoring, "CHUNK_VALUES", 64 * 64)
    reads: list[int] = []
    spec = DataSpec(name="x", fields={SAMPLE: FieldSpec(shape=(1, 8, 8), low=-1.0, high=1.0)})
    rows = images(150, "rows")

    def read(first: int, count: int) -> Batch:
        reads.append(first)
        return {SAMPLE: rows[first : first + count]}

    side = Side("samples", spec, 150, read)
    assert torch.equal(rows_of(side), rows)
    assert torch.equal(rows_of(side), rows)
    assert reads == ([0, 64, 128] if kept else [0, 64, 128] * 2)


def test_an_extractor_looks_once_for_all_metrics(
    means: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    look = scoring.Eye.look

    def counted(self: scoring.Eye, samples: Tensor) -> Seen:
        looks.append(len(samples))
        return look(self, samples)

    monkeypatch.setattr(scoring.Eye, "look", counted)
    fake = (images(2100, "fake"), torch.zeros(2100, dtype=torch.int64))
    evaluate(fake, Parted(), metrics=["fd", "classifier"], n=2100, plugins=[means])
    assert sum(looks) == 2100 + 4000 + 2100  # samples, real, held out


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each side that an extractor looks at."""
    names: list[str] = []
    look = Side.seen

    def noted(self: Side, eye: scoring.Eye) -> Iterator[Seen]:
        names.append(self.name)
        return look(self, eye)

    monkeypatch.setattr(Side, "seen", noted)
    return names


def test_real_statistics_come_from_the_cache_and_a_damaged_one_is_made_again(
    means: Path, tmp_path: Path, looked_at: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    def scored() -> list[Score]:
        looked_at.clear()
        return evaluate(images(2100, "f"), Parted(), metrics=["fd"], n=2100, plugins=[means])

    first = scored()
    assert looked_at == ["samples", "real samples", "held-out samples"]
    assert scored() == first
    assert looked_at == ["samples"]
    for path in (tmp_path / "cache" / "scores").iterdir():
        path.write_bytes(path.read_bytes()[:-9])
    assert scored() == first
    assert looked_at == ["samples", "real samples", "held-out samples"]
    assert caplog.text.count("is damaged; it is made again") == 2


def test_features_of_real_samples_that_are_compared_in_pairs_come_from_the_cache(
    means: Path, looked_at: list[str]
) -> None:
    def scored(seed: int) -> list[Score]:
        looked_at.clear()
        return evaluate(
            images(2000, "f"), Parted(), metrics=["kid"], n=2000, seed=seed, plugins=[means]
        )

    first = scored(0)
    assert looked_at == ["samples", "real samples", "held-out samples"]
    assert scored(0) == first
    assert looked_at == ["samples"]
    assert scored(1)[0].value != first[0].value, "blocks are of other rows"


def test_a_key_is_another_when_any_part_is() -> None:
    keys = {
        score_cache.key("gaussian", identity, n, size, "digits", sha)
        for identity in ("a", "b")
        for n in (1, 2)
        for size in ((8, 8), None)
        for sha in ("x", "y")
    }
    assert len(keys) == 16


def test_the_same_call_gives_the_same_digits_and_another_seed_others(means: Path) -> None:
    real, fake = images(3000, "real"), images(4200, "fake") * 0.9

    def scored(n: int, seed: int) -> list[Score]:
        metrics: list[str | Metric] = [FrechetDistance(), Classified()]
        return evaluate(fake, real, metrics=metrics, n=n, seed=seed, plugins=[means])

    assert scored(2048, 0) == scored(2048, 0)
    floors = {scored(2048, seed)[0].floor for seed in (0, 1)}  # other halves
    assert len(floors) == 2


def test_too_few_samples_are_refused_and_too_few_real_ones_are_told(means: Path) -> None:
    fake = images(2100, "fake")
    with pytest.raises(UsageError, match=r"fd needs 2,048 samples or more, not 100.*at least 2048"):
        evaluate(fake, images(99, "real"), metrics=["fd"], n=100, plugins=[means])
    (score,) = evaluate(fake, images(99, "real"), metrics=["fd"], n=2100, plugins=[means])
    assert "only 99 real samples" in score.receipt.notes[-1]


def test_metrics_that_do_not_fit_are_told_unless_they_were_asked_for(means: Path) -> None:
    told: list[str] = []
    fake, real = images(100, "fake"), images(90, "real")
    found = evaluate(fake, real, n=100, plugins=[means], note=told.append)
    assert {score.name.partition("-a-")[0] for score in found} == {
        "confidence",
        "class-min",
        "class-max",
        "swd",
        "is",
        "precision",
        "recall",
        "density",
        "coverage",
    }
    assert any(line.startswith("fd does not fit: fd needs") for line in told)
    with pytest.raises(UsageError, match="No extractor 'nobody'"):
        evaluate(fake, real, n=100, extractor="nobody", plugins=[means])
    with pytest.raises(UsageError, match=r"No metric 'fdd'.*Did you mean 'fd'"):
        evaluate(fake, real, n=100, metrics=["fdd"], plugins=[means])


UNIT = '''
"""Images in 0 … 1."""

from typing import ClassVar

from torch import nn

from gan_toolkit import Component, TwoNetworks, hookimpl


class Unit(TwoNetworks):
    """Two linear maps."""

    sample_range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def generator(self, spec):
        return nn.Sequential(nn.Linear(self.latent, 64), nn.Unflatten(1, (1, 8, 8)))

    def discriminator(self, spec):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 1))


@hookimpl
def gantk_components():
    return [Component("architecture", "unit", Unit, "Images in 0 … 1")]
'''


def test_samples_of_any_range_are_brought_to_the_same_and_cut_as_pictures_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unit.py").write_text(UNIT, encoding="utf-8")
    plugins = [tmp_path / "unit.py"]
    out = tmp_path / "run"
    data = images(8, "real")
    gan_toolkit.train(
        arch="unit", data=data, settings={"steps": 1, "batch": 4}, out=out, plugins=plugins
    )
    evaluate(out, data, metrics=[Look()], n=100, plugins=plugins)
    found = seen.pop()
    samples = gan_toolkit.load(out, plugins=plugins).sample(100)
    assert float(samples.max()) > 1
    assert torch.allclose(rows_of(found.fake), samples.clamp(0, 1) * 2 - 1)
    assert torch.equal(rows_of(found.real), data)
    monkeypatch.setattr(scoring, "CHUNK_VALUES", 1)  # read in 64s, not all at once
    evaluate(out, data, metrics=[Look()], n=100, plugins=plugins)
    chunks = list(seen.pop().fake.chunks())
    assert [len(chunk[SAMPLE]) for chunk in chunks] == [64, 36]
    assert torch.equal(torch.cat([chunk[SAMPLE] for chunk in chunks]), rows_of(found.fake))


def test_a_receipt_names_all_that_made_the_number(means: Path) -> None:
    (score,) = evaluate(images(2100, "f"), Parted(), metrics=["fd"], n=2100, plugins=[means])
    receipt = score.receipt
    assert (receipt.n, receipt.seed, receipt.real) == (2100, 0, 4000)
    assert (receipt.data, receipt.split) == ("tensor", "train")
    assert receipt.fingerprint == "parted train"
    assert (receipt.extractor, receipt.extractor_sha256) == ("a-means", "0" * 64)
    assert len(receipt.model) == 64
    assert {"torch", "gan-toolkit", "python"} == set(receipt.versions)
    assert Score.model_validate_json(score.model_dump_json()) == score
