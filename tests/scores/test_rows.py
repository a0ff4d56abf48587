"""Which samples are taken of a side that has more than are compared."""

from __future__ import annotations

import pytest
import torch

from gantk_metrics.rows import chosen


@pytest.mark.parametrize("of", [10_000, 20_000, 50_000])
@pytest.mark.parametrize("order", ["sorted", "in turn"])
def test_every_class_is_taken_as_often_however_they_come(of: int, order: str) -> None:
    labels = torch.arange(of) % 10
    if order == "sorted":
        labels = labels.sort().values
    shares = labels[chosen(of, 2000)].bincount(minlength=10) / 2000
    assert float(shares.min()) > 0.07
    assert float(shares.max()) < 0.13


def test_rows_are_taken_in_order_none_twice_and_the_same_every_time() -> None:
    found = chosen(500, 120)
    assert (found.diff() > 0).all()
    assert int(found.max()) < 500
    assert torch.equal(found, chosen(500, 120))


def test_as_many_as_there_are_is_all_of_them() -> None:
    assert torch.equal(chosen(40, 40), torch.arange(40))
