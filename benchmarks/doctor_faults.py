"""A plugin of `benchmarks/doctor.py`: a loss that makes D take some classes for fakes."""

from __future__ import annotations

from collections.abc import Iterable

from torch.nn.functional import softplus

from gan_toolkit import Component, Field, hookimpl
from gan_toolkit.architecture import Scalars
from gan_toolkit.data import LABEL, Batch
from gan_toolkit.play import Play
from gan_toolkit.terms import Parts, State, Term


class Dropping(Term):
    """Non-saturating cross-entropy in which real samples of the last classes count as fakes."""

    kept: int = Field(5, ge=1, description="classes that count as real")
    fields = (LABEL,)

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        """Return the parts of whichever player moves."""
        del draws, s
        if play.role == "generator":
            return {"fake": softplus(-play.fake_logits).mean()}, state
        sign = 1 - 2 * (play.reals[LABEL] < self.kept).float()  # -1 for those kept
        real = softplus(sign * play.real_logits).mean()
        return {"real": real, "fake": softplus(play.fake_logits).mean()}, state


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the loss."""
    return [Component("loss", "dropping", Dropping, "Teaches D that the last classes are fakes")]
