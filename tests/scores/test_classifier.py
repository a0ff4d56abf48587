"""Counts and shares by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from gan_toolkit.evaluation import evaluate
from gan_toolkit.scoring import Seen
from gantk_metrics.classifier import variation, votes


def seen(named: list[int], label: list[int] | None, sure: float = 1000.0) -> Seen:
    logits = torch.zeros(len(named), 3)
    logits[range(len(named)), named] = sure
    return Seen(torch.zeros(len(named), 1), logits, None if label is None else torch.tensor(label))


def test_votes_count_names_labels_and_agreement_over_chunks() -> None:
    counts = votes([seen([0, 1, 1], [0, 1, 2]), seen([2, 2], [2, 0])])
    assert counts["named"].tolist() == [1, 2, 2]
    assert counts["labelled"].tolist() == [2, 1, 2]
    assert counts["right"].tolist() == [1, 1, 1]
    assert float(counts["sureness"]) == pytest.approx(5)


def test_what_has_no_label_of_the_extractors_counts_for_none() -> None:
    counts = votes([seen([0, 1], None), seen([1, 2], [7, 2])])
    assert counts["named"].tolist() == [1, 2, 1]
    assert counts["labelled"].tolist() == [0, 0, 1]
    assert counts["right"].tolist() == [0, 0, 1]


def test_sureness_is_the_largest_probability() -> None:
    counts = votes([seen([0], None, sure=math.log(2))])
    assert float(counts["sureness"]) == pytest.approx(2 / 4)  # e^ln 2 / (e^ln 2 + 1 + 1)


def test_total_variation_is_the_largest_difference_of_any_event() -> None:
    p, q = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.2, 0.2, 0.6]).double()
    events = [
        abs(float(p[list(event)].sum() - q[list(event)].sum()))
        for event in ([0], [1], [2], [0, 1], [0, 2], [1, 2])
    ]
    assert variation(p, q) == pytest.approx(max(events))
    assert variation(p, p) == 0


def test_shares_of_classes_that_real_samples_lack_are_left_out_and_told(means: Path) -> None:
    left = torch.zeros(60, 1, 4, 4)
    left[:, :, :2, :2] = 1  # the first block mean, so class 0
    (score,) = evaluate(left, left, metrics=["classifier"], n=60, plugins=[means])
    assert score.name == "confidence-a-means"
    assert score.receipt.notes[-1] == (
        "real samples are named as 1 of a-means's 2 classes: no class-min, no class-max"
    )
