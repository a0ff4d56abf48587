"""What an augmentation promises: a differentiable transform of reals and fakes alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from torch import Tensor

from gan_toolkit.architecture import Scalars
from gan_toolkit.data import SAMPLE, Batch, DataSpec
from gan_toolkit.options import Options
from gan_toolkit.streams import Draw

Side = Literal["real", "fake"]
SIDES: tuple[Side, ...] = get_args(Side)


class Augmentation(Options):
    """Options of a transform that samples pass before D judges them. The plugin kind.

    It stands between the samples and D in both players' updates, so that G is not taught to make
    what it adds (Zhao et al. 2020, equation 2). Penalties differentiate through it: with respect
    to the samples as they were.
    """

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why this data cannot be augmented so, one sentence a reason; empty if fine."""
        del spec
        return []

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        """Return the transform's random inputs by name, a row a sample."""
        raise NotImplementedError

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        """Return samples [N, …] transformed, differentiable, in the shape they came in."""
        raise NotImplementedError


@dataclass(frozen=True)
class Augmented:
    """An augmentation with its inputs of one update."""

    augmentation: Augmentation
    draws: Mapping[Side, Batch]
    s: Scalars

    def transform(self, batch: Batch, side: Side) -> Batch:
        """Return the batch with its samples transformed by the draws of a side."""
        samples = self.augmentation.transform(batch[SAMPLE], self.draws[side], self.s)
        return {**batch, SAMPLE: samples}

    def rows(self, part: slice) -> Augmented:
        """Return the same for some rows of the batch."""
        draws = {
            side: {name: draw[part] for name, draw in draws.items()}
            for side, draws in self.draws.items()
        }
        return replace(self, draws=draws)
