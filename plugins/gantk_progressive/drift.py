"""The drift penalty (Karras et al. 2018, appendix A.1)."""

from __future__ import annotations

from typing import ClassVar

from gan_toolkit import Factor, Field, Term
from gan_toolkit.architecture import Scalars
from gan_toolkit.data import Batch
from gan_toolkit.play import Play, Role
from gan_toolkit.terms import Parts, State


class Drift(Term):
    """weight · E[D(x)²] over reals x: keeps the logits of a critic, which only differences bind."""

    weight: Factor = Field(0.001, description="weight of the mean square of the real logits")

    roles: ClassVar[tuple[Role, ...]] = ("discriminator",)

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        """Return `drift` for the discriminator."""
        del draws
        return {"drift": s["weight"] * play.real_logits.square().mean()}, state
