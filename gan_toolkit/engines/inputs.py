"""What a program is given at every call: tensors by place, rates and weights, the moves' own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gan_toolkit.data import Batch
from gan_toolkit.state import TrainState
from gan_toolkit.step import Move


class Distinct:
    """Tensors by place, each handed over once however many places name it."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        first: dict[int, int] = {}
        self.where: list[int] = []
        self._taken: list[int] = []
        for place, tensor in enumerate(tensors):
            if id(tensor) not in first:
                first[id(tensor)] = len(self._taken)
                self._taken.append(place)
            self.where.append(first[id(tensor)])

    def pick(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return those at the first place of each."""
        return [tensors[place] for place in self._taken]

    def among(self, places: int) -> int:
        """Return how many of them the first places name."""
        return sum(place < places for place in self._taken)

    def spread(self, picked: Sequence[Tensor]) -> list[Tensor]:
        """Return one for each place."""
        return [picked[place] for place in self.where]


class Numbers:
    """The learning rates and the average's weight as a tensor, made anew only when they change."""

    def __init__(self) -> None:
        self._told: list[float] = []
        self._tensor = torch.empty(0)

    def of(self, state: TrainState, moves: Sequence[Move], new_images: int) -> Tensor:
        """Return those of a step: [moves + 1], float64."""
        weight = state.recipe.plan.ema.weight(state.nimg + new_images, new_images)
        told = [*(move.lr for move in moves), weight]
        if told != self._told:
            numbers = torch.tensor(told, dtype=torch.float64)
            self._told, self._tensor = told, numbers.to(state.device, non_blocking=True)
        return self._tensor


def tensors_of(moves: Sequence[Move]) -> Iterator[Tensor]:
    """Yield every tensor of the moves, in the order in which `with_tensors` takes them."""
    for move in moves:
        for batch in (move.reals, move.draws, move.given, move.s):
            yield from batch.values()
        for more in (move.term_draws, move.term_s):
            for batch in more.values():
                yield from batch.values()
        if move.augmented is not None:
            for batch in move.augmented.draws.values():
                yield from batch.values()
            yield from move.augmented.s.values()


def with_tensors(move: Move, tensors: Iterator[Tensor]) -> Move:
    """Return the move with other tensors."""

    def taken(batch: Mapping[str, Tensor]) -> Batch:
        return {name: next(tensors) for name in batch}

    reals, draws, asked, s = map(taken, (move.reals, move.draws, move.given, move.s))
    term_draws = {name: taken(batch) for name, batch in move.term_draws.items()}
    term_s = {name: taken(batch) for name, batch in move.term_s.items()}
    augmented = move.augmented and replace(
        move.augmented,
        draws={side: taken(batch) for side, batch in move.augmented.draws.items()},
        s=taken(move.augmented.s),
    )
    return replace(
        move,
        reals=reals,
        draws=draws,
        given=asked,
        s=s,
        term_draws=term_draws,
        term_s=term_s,
        augmented=augmented,
    )
