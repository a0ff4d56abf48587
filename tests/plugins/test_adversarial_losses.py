"""The losses equal formulas written another way, in value and in gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gan_toolkit import Catalogue, Loss, Observer
from gan_toolkit.resolve import Request
from gan_toolkit.training import prepare
from gantk_losses.adversarial import Minimax, NonSaturating
from gantk_losses.critics import Hinge, LeastSquares, Wasserstein
from gantk_losses.relativistic import RelativisticAverage, RelativisticPairing

Floats = NDArray[np.float64]
Formula = Callable[[Floats, Floats], Any]  # Any: a number of whatever class numpy makes of it

LOSSES: list[Loss] = [
    NonSaturating(),
    NonSaturating(smoothing=0.1),
    Minimax(),
    LeastSquares(),
    LeastSquares(a=0.0, b=1.0, c=1.0),
    Wasserstein(),
    Hinge(),
    RelativisticPairing(),
    RelativisticAverage(),
]
SEPARATE = [loss for loss in LOSSES if not type(loss).__name__.startswith("Relativistic")]
IDS = [f"{type(loss).__name__}{index}" for index, loss in enumerate(LOSSES)]

logits = st.lists(st.floats(-30, 30), min_size=1, max_size=6).map(
    lambda values: torch.tensor(values, dtype=torch.float64)
)


def both(real: Tensor, fake: Tensor) -> Any:  # Any: it stands in for the protocol
    return SimpleNamespace(real_logits=real, fake_logits=fake)


def total(parts: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(parts.values())).sum()


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def log(x: Floats) -> Floats:
    return np.asarray(np.log(x))


# (D's objective, G's objective) as the papers print them, of probabilities and scores.
PLAIN: list[tuple[Formula, Formula]] = [
    (
        lambda r, f: -log(sigmoid(r)).mean() - log(1 - sigmoid(f)).mean(),
        lambda r, f: -log(sigmoid(f)).mean(),
    ),
    (
        lambda r, f: (
            -(0.9 * log(sigmoid(r)) + 0.1 * log(1 - sigmoid(r))).mean() - log(1 - sigmoid(f)).mean()
        ),
        lambda r, f: -log(sigmoid(f)).mean(),
    ),
    (
        lambda r, f: -log(sigmoid(r)).mean() - log(1 - sigmoid(f)).mean(),
        lambda r, f: log(1 - sigmoid(f)).mean(),
    ),
    (
        lambda r, f: 0.5 * ((r - 1) ** 2).mean() + 0.5 * ((f + 1) ** 2).mean(),
        lambda r, f: 0.5 * (f**2).mean(),
    ),
    (
        lambda r, f: 0.5 * ((r - 1) ** 2).mean() + 0.5 * (f**2).mean(),
        lambda r, f: 0.5 * ((f - 1) ** 2).mean(),
    ),
    (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    (
        lambda r, f: -np.minimum(0, -1 + r).mean() - np.minimum(0, -1 - f).mean(),
        lambda r, f: -f.mean(),
    ),
    (
        lambda r, f: np.mean([-log(sigmoid(a - b)) for a, b in zip(r, f, strict=True)]),
        lambda r, f: np.mean([-log(sigmoid(b - a)) for a, b in zip(r, f, strict=True)]),
    ),
    (
        lambda r, f: -log(sigmoid(r - f.mean())).mean() - log(1 - sigmoid(f - r.mean())).mean(),
        lambda r, f: -log(sigmoid(f - r.mean())).mean() - log(1 - sigmoid(r - f.mean())).mean(),
    ),
]


@pytest.mark.parametrize(("loss", "plain"), [*zip(LOSSES, PLAIN, strict=True)], ids=IDS)
class TestEveryLoss:
    def test_both_players_pay_what_the_paper_prints(
        self, loss: Loss, plain: tuple[Formula, Formula]
    ) -> None:
        generator = np.random.default_rng(0)
        for _ in range(20):
            real, fake = generator.normal(scale=3, size=(2, 5))
            pair = both(torch.from_numpy(real), torch.from_numpy(fake))
            for side, formula in zip((loss.discriminator, loss.generator), plain, strict=True):
                assert float(total(side(pair))) == pytest.approx(float(formula(real, fake)))

    def test_gradients_are_those_of_finite_differences(
        self, loss: Loss, plain: tuple[Formula, Formula]
    ) -> None:
        generator = np.random.default_rng(1)
        values, step = generator.normal(scale=3, size=(2, 5)), 1e-6
        for side, formula in zip((loss.discriminator, loss.generator), plain, strict=True):
            leaf = torch.from_numpy(values.copy()).requires_grad_()
            total(side(both(leaf[0], leaf[1]))).backward()
            assert leaf.grad is not None
            for place in np.ndindex(2, 5):
                move = np.zeros((2, 5))
                move[place] = step
                rise = formula(*(values + move)) - formula(*(values - move))
                assert float(leaf.grad[place]) == pytest.approx(float(rise) / 2 / step, abs=1e-7)

    def test_patches_count_as_samples(self, loss: Loss, plain: tuple[Formula, Formula]) -> None:
        real, fake = torch.randn(2, 3, 1, 4, 4, dtype=torch.float64)
        for side in (loss.discriminator, loss.generator):
            whole = total(side(both(real, fake)))
            torch.testing.assert_close(total(side(both(real.flatten(), fake.flatten()))), whole)
            assert whole.shape == ()

    def test_extreme_logits_stay_finite(self, loss: Loss, plain: tuple[Formula, Formula]) -> None:
        for real, fake in (
            ([-1e4, 1e4], [1e4, -1e4]),
            ([1e4, 1e4], [-1e4, -1e4]),
            ([0, 0], [0, 0]),
        ):
            leaves = [
                torch.tensor(row, dtype=torch.float32, requires_grad=True) for row in (real, fake)
            ]
            for side in (loss.discriminator, loss.generator):
                value = total(side(both(*leaves)))
                gradients = torch.autograd.grad(value, leaves, allow_unused=True)
                assert all(
                    part.isfinite().all() for part in (value, *gradients) if part is not None
                )


class OnlyFake:
    """Logits whose real half must not be asked for."""

    fake_logits = torch.zeros(2)

    @property
    def real_logits(self) -> Tensor:
        raise AssertionError("G's step paid for real logits")


@pytest.mark.parametrize("loss", SEPARATE, ids=lambda loss: type(loss).__name__)
def test_gs_update_does_not_read_real_logits_it_does_not_need(loss: Loss) -> None:
    assert loss.generator(OnlyFake()).keys() == {"fake"}
    assert loss.discriminator(both(torch.zeros(2), torch.zeros(2))).keys() == {"real", "fake"}


class TestCrossEntropy:
    @given(logits, logits)
    @pytest.mark.parametrize("loss", [NonSaturating(), Minimax()])
    def test_d_minimises_binary_cross_entropy(self, loss: Loss, real: Tensor, fake: Tensor) -> None:
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
    def test_minimax_is_a_zero_sum_game(self, fake: Tensor) -> None:
        parts = both(fake, fake)
        assert torch.equal(
            Minimax().generator(parts)["fake"], -Minimax().discriminator(parts)["fake"]
        )

    def test_only_minimax_saturates_where_d_is_sure(self) -> None:
        for loss, alive in ((NonSaturating(), True), (Minimax(), False)):
            sure = torch.tensor([-50.0], requires_grad=True)
            loss.generator(both(sure, sure))["fake"].backward()
            assert sure.grad is not None
            assert (float(sure.grad.abs()) > 0.5) is alive

    @given(st.floats(0, 0.9), logits, logits)
    def test_smoothing_is_one_sided(self, smoothing: float, real: Tensor, fake: Tensor) -> None:
        plain, smooth = NonSaturating(), NonSaturating(smoothing=smoothing)
        pair = both(real, fake)
        target = torch.full_like(real, 1 - smoothing)
        torch.testing.assert_close(
            smooth.discriminator(pair)["real"],
            binary_cross_entropy_with_logits(real, target),
            rtol=1e-8,
            atol=1e-8,
        )
        assert torch.equal(smooth.discriminator(pair)["fake"], plain.discriminator(pair)["fake"])
        assert torch.equal(smooth.generator(pair)["fake"], plain.generator(pair)["fake"])


class TestRelativistic:
    @pytest.mark.parametrize("loss", [RelativisticPairing(), RelativisticAverage()])
    def test_players_exchange_real_and_fake(self, loss: Loss) -> None:
        real, fake = torch.randn(2, 6)
        d, g = loss.discriminator(both(real, fake)), loss.generator(both(fake, real))
        assert d.keys() == g.keys() == {"pair"}
        assert torch.equal(d["pair"], g["pair"])

    @pytest.mark.parametrize("loss", [RelativisticPairing(), RelativisticAverage(), Wasserstein()])
    def test_only_differences_of_logits_count(self, loss: Loss) -> None:
        real, fake = torch.randn(2, 6, dtype=torch.float64)
        before = total(loss.discriminator(both(real, fake)))
        after = total(loss.discriminator(both(real + 7, fake + 7)))
        torch.testing.assert_close(before, after)

    def test_pairing_pairs_rows_and_the_average_does_not(self) -> None:
        real, fake = torch.tensor([-2.0, 0.0, 3.0]), torch.tensor([-1.0, 1.0, 2.0])
        turned = both(real, fake.roll(1))
        together = both(real.roll(1), fake.roll(1))
        for loss, pairs in ((RelativisticPairing(), True), (RelativisticAverage(), False)):
            value = loss.discriminator(both(real, fake))["pair"]
            assert (not value.isclose(loss.discriminator(turned)["pair"])) is pairs
            assert value.isclose(loss.discriminator(together)["pair"])


@pytest.mark.parametrize(
    ("loss", "price"),
    [
        (NonSaturating(), math.log(4)),
        (Minimax(), math.log(4)),
        (LeastSquares(), 1),
        (Wasserstein(), 0),
        (Hinge(), 2),
        (RelativisticPairing(), math.log(2)),
        (RelativisticAverage(), math.log(4)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_undecided_discriminator_pays_what_the_readme_says(loss: Loss, price: float) -> None:
    zeros = both(torch.zeros(3), torch.zeros(3))
    assert float(total(loss.discriminator(zeros))) == pytest.approx(price)


class TestBestDiscriminators:
    """Three outcomes, real and fake in known shares: the best D is known in closed form."""

    real = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2])
    fake = torch.tensor([0, 1, 1, 2, 2, 2, 2, 2])
    p = torch.tensor([4, 3, 1], dtype=torch.float64) / 8
    q = torch.tensor([1, 2, 5], dtype=torch.float64) / 8

    def slope(self, loss: Loss, scores: Tensor) -> Tensor:
        leaf = scores.clone().requires_grad_()
        total(loss.discriminator(both(leaf[self.real], leaf[self.fake]))).backward()
        assert leaf.grad is not None
        return leaf.grad

    def test_cross_entropy_finds_the_log_ratio(self) -> None:
        assert self.slope(NonSaturating(), (self.p / self.q).log()).abs().max() < 1e-12

    def test_smoothing_scales_the_best_probability_by_its_target(self) -> None:
        """D* = (1 - ε) p / (p + q) (Salimans et al. 2016, section 3.4)."""
        best = 0.8 * self.p / (self.p + self.q)
        assert self.slope(NonSaturating(smoothing=0.2), best.logit()).abs().max() < 1e-12

    @pytest.mark.parametrize(("a", "b"), [(-1.0, 1.0), (0.0, 1.0), (2.0, 5.0)])
    def test_least_squares_finds_the_weighted_mean_of_its_targets(self, a: float, b: float) -> None:
        """D* = (b p + a q) / (p + q) (Mao et al. 2017, equation 5)."""
        best = (b * self.p + a * self.q) / (self.p + self.q)
        assert self.slope(LeastSquares(a=a, b=b, c=b), best).abs().max() < 1e-12

    def test_hinge_finds_the_sign_of_the_difference(self) -> None:
        best = (self.p - self.q).sign()
        assert torch.equal(self.slope(Hinge(), 0.9 * best).sign(), -best)
        assert torch.equal(self.slope(Hinge(), 1.1 * best).sign(), best)


def test_the_wasserstein_loss_of_the_best_critic_is_the_earth_movers_distance() -> None:
    """On a line the distance is that of the order statistics; f(x) = x where all moves right."""
    points = np.random.default_rng(2).normal(size=50)
    moved = np.sort(points) + np.random.default_rng(3).random(50)
    distance = np.abs(np.sort(moved) - np.sort(points)).mean()
    parts = Wasserstein().discriminator(both(torch.from_numpy(moved), torch.from_numpy(points)))
    assert -float(total(parts)) == pytest.approx(float(distance))


@pytest.mark.parametrize("targets", [{"a": 1.0}, {"a": 0.5, "b": 0.0}, {"c": -1.0}])
def test_least_squares_targets_out_of_order_are_refused(targets: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="must lie below b = "):
        LeastSquares.model_validate(targets)


def warned(**settings: Any) -> list[str]:
    """Return what is doubted of a recipe before it is trained."""
    said: list[str] = []
    observer = Observer()
    observer.warn = said.append  # type: ignore[method-assign,assignment]  # for this one
    base = {"steps": 1, "terms": {"adversarial": {"name": "wasserstein"}}}
    request = Request(arch="dcgan", data="digits", settings={**base, **settings})
    prepare(request, Catalogue.discover(), observer)
    return said


def test_a_critic_that_nothing_holds_is_doubted() -> None:
    (said,) = warned()
    assert "nothing holds the discriminator's slope" in said
    assert "`gantk list penalty`" in said
    assert warned(**{"arch.norm": "spectral"}) == []
    assert warned(**{"terms.clip": {"name": "weight-clipping"}}) == []
    assert len(warned(**{"terms.drift": {"name": "drift"}})) == 1
    assert warned(terms={"adversarial": {"name": "hinge"}}) == []
