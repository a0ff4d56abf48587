"""What a loss, a penalty or a constraint promises: named scalars added to a player's objective."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, cast

import torch
from torch import Tensor, nn

from gan_toolkit.architecture import Scalars
from gan_toolkit.augmentation import SIDES, Side
from gan_toolkit.data import Batch, DataSpec
from gan_toolkit.options import Field, Options
from gan_toolkit.play import Play, Role
from gan_toolkit.streams import Draw

Parts = dict[str, Tensor]
"""Named 0-d scalars; their sum joins the objective."""
State = dict[str, Tensor]
"""A term's own memory by name (a running mean, a pool); saved in every checkpoint."""


class Term(Options):
    """Options of one term of an objective. The plugin kinds `loss` and `penalty`.

    `roles` names the players whose updates it takes part in; `value` and `constrain` are not called
    for the other's. `needs` names what `Play` must prepare: `real_gradients`, `fake_gradients`.
    `second_order` says that the value is differentiated twice; it is then computed in float32
    throughout. `per_sample` says that it looks at the gradient of each sample alone, which batch
    norm in D would falsify. `needs_bound` says that D can lower the value without end unless a
    penalty, a constraint or its own norm holds its slope. `heads` names the heads of a verdict that
    it reads, `fields` the fields of the data beside samples. What a recipe mixes is held against
    all of these before training.

    Each of several processes computes the value on rows of its own. A memory that is a single
    number then becomes the mean over the processes, any other that of the first one.
    """

    every: int = Field(1, ge=1, description="steps between uses; the value is scaled by it")

    roles: ClassVar[tuple[Role, ...]] = ("discriminator", "generator")
    needs: ClassVar[tuple[str, ...]] = ()
    second_order: ClassVar[bool] = False
    per_sample: ClassVar[bool] = False
    needs_bound: ClassVar[bool] = False
    heads: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[tuple[str, ...]] = ()

    def state(self, spec: DataSpec) -> State:
        """Return the term's memory at the start of a run."""
        del spec
        return {}

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        """Return the term's own random inputs by name."""
        del spec
        return {}

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        """Return this term's parts for `play.role` (none: no part in it) and the new state."""
        raise NotImplementedError

    def constrain(self, networks: Mapping[str, nn.Module]) -> None:
        """Change weights in place after the optimiser's update (clipping); usually nothing."""
        del networks


class Logits(Protocol):
    """Real and fake logits, each computed when first read; a `Play` is one."""

    @property
    def real_logits(self) -> Tensor:
        """[N] or [N, …]."""

    @property
    def fake_logits(self) -> Tensor:
        """[N] or [N, …]."""


class Loss(Term):
    """An adversarial loss of logits alone: one method a player, real and fake parts kept apart."""

    def discriminator(self, logits: Logits) -> Parts:
        """Return D's parts, usually `real` and `fake`."""
        raise NotImplementedError

    def generator(self, logits: Logits) -> Parts:
        """Return G's parts, usually `fake`; real logits cost a pass only if they are read."""
        raise NotImplementedError

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        """Return the parts of whichever player moves."""
        del draws, s
        return _parts(self, play.role, play), state


@dataclass(frozen=True)
class _Glimpse:
    """A play of which one side's logits are not worth their pass; a number stands for them."""

    play: Play
    read: frozenset[Side]

    @property
    def role(self) -> Role:
        return self.play.role

    @property
    def real_logits(self) -> Tensor:
        return self.play.real_logits if "real" in self.read else torch.zeros(())

    @property
    def fake_logits(self) -> Tensor:
        return self.play.fake_logits if "fake" in self.read else torch.zeros(())


@dataclass(frozen=True)
class _Given:
    real_logits: Tensor
    fake_logits: Tensor


def glimpse(play: Play, term: Term, taken: frozenset[str] | None) -> Play:
    """Return what a term may look at when only some of its parts are taken: all the play, usually.

    A loss of logits does not pay for those that none of the parts taken depends on.
    """
    if taken is None or not isinstance(term, Loss) or type(term).value is not Loss.value:
        return play
    return cast(Play, _Glimpse(play, _read(term, play.role, taken)))


@functools.lru_cache
def _read(loss: Loss, role: Role, taken: frozenset[str]) -> frozenset[Side]:
    """Return whose logits some parts of a loss depend on, as differentiating them tells."""
    with torch.enable_grad():
        logits = {side: torch.zeros(2, requires_grad=True) for side in SIDES}
        parts = _parts(loss, role, _Given(logits["real"], logits["fake"]))
        total = sum((parts[name] for name in taken & parts.keys()), torch.zeros(()))
        if not total.requires_grad:
            return frozenset()
        gradients = torch.autograd.grad(total, list(logits.values()), allow_unused=True)
    pairs = zip(logits, gradients, strict=True)
    return frozenset(side for side, gradient in pairs if gradient is not None)


def known_parts(term: Term, role: Role) -> frozenset[str] | None:
    """Return the names of a term's parts for a player, None where only a step tells them."""
    if not isinstance(term, Loss) or type(term).value is not Loss.value:
        return None
    return frozenset(_parts(term, role, _Given(torch.zeros(2), torch.zeros(2))))


def _parts(loss: Loss, role: Role, given: Logits) -> Parts:
    return loss.discriminator(given) if role == "discriminator" else loss.generator(given)
