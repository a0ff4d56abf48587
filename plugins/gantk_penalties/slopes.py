"""What penalties of D's slope share: a factor, points of their own, and the slope of D there."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from gan_toolkit import Batch, DataSpec, Draw, Factor, Field, Play, Term, Uniform
from gan_toolkit.architecture import Scalars
from gan_toolkit.data import SAMPLE
from gan_toolkit.play import Role
from gan_toolkit.terms import Parts, State


class SlopePenalty(Term):
    """A penalty of the norm of D's gradient on the lines between fakes and reals of equal row.

    A subclass says what a slope costs; one that looks elsewhere says where. The points carry the
    real batch's other fields, so a conditional D judges them by its labels. A slope is the norm,
    over all dimensions of a sample, of the gradient of its logit, summed over patches.
    """

    weight: Factor = Field(10.0, description="factor λ, a number or a schedule, not negative")

    roles: ClassVar[tuple[Role, ...]] = ("discriminator",)
    second_order: ClassVar[bool] = True
    per_sample: ClassVar[bool] = True

    def cost(self, slopes: Tensor) -> Tensor:
        """Return what each of the slopes [N] costs: [N]."""
        raise NotImplementedError

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        """Return `mix`: the share of the real in each point."""
        del spec
        return {"mix": Uniform((1,))}

    def points(self, play: Play, draws: Batch) -> Tensor:
        """Return where D's slope is looked at: [N, *sample shape]."""
        return between(play.fakes[SAMPLE], play.reals[SAMPLE], draws["mix"])

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        """Return the weighted mean cost of D's slopes."""
        slopes = slopes_at(play, self.points(play, draws))
        return {"slope": s["weight"] * self.cost(slopes).mean()}, state


def between(start: Tensor, end: Tensor, mix: Tensor) -> Tensor:
    """Return the points a share `mix` [N, 1] of the way from start to end, both [N, …]: [N, …]."""
    return start.lerp(end, mix.view(-1, *[1] * (end.dim() - 1)))


def slopes_at(play: Play, points: Tensor) -> Tensor:
    """Return the norm of D's gradient at points [N, …]: [N], differentiable in D's weights.

    Where the gradient is zero, the derivative of its norm is taken as zero.
    """
    leaf = points.detach().requires_grad_()
    logits = play.judge({**play.reals, SAMPLE: leaf}).logits
    (gradients,) = torch.autograd.grad(logits.sum(), leaf, create_graph=True)
    norms: Tensor = gradients.flatten(1).norm(dim=1)
    return norms
