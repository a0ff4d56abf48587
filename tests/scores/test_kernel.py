"""The kernel distance against sums written out, its expectation, and what must hold of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_toolkit.errors import UsageError
from gan_toolkit.evaluation import evaluate
from gan_toolkit.streams import stream
from gantk_metrics.kernel import SUBSET, blocked, discrepancy, kernel, kernel_with_itself


def noise(*shape: int, key: str = "") -> Tensor:
    return torch.randn(*shape, generator=stream(0, "test", key))


def test_it_is_the_sum_over_pairs_written_out() -> None:
    x, y = noise(7, 3, key="x").double().numpy(), noise(5, 3, key="y").double().numpy() + 1

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 3 + 1) ** 3)

    inside_x = sum(k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j) / (7 * 6)
    inside_y = sum(k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j) / (5 * 4)
    between = sum(k(a, b) for a in x for b in y) / 35
    found = discrepancy(torch.from_numpy(x), torch.from_numpy(y))
    assert found == pytest.approx(inside_x + inside_y - 2 * between, rel=1e-12)


def test_a_row_with_itself_is_the_kernels_diagonal() -> None:
    rows = noise(6, 4).double()
    torch.testing.assert_close(kernel_with_itself(rows), kernel(rows, rows).diagonal())


def test_it_is_the_closed_form_for_two_normal_distributions() -> None:
    # One dimension, X ~ N(0, 1), Y ~ N(m, 1): E (xy + 1)³ = 1 + 3 E xy + 3 E x²y² + E x³y³, so the
    # squared discrepancy is 3 m² + 3 (m²)² + (m³ + 3 m)².
    m = 0.5
    expected = 3 * m**2 + 3 * m**4 + (m**3 + 3 * m) ** 2
    x, y = noise(40_000, 1, key="x"), noise(40_000, 1, key="y") + m
    value, error = blocked(x, y)
    assert error < 0.3
    assert abs(value - expected) < 4 * error


def test_equal_distributions_score_nothing_within_the_error() -> None:
    value, error = blocked(noise(20_000, 16, key="x"), noise(20_000, 16, key="y"))
    assert abs(value) < 4 * error


def test_the_error_is_that_of_a_mean_over_blocks() -> None:
    x, y = noise(3 * SUBSET, 2, key="x"), noise(3 * SUBSET, 2, key="y")
    each = [discrepancy(x[i : i + SUBSET], y[i : i + SUBSET]) for i in (0, SUBSET, 2 * SUBSET)]
    value, error = blocked(x, y)
    assert value == pytest.approx(float(np.mean(each)), rel=1e-9)
    assert error == pytest.approx(float(np.std(each, ddof=1) / np.sqrt(3)), rel=1e-9)


def test_a_blurred_model_scores_above_the_floor(means: Path) -> None:
    real = noise(4000, 1, 4, 4).clamp(-1, 1)
    (score,) = evaluate(real[:2000] * 0.5, real, metrics=["kid"], n=2000, plugins=[means])
    assert score.name == "kid-a-means"
    assert score.floor is not None
    assert score.error is not None
    assert score.value > score.floor + 5 * score.error


def test_too_few_samples_are_refused(means: Path) -> None:
    real = noise(1500, 1, 4, 4).clamp(-1, 1)
    with pytest.raises(UsageError, match="needs 2,000 samples of the model and of the data"):
        evaluate(real, real, metrics=["kid"], n=1500, plugins=[means])
