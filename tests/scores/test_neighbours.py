"""Precision, recall, density and coverage against loops over all pairs, and on made-up sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_toolkit.errors import UsageError
from gan_toolkit.evaluation import evaluate
from gan_toolkit.streams import stream
from gantk_metrics.neighbours import Neighbours, distances, reaches


def noise(*shape: int, key: str = "") -> Tensor:
    return torch.randn(*shape, generator=stream(0, "test", key))


def written_out(fake: np.ndarray, real: np.ndarray, k: int, k_coverage: int) -> list[float]:
    """Return the four by their definitions, one pair at a time."""

    def gap(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(((a - b) ** 2).sum()))

    def ball(rows: np.ndarray, i: int, nearest: int) -> float:
        return sorted(gap(rows[i], rows[j]) for j in range(len(rows)) if j != i)[nearest - 1]

    n, m = len(fake), len(real)
    wide = [ball(real, i, k) for i in range(m)]
    narrow = [ball(real, i, k_coverage) for i in range(m)]
    own = [ball(fake, j, k) for j in range(n)]
    precision = np.mean([any(gap(f, real[i]) <= wide[i] for i in range(m)) for f in fake])
    recall = np.mean([any(gap(r, fake[j]) <= own[j] for j in range(n)) for r in real])
    density = np.mean([sum(gap(f, real[i]) < narrow[i] for i in range(m)) for f in fake])
    coverage = np.mean([any(gap(real[i], f) < narrow[i] for f in fake) for i in range(m)])
    return [float(precision), float(recall), float(density) / k_coverage, float(coverage)]


@pytest.mark.parametrize(("k", "k_coverage"), [(3, 5), (5, 2), (1, 1)])
def test_they_are_their_definitions_over_all_pairs(k: int, k_coverage: int) -> None:
    fake, real = noise(60, 3, key="f") * 0.8 + 0.3, noise(60, 3, key="r")
    metric = Neighbours(k=k, k_coverage=k_coverage)
    found = metric._measured(fake, real)
    expected = written_out(fake.double().numpy(), real.double().numpy(), k, k_coverage)
    assert list(found) == pytest.approx(expected, abs=1e-12)


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real = noise(50, 3, key="f"), noise(50, 3, key="r")
    whole = Neighbours()._measured(fake, real)
    monkeypatch.setattr("gantk_metrics.neighbours.BLOCK", 7)
    assert Neighbours()._measured(fake, real) == whole


def test_a_ball_reaches_to_the_kth_other_row_even_among_equal_rows() -> None:
    rows = torch.tensor([[0.0], [0.0], [1.0], [3.0]])
    assert reaches(rows, (1, 2)).tolist() == [[0, 1], [0, 1], [1, 1], [2, 3]]


def test_near_pairs_keep_their_digits() -> None:
    far = torch.full((1, 8), 1000.0)
    near = far + torch.tensor([1e-3] + [0.0] * 7)
    exact = float((near - far).double().norm())
    assert float(distances(far, near)) == pytest.approx(exact, rel=1e-4)


def test_equal_sets_are_covered_and_a_lost_half_is_not() -> None:
    real = torch.cat([noise(300, 2, key="a") - 20, noise(300, 2, key="b") + 20])
    same = Neighbours()._measured(real.clone(), real)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    half = torch.cat([noise(300, 2, key="c") - 20, noise(300, 2, key="d") - 20])
    lost = Neighbours()._measured(half, real)
    assert lost.precision > 0.9
    assert lost.recall < 0.55
    assert lost.coverage < 0.55


def test_one_outlier_sways_precision_and_not_density() -> None:
    real = noise(400, 2, key="r")
    fakes = noise(400, 2, key="f") * 10
    outlier = torch.tensor([[60.0, 0.0]])
    with_it = torch.cat([real[:-1], outlier])
    metric = Neighbours()
    swayed = metric._measured(fakes, with_it)
    calm = metric._measured(fakes, real)
    assert swayed.precision - calm.precision > 0.3
    assert swayed.density - calm.density < 0.2


def test_a_model_is_scored_by_name_with_a_floor(means: Path) -> None:
    real = noise(400, 1, 4, 4).clamp(-1, 1)
    scores = evaluate(real[:200] * 0.1, real, metrics=["neighbours"], n=200, plugins=[means])
    assert [s.name for s in scores] == [
        f"{name}-a-means" for name in ("precision", "recall", "density", "coverage")
    ]
    assert all(s.floor is not None and s.value <= 1 for s in scores if "density" not in s.name)
    by_name = {s.name: s for s in scores}
    recall = by_name["recall-a-means"]
    assert recall.floor is not None
    assert recall.value < recall.floor


def test_too_few_samples_are_refused(means: Path) -> None:
    real = noise(40, 1, 4, 4).clamp(-1, 1)
    with pytest.raises(UsageError, match="needs 6 samples a side, not 5"):
        evaluate(real[:5], real, metrics=["neighbours"], n=5, plugins=[means])
