"""Penalties that pull D's slope to 0."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from gan_toolkit import Batch, Factor, Field, Play, Term
from gan_toolkit.architecture import Scalars
from gan_toolkit.play import Role
from gan_toolkit.terms import Parts, State
from gantk_penalties.slopes import SlopePenalty


class R1(Term):
    """R1 (Mescheder et al. 2018, arXiv:1801.04406, equation 9; γ = 10).

    γ/2 E ‖∇D(x)‖² over reals: the squares are summed over all dimensions of a sample, the gradient
    is that of its logit, summed over patches.
    """

    gamma: Factor = Field(10.0, description="factor γ, a number or a schedule, not negative")

    roles: ClassVar[tuple[Role, ...]] = ("discriminator",)
    needs: ClassVar[tuple[str, ...]] = ("real_gradients",)
    second_order: ClassVar[bool] = True
    per_sample: ClassVar[bool] = True

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        """Return the penalty on reals."""
        del draws
        return {"r1": _penalty(play.real_gradients, s["gamma"])}, state


class R2(Term):
    """R2 (Mescheder et al. 2018, arXiv:1801.04406, equation 10; γ = 10): R1 with fakes for reals.

    Fakes are constants to it: it moves D alone.
    """

    gamma: Factor = Field(10.0, description="factor γ, a number or a schedule, not negative")

    roles: ClassVar[tuple[Role, ...]] = ("discriminator",)
    needs: ClassVar[tuple[str, ...]] = ("fake_gradients",)
    second_order: ClassVar[bool] = True
    per_sample: ClassVar[bool] = True

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        """Return the penalty on fakes."""
        del draws
        return {"r2": _penalty(play.fake_gradients, s["gamma"])}, state


class ZeroCentredGP(SlopePenalty):
    """0-GP (Thanh-Tung et al. 2019, arXiv:1902.03984; λ = 100).

    λ E ‖∇D(x̂)‖² on the lines between fakes and reals: it also holds the slope where R1 and R2, at
    either end, do not look. Points as in WGAN-GP.
    """

    weight: Factor = Field(100.0, description="factor λ, a number or a schedule, not negative")

    def cost(self, slopes: Tensor) -> Tensor:
        """Return the squared slope."""
        return slopes.square()


def _penalty(gradients: Tensor, gamma: Tensor) -> Tensor:
    """Return γ/2 times the mean squared norm of gradients [N, …]: 0-d."""
    return gamma / 2 * gradients.square().flatten(1).sum(1).mean()
