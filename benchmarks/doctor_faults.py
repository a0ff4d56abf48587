"""A plugin of `benchmarks/doctor.py`: what makes G drop classes, and what leaks into samples."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_toolkit import Component, Field, hookimpl
from gan_toolkit.architecture import Scalars
from gan_toolkit.augmentation import Augmentation
from gan_toolkit.data import LABEL, Batch, DataSpec
from gan_toolkit.play import Play
from gan_toolkit.streams import Categorical, Draw
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


class Rolling(Augmentation):
    """Rolls images around by any number of pixels, all as likely: the middle is lost."""

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        """Return how far, down and across."""
        _, height, width = spec.sample.shape
        return {"down": Categorical(height), "across": Categorical(width)}

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        """Return images [N, C, H, W], each rolled."""
        del s
        n, _, height, width = samples.shape
        each = torch.arange(n, device=samples.device)[:, None, None]
        rows = (torch.arange(height, device=samples.device) + draws["down"][:, None]) % height
        columns = (torch.arange(width, device=samples.device) + draws["across"][:, None]) % width
        rolled = samples.movedim(1, 3)[each, rows[:, :, None], columns[:, None, :]]
        return rolled.movedim(3, 1)


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare both."""
    return [
        Component("loss", "dropping", Dropping, "Teaches D that the last classes are fakes"),
        Component("augmentation", "rolling", Rolling, "Rolled around, any way as likely"),
    ]
