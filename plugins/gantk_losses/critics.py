"""Losses whose D is no classifier: its logit is a score, fitted, bounded or left free."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator
from torch import Tensor
from torch.nn.functional import relu

from gan_toolkit import Field, Loss
from gan_toolkit.terms import Logits, Parts


class LeastSquares(Loss):
    """Least-squares GAN (Mao et al. 2017, arXiv:1611.04076, equation 2).

    L_D = ½ (D(x) - b)² + ½ (D(G(z)) - a)², L_G = ½ (D(G(z)) - c)², means over the batch; D is the
    logit. The targets are those of equation 8, for which G minimises a Pearson χ² divergence
    (b - c = 1, b - a = 2) and a positive logit means real. The 0-1 coding of equation 9 is `a = 0`,
    `c = 1`; logits then part at ½, which the readings of D's accuracy do not know.
    """

    a: float = Field(-1.0, description="D's target for fakes, below b")
    b: float = Field(1.0, description="D's target for reals")
    c: float = Field(0.0, description="value that G wants D to give fakes, above a")

    @model_validator(mode="after")
    def _targets_are_in_order(self) -> Self:
        if self.a >= min(self.b, self.c):
            raise ValueError(f"a = {self.a:g} must lie below b = {self.b:g} and c = {self.c:g}")
        return self

    def discriminator(self, logits: Logits) -> Parts:
        """Return half the squared distances from both of D's targets."""
        return {
            "real": _half_square(logits.real_logits, self.b),
            "fake": _half_square(logits.fake_logits, self.a),
        }

    def generator(self, logits: Logits) -> Parts:
        """Return half the squared distance from G's target."""
        return {"fake": _half_square(logits.fake_logits, self.c)}


class Wasserstein(Loss):
    """Wasserstein loss (Arjovsky et al. 2017, arXiv:1701.07875, equations 2 and 3).

    L_D = f(G(z)) - f(x), L_G = -f(G(z)), means over the batch; f is the logit. -L_D estimates the
    earth mover's distance, times D's Lipschitz constant, which a penalty, a constraint or the
    architecture has to bound.
    """

    needs_bound: ClassVar[bool] = True

    def discriminator(self, logits: Logits) -> Parts:
        """Return -f(x) and f(G(z))."""
        return {"real": -logits.real_logits.mean(), "fake": logits.fake_logits.mean()}

    def generator(self, logits: Logits) -> Parts:
        """Return -f(G(z))."""
        return {"fake": -logits.fake_logits.mean()}


class Hinge(Loss):
    """Hinge loss (Lim & Ye 2017, arXiv:1705.02894; Miyato et al. 2018, equations 16 and 17).

    L_D = max(0, 1 - D(x)) + max(0, 1 + D(G(z))), L_G = -D(G(z)), means over the batch; D is the
    logit, and what lies beyond a margin of 1 teaches it nothing more.
    """

    def discriminator(self, logits: Logits) -> Parts:
        """Return what is missing to a margin of 1 on either side."""
        return {
            "real": relu(1 - logits.real_logits).mean(),
            "fake": relu(1 + logits.fake_logits).mean(),
        }

    def generator(self, logits: Logits) -> Parts:
        """Return -D(G(z))."""
        return {"fake": -logits.fake_logits.mean()}


def _half_square(logits: Tensor, target: float) -> Tensor:
    return (logits - target).square().mean() / 2
