"""The energy distance against loops and a closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gan_toolkit.errors import UsageError
from gan_toolkit.evaluation import evaluate
from gan_toolkit.streams import stream
from gantk_metrics.energy import energy


def noise(*shape: int, key: str = "") -> Tensor:
    return torch.randn(*shape, generator=stream(0, "test", key))


def test_it_is_the_mean_over_pairs_written_out() -> None:
    x, y = noise(6, 2, key="x").double(), noise(5, 2, key="y").double() + 1

    def gap(a: Tensor, b: Tensor) -> float:
        return math.dist(a.tolist(), b.tolist())

    between = sum(gap(a, b) for a in x for b in y) / 30
    inside_x = sum(gap(a, b) for a in x for b in x) / 30  # 6 · 5 pairs of two rows
    inside_y = sum(gap(a, b) for a in y for b in y) / 20
    assert energy(x, y) == pytest.approx(2 * between - inside_x - inside_y, rel=1e-7)


def test_it_is_the_closed_form_for_two_intervals() -> None:
    # Uniform on 0 … 1 and on 1 … 2: E|X - Y| = 1 and E|X - X'| = 1/3 on either side.
    x, y = (torch.rand(8000, 1, generator=stream(7, key)) for key in "xy")
    assert energy(x, y + 1) == pytest.approx(4 / 3, abs=0.03)
    assert energy(x, y) == pytest.approx(0, abs=0.002)


def test_a_lost_mode_scores_above_the_floor() -> None:
    real = noise(1000, 2) + torch.tensor([[5.0, 0.0], [-5.0, 0.0]]).repeat(500, 1)
    (whole,) = evaluate(real, real, metrics=["energy"], n=1000)
    (lost,) = evaluate(real[::2], real, metrics=["energy"], n=500)
    assert whole.floor is not None
    assert lost.value > 1 > abs(whole.value) + abs(whole.floor)


def test_images_are_refused() -> None:
    rows = torch.rand(8, 1, 4, 4)
    with pytest.raises(UsageError, match="energy compares vectors"):
        evaluate(rows, rows, metrics=["energy"], n=8)
