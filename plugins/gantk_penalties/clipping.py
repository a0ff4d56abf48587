"""Weight clipping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from gan_toolkit import Batch, Field, Play, Term
from gan_toolkit.architecture import Scalars
from gan_toolkit.play import Role
from gan_toolkit.terms import Parts, State


class WeightClipping(Term):
    """Weight clipping (Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1; c = 0.01).

    After each of D's updates all parameters of its networks are brought back into -c … c, which
    bounds D's Lipschitz constant for the Wasserstein loss.
    """

    limit: float = Field(0.01, gt=0, description="largest absolute value c of a weight")

    roles: ClassVar[tuple[Role, ...]] = ("discriminator",)

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        """Return no part: clipping is no summand."""
        del play, draws, s
        return {}, state

    @torch.no_grad()
    def constrain(self, networks: Mapping[str, nn.Module]) -> None:
        """Clip the weights in place."""
        for network in networks.values():
            for weight in network.parameters():
                weight.clamp_(-self.limit, self.limit)
