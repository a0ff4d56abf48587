"""The loss of an auxiliary classifier (Odena et al. 2017, arXiv:1610.09585, equation 3)."""

from __future__ import annotations

from typing import ClassVar

from torch.nn.functional import cross_entropy

from gan_toolkit import Batch, Field, Play, Term
from gan_toolkit.architecture import Scalars
from gan_toolkit.data import LABEL
from gan_toolkit.terms import Parts, State


class AuxiliaryClassifier(Term):
    """Auxiliary classifier (Odena et al. 2017, equation 3); joins an adversarial loss.

    Both players want D's head `class` to name the class: D on reals and fakes, G on its fakes.
    Part = weight · mean of -log P(class = y | x).
    """

    heads: ClassVar[tuple[str, ...]] = ("class",)
    fields: ClassVar[tuple[str, ...]] = (LABEL,)

    weight: float = Field(1.0, gt=0, description="factor of the cross-entropy")

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        """Return the cross-entropy of the fakes, and in D's update that of the reals."""
        del draws, s
        judged = {"fake": (play.fake, play.fakes)}
        if play.role == "discriminator":
            judged["real"] = (play.real, play.reals)
        parts = {
            name: self.weight * cross_entropy(verdict.heads["class"], batch[LABEL])
            for name, (verdict, batch) in judged.items()
        }
        return parts, state
