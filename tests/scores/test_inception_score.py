"""The Inception Score against entropies, and at its two ends."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from gan_toolkit.errors import UsageError
from gan_toolkit.evaluation import evaluate
from gan_toolkit.scoring import Seen
from gan_toolkit.streams import stream
from gantk_metrics import inception
from gantk_metrics.inception import SPLITS, parts, probabilities, score, split


def test_it_is_the_number_of_classes_for_sure_and_even_names() -> None:
    assert score(torch.eye(5, dtype=torch.float64).repeat(20, 1)) == pytest.approx(5)


def test_it_is_one_when_every_sample_is_named_alike() -> None:
    alike = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64).repeat(30, 1)
    assert score(alike) == pytest.approx(1)


def test_it_is_the_entropy_of_the_mean_less_the_mean_entropy() -> None:
    named = torch.randn(40, 6, generator=stream(0, "test")).double().softmax(1)

    def entropy(p: list[float]) -> float:
        return -sum(x * math.log(x) for x in p)

    mean = [sum(row[c] for row in named.tolist()) / 40 for c in range(6)]
    inside = sum(entropy(row) for row in named.tolist()) / 40
    assert score(named) == pytest.approx(math.exp(entropy(mean) - inside), rel=1e-12)


@pytest.mark.parametrize("order", ["sorted", "in turn"])
def test_a_part_holds_every_class_however_they_come(order: str) -> None:
    classes = torch.eye(10, dtype=torch.float64)
    named = (
        classes.repeat_interleave(2000, 0) if order == "sorted" else classes.repeat(2000, 1)
    )  # in turn, every tenth sample is of one class
    value, error = split(named, seed=0)
    assert value == pytest.approx(10, rel=0.02)
    assert error < 0.05


def test_parts_share_no_row_and_are_others_for_another_seed() -> None:
    found = parts(107, seed=3)
    assert found.shape == (SPLITS, 10)
    assert len(found.unique()) == 100
    assert torch.equal(found, parts(107, seed=3))
    assert not torch.equal(found, parts(107, seed=4))


def test_the_error_is_that_of_a_mean_over_parts() -> None:
    named = torch.randn(1000, 3, generator=stream(1, "test")).double().softmax(1)
    each = torch.tensor([score(named[rows]) for rows in parts(1000, seed=0)])
    value, error = split(named, seed=0)
    assert value == pytest.approx(float(each.mean()))
    assert error == pytest.approx(float(each.std()) / math.sqrt(10))


def test_probabilities_are_those_of_all_chunks_in_order() -> None:
    logits = torch.randn(10, 3, generator=stream(2, "test"))
    chunks = [Seen(logits, part) for part in logits.split(4)]
    torch.testing.assert_close(probabilities(chunks), logits.double().softmax(1))


def test_too_few_samples_are_refused(means: Path) -> None:
    real = torch.randn(40, 1, 4, 4, generator=stream(3, "test")).clamp(-1, 1)
    with pytest.raises(UsageError, match="is needs 20 samples, not 9"):
        evaluate(real[:9], real, metrics=["inception-score"], n=9, plugins=[means])
    (found,) = evaluate(real, real, metrics=["inception-score"], n=40, plugins=[means])
    assert found.name == "is-a-means"
    assert 1 <= found.value <= 2


def test_classes_beyond_a_hundred_ask_for_no_more_samples_and_are_told(
    means: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inception, "PART", 1)
    real = torch.randn(10, 1, 4, 4, generator=stream(3, "test")).clamp(-1, 1)
    (score,) = evaluate(
        real, real.repeat(2, 1, 1, 1), metrics=["inception-score"], n=10, plugins=[means]
    )
    assert score.receipt.notes == (
        "is: 10 parts of 1 samples for 2 classes, so that more would score higher",
    )
