"""The losses equal cross-entropy computed by another route, in value and in gradient."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gan_toolkit import Loss
from gantk_losses.adversarial import Minimax, NonSaturating

logits = st.lists(st.floats(-30, 30), min_size=1, max_size=6).map(
    lambda values: torch.tensor(values, dtype=torch.float64)
)


def both(real: Tensor, fake: Tensor) -> Any:  # Any: it stands in for the protocol
    return SimpleNamespace(real_logits=real, fake_logits=fake)


@given(logits, logits)
@pytest.mark.parametrize("loss", [NonSaturating(), Minimax()])
def test_d_minimises_binary_cross_entropy(loss: Loss, real: Tensor, fake: Tensor) -> None:
    parts = loss.discriminator(both(real, fake))
    expected = {
        "real": binary_cross_entropy_with_logits(real, torch.ones_like(real)),
        "fake": binary_cross_entropy_with_logits(fake, torch.zeros_like(fake)),
    }
    assert parts.keys() == expected.keys()
    for name, value in expected.items():
        # softplus is the identity from 20 up, which is off by e^-20.
        torch.testing.assert_close(parts[name], value, rtol=1e-8, atol=1e-8)


@given(logits)
def test_minimax_is_a_zero_sum_game(fake: Tensor) -> None:
    parts = both(fake, fake)
    assert torch.equal(Minimax().generator(parts)["fake"], -Minimax().discriminator(parts)["fake"])


@given(logits)
def test_gs_gradients_are_those_of_the_formulas(fake: Tensor) -> None:
    probability = 1 / (1 + (-fake).exp())
    for loss, expected in ((NonSaturating(), probability - 1), (Minimax(), -probability)):
        leaf = fake.clone().requires_grad_()
        loss.generator(both(fake, leaf))["fake"].backward()
        assert leaf.grad is not None
        torch.testing.assert_close(leaf.grad, expected / len(fake), rtol=1e-8, atol=1e-8)


def test_an_undecided_discriminator_pays_log_4() -> None:
    zeros = both(torch.zeros(3), torch.zeros(3))
    assert float(sum(NonSaturating().discriminator(zeros).values())) == pytest.approx(math.log(4))


def test_only_minimax_saturates_where_d_is_sure() -> None:
    for loss, alive in ((NonSaturating(), True), (Minimax(), False)):
        sure = torch.tensor([-50.0], requires_grad=True)
        loss.generator(both(sure, sure))["fake"].backward()
        assert sure.grad is not None
        assert (float(sure.grad.abs()) > 0.5) is alive


@pytest.mark.parametrize("loss", [NonSaturating(), Minimax()])
def test_extreme_logits_stay_finite(loss: Loss) -> None:
    extreme = both(torch.tensor([-1e4, 1e4]), torch.tensor([1e4, -1e4]))
    for parts in (loss.discriminator(extreme), loss.generator(extreme)):
        assert all(value.isfinite() for value in parts.values())


def test_ds_losses_do_not_read_what_they_do_not_need() -> None:
    class OnlyFake:
        fake_logits = torch.zeros(2)

        @property
        def real_logits(self) -> Tensor:
            raise AssertionError("G's step paid for real logits")

    assert NonSaturating().generator(OnlyFake())["fake"] > 0
