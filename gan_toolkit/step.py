"""The training step, executed eagerly: the reference that every other engine must equal.

Read `step` first. Its inputs are the state, the real images, every random draw and every scheduled
number; it asks nothing of the host and draws nothing itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from gan_toolkit import processes, shares
from gan_toolkit.architecture import Scalars
from gan_toolkit.augmentation import Augmented
from gan_toolkit.data import Batch
from gan_toolkit.errors import UsageError
from gan_toolkit.play import Play
from gan_toolkit.recipe import Update
from gan_toolkit.state import TrainState
from gan_toolkit.terms import Term, glimpse

Lent = dict[int, Batch]
"""Fakes that the next move learns from, by their first row."""


@dataclass(frozen=True)
class Move:
    """One update with its inputs."""

    name: str
    update: Update
    terms: Mapping[str, Term]
    """Those due now, by name."""
    reals: Batch
    draws: Batch
    lr: float
    given: Batch = field(default_factory=dict)
    """Fields that fakes are conditioned on in place of the reals' own."""
    augmented: Augmented | None = None
    s: Scalars = field(default_factory=dict)
    term_draws: Mapping[str, Batch] = field(default_factory=dict)
    term_s: Mapping[str, Scalars] = field(default_factory=dict)
    borrows: bool = False
    """Whether it learns from the fakes of the move before."""
    lends_to: tuple[str, ...] = ()
    """Networks of the move after, if that one borrows: their gradient goes through the fakes."""


def step(state: TrainState, moves: Sequence[Move], new_images: int) -> None:
    """Make every move in order, on one minibatch after another, then let the averages follow."""
    for rows in minibatches(state):
        lent: Lent = {}
        for move in moves:
            _learn(state, move, rows, lent)
    state.step += 1
    state.nimg += new_images
    state.follow(state.recipe.plan.ema.weight(state.nimg, new_images))


def objective(state: TrainState, move: Move, part: slice, lent: Lent) -> Tensor:
    """Return the sum of the move's terms on some rows of its batch; keep what is worth reading.

    A move that borrows takes the fakes of these rows out of `lent`, one that lends puts them in.
    """
    update, plan = move.update, state.recipe.plan
    play = Play(
        update.role,
        state.recipe.arch,
        state.networks,
        _rows(move.reals, part),
        _rows(move.draws, part),
        move.s,
        given=_rows(move.given, part),
        augmented=move.augmented and move.augmented.rows(part),
        needs=frozenset(need for term in move.terms.values() for need in term.needs),
        autocast=plan.compute.precision == "bf16",
        second_order=any(term.second_order for term in move.terms.values()),
        made=lent.pop(part.start, None) if move.borrows else None,
        lend=partial(lent.__setitem__, part.start) if move.lends_to else None,
        changed=update.networks if move.lends_to else (),
    )
    kept: list[Tensor] = []
    for name, term in move.terms.items():
        draws = _rows(move.term_draws.get(name, {}), part)
        memory = state.terms[name]
        taken = update.parts(name)
        shown = glimpse(play, term, taken)
        parts, memory = term.value(shown, draws, move.term_s.get(name, {}), memory)
        state.terms[name] = {key: tensor.detach() for key, tensor in memory.items()}
        if problem := update.unknown_part(move.name, name, parts):
            raise UsageError(problem)
        for key, value in parts.items():
            if taken is None or key in taken:
                kept.append(value if term.every == 1 else value * term.every)
                state.readings.add(f"{move.name}.{name}.{key}", value.detach())
    if update.role == "discriminator" and state.vitals.due(state.step):
        if play.has("real"):  # a verdict nobody asked for is not worth a pass
            state.vitals.look("real", play.reals, play.real)
            if move.augmented is not None:
                seen = move.augmented.rows(part).transform(play.reals, "real")
                state.vitals.look("augmented", seen, play.real)
        if play.has("fake"):
            state.vitals.look("fake", play.fakes, play.fake)
    return sum(kept[1:], kept[0]) if kept else torch.zeros((), device=state.device)


def minibatches(state: TrainState) -> Iterator[range]:
    """Yield this process's rows of each minibatch: all, unless the architecture asks for more."""
    batch = state.recipe.plan.batch // processes.count()
    size = batch // minibatch_count(state)
    for first in range(0, batch, size):
        yield range(first, first + size)


def minibatch_count(state: TrainState) -> int:
    """Return the number of minibatches that this process's rows are cut into now."""
    plan = state.recipe.plan
    asked = state.recipe.arch.minibatches(state.spec, state.nimg)
    return math.gcd(asked, plan.batch // processes.count() // plan.accumulate)


def pieces(state: TrainState, rows: range) -> list[slice]:
    """Return the micro-batches that a minibatch is split into."""
    size = len(rows) // state.recipe.plan.accumulate
    return [slice(first, first + size) for first in rows[::size]]


def _learn(state: TrainState, move: Move, rows: range, lent: Lent) -> None:
    # Learners last: a weight that two networks share learns with either.
    followed = {*move.update.networks, *move.lends_to}
    for name in sorted(state.weights, key=followed.__contains__):
        learns = name in followed
        for weight in state.weights[name]:
            weight.requires_grad_(learns)
            if learns:
                weight.grad = None  # of the step before
    optimiser = state.optimisers[move.name]
    parts = pieces(state, rows)
    with shares.averaged(state, move.terms):
        for part in parts:
            total = objective(state, move, part, lent)
            if total.requires_grad:  # a move without parts in this role leaves the weights alone
                (total if len(parts) == 1 else total / len(parts)).backward()
    for group in optimiser.param_groups:
        group["lr"] = move.lr * group["rate"]
    if state.vitals.measured(state.step):
        _measured_step(state, move, optimiser)
    else:
        optimiser.step()
    for term in move.terms.values():
        term.constrain({name: state.networks[name] for name in move.update.networks})


def _measured_step(state: TrainState, move: Move, optimiser: Optimizer) -> None:
    """Let the optimiser step; keep how steep the way was and how far it went, by network."""
    weights = {name: state.weights[name] for name in move.update.networks if state.weights[name]}
    before = {name: [w.detach().clone() for w in own] for name, own in weights.items()}
    for name, own in weights.items():
        gradients = [w.grad for w in own if w.grad is not None]
        if gradients:
            state.readings.add(f"gradient.{name}", get_total_norm(gradients))
    optimiser.step()
    for name, own in weights.items():
        moved = [w.detach() - old for w, old in zip(own, before[name], strict=True)]
        size = get_total_norm(before[name]).clamp(min=1e-12)
        state.readings.add(f"change.{name}", get_total_norm(moved) / size)


def _rows(batch: Batch, part: slice) -> Batch:
    return {
        name: tensor if part == slice(0, len(tensor)) else tensor[part]
        for name, tensor in batch.items()
    }
