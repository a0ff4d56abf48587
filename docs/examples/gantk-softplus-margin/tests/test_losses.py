"""The loss, against its closed form, its derivative, and the losses that it lies between."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from gantk_softplus_margin.losses import SoftplusMargin

REAL = torch.linspace(-4, 6, 9, dtype=torch.float64)
FAKE = torch.linspace(-5, 3, 9, dtype=torch.float64)


def logits(real: Tensor = REAL, fake: Tensor = FAKE) -> SimpleNamespace:
    return SimpleNamespace(real_logits=real, fake_logits=fake)


@pytest.mark.parametrize("margin", [0.0, 1.0, 2.5])
def test_it_is_its_closed_form(margin: float) -> None:
    loss = SoftplusMargin(margin=margin)

    parts = loss.discriminator(logits())
    assert parts["real"].item() == pytest.approx((margin - REAL).exp().log1p().mean().item())
    assert parts["fake"].item() == pytest.approx((margin + FAKE).exp().log1p().mean().item())
    made = loss.generator(logits())["fake"].item()
    assert made == pytest.approx((-FAKE).exp().log1p().mean().item())


@pytest.mark.parametrize("margin", [0.0, 1.0, 2.5])
def test_its_slope_is_a_sigmoid_of_what_is_missing(margin: float) -> None:
    loss = SoftplusMargin(margin=margin)
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    n = len(REAL)

    parts = loss.discriminator(logits(real, fake))
    slopes = torch.autograd.grad(parts["real"] + parts["fake"], [real, fake])
    torch.testing.assert_close(slopes[0], -torch.sigmoid(margin - REAL) / n)
    torch.testing.assert_close(slopes[1], torch.sigmoid(margin + FAKE) / n)

    (slope,) = torch.autograd.grad(loss.generator(logits(real, fake))["fake"], fake)
    torch.testing.assert_close(slope, -torch.sigmoid(-FAKE) / n)


def test_without_a_margin_it_is_cross_entropy() -> None:
    parts = SoftplusMargin(margin=0.0).discriminator(logits())

    bce = torch.nn.functional.binary_cross_entropy_with_logits
    torch.testing.assert_close(parts["real"], bce(REAL, torch.ones_like(REAL)))
    torch.testing.assert_close(parts["fake"], bce(FAKE, torch.zeros_like(FAKE)))


def test_it_lies_above_the_hinge_by_log_2_at_most() -> None:
    for logit in REAL:
        soft = SoftplusMargin().discriminator(logits(real=logit[None]))["real"]
        above = soft - (1 - logit).relu()
        assert 0 < above <= torch.log(torch.tensor(2.0))
