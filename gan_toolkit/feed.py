"""The inputs of a step: real rows in their order, keyed draws, scheduled numbers.

Everything here is a function of (recipe, data, step, images seen): nothing is remembered, so
nothing has to be saved for a resumed run to see the same inputs.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from gan_toolkit import processes, shares
from gan_toolkit.architecture import Architecture
from gan_toolkit.augmentation import SIDES, Augmented
from gan_toolkit.data import LABEL, Batch, DataSpec, EndlessSource, Source, Stored
from gan_toolkit.options import Options, Schedule, Scheduled
from gan_toolkit.recipe import Recipe
from gan_toolkit.state import TrainState
from gan_toolkit.step import Move, minibatches, pieces
from gan_toolkit.streams import Categorical, Draw, stream


class Feed:
    """Prepares the moves of any step."""

    def __init__(
        self, recipe: Recipe, source: Source | EndlessSource, device: torch.device
    ) -> None:
        self.recipe = recipe
        self.device = device
        self.spec: DataSpec = source.spec.ranged(*recipe.arch.sample_range)
        self._source = source.to(device) if isinstance(source, Stored) else source
        self._parts = 1
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)
        self._generator = torch.Generator()
        self._draws = recipe.arch.draws(self.spec)
        self._labels = (
            {LABEL: Categorical(len(self.spec.classes))}
            if recipe.plan.fake_labels == "uniform"
            else {}
        )
        self._augmentation_draws = (
            recipe.augmentation.draws(self.spec) if recipe.augmentation else {}
        )
        self._term_draws = {name: term.draws(self.spec) for name, term in recipe.terms.items()}
        self._terms = {
            name: recipe.terms_of(update) for name, update in recipe.plan.updates.items()
        }

    def moves(self, state: TrainState) -> tuple[list[Move], int]:
        """Return the moves of the state's next step and the number of real images they draw."""
        plan, step = self.recipe.plan, state.step
        if processes.count() > 1:
            self._parts = sum(len(pieces(state, rows)) for rows in minibatches(state))
        fraction = step / plan.span
        s = architecture_scalars(self.recipe.arch, state.nimg, fraction, self.device)
        moves: list[Move] = []
        reals: Batch | None = None
        drawn = 0
        before = ""
        for name, update in plan.updates.items():
            last = moves[-1] if moves and moves[-1].name == before else None
            before = name
            if step < update.starts_at:
                continue
            due = {key: term for key, term in self._terms[name].items() if step % term.every == 0}
            for repetition in range(update.times if due else 0):
                if reals is None or repetition or update.fresh_reals:
                    reals = self.recipe.arch.seen(self.reals(state.nimg + drawn), s)
                    drawn += plan.batch
                key = (step, name, repetition)
                taken = None if update.fresh_fakes else last
                if taken is not None:
                    moves[-1] = replace(taken, lends_to=update.networks)
                moves.append(
                    Move(
                        name=name,
                        update=update,
                        terms=due,
                        reals=reals,
                        draws=taken.draws if taken else self._sampled(self._draws, *key),
                        lr=_at(update.optimiser.lr, fraction),
                        given=taken.given if taken else self._sampled(self._labels, *key),
                        borrows=taken is not None,
                        augmented=self._augmented(fraction, *key),
                        s=s,
                        term_draws={t: self._sampled(self._term_draws[t], *key, t) for t in due},
                        term_s={t: scalars(term, fraction, self.device) for t, term in due.items()},
                    )
                )
        return moves, drawn

    def conditions(self, n: int) -> Batch:
        """Return what `n` fixed samples are conditioned on beside labels: the first real rows."""
        names = set(self.recipe.arch.conditions) - {LABEL}
        rows = self.fixed(n) if names else {}
        return {name: rows[name] for name in names}

    def fixed(self, n: int) -> Batch:
        """Return `n` real rows, the same at every call."""
        if self.spec.length is None:
            rows = self._draw_rows(n, stream(self.recipe.plan.seed, "conditions"))
        else:
            rows = self._gather(torch.arange(n) % self.spec.length)
        return self._normalised(rows)

    def reference(self, n: int) -> Batch:
        """Return up to `n` real rows from all over the data, the same at every call."""
        generator = stream(self.recipe.plan.seed, "reference")
        if self.spec.length is None:
            return self._normalised(self._draw_rows(n, generator))
        order = torch.randperm(self.spec.length, generator=generator)[:n]
        return self._normalised(self._gather(order))

    def reals(self, position: int) -> Batch:
        """Return the batch that starts after `position` real images, normalised, on the device.

        Of several processes each gets its own rows of it.
        """
        batch = self.recipe.plan.batch
        if self.spec.length is None:
            drawn = self._draw_rows(batch, self._stream("data", position))
            rows = {name: self._own(tensor) for name, tensor in drawn.items()}
        else:
            rows = self._gather(self._own(self._indices(position, batch, self.spec.length)))
        return self._normalised(rows)

    def _own(self, rows: Tensor) -> Tensor:
        return shares.own(rows, self._parts)

    def _gather(self, indices: Tensor) -> Batch:
        if isinstance(self._source, Stored):
            indices = indices.to(self.device, non_blocking=True)
        return cast(Source, self._source).gather(indices)

    def _draw_rows(self, n: int, generator: torch.Generator) -> Batch:
        return cast(EndlessSource, self._source).draw(n, generator)

    def _normalised(self, rows: Batch) -> Batch:
        return {
            name: self.spec.fields[name].normalise(tensor.to(self.device, non_blocking=True))
            for name, tensor in rows.items()
        }

    def _indices(self, position: int, n: int, length: int) -> Tensor:
        """Rows `position` … `position + n` of one shuffle after another: [n]."""
        pieces = []
        while n:
            epoch, offset = divmod(position, length)
            if epoch != self._epoch:
                generator = stream(self.recipe.plan.seed, "epoch", epoch)
                self._epoch, self._order = epoch, torch.randperm(length, generator=generator)
            pieces.append(self._order[offset : offset + n])
            position, n = position + len(pieces[-1]), n - len(pieces[-1])
        return torch.cat(pieces)

    def _augmented(self, fraction: float, *key: str | int) -> Augmented | None:
        augmentation = self.recipe.augmentation
        if augmentation is None:
            return None
        return Augmented(
            augmentation,
            {
                side: self._sampled(self._augmentation_draws, *key, "augmentation", side)
                for side in SIDES
            },
            scalars(augmentation, fraction, self.device),
        )

    def _sampled(self, draws: Mapping[str, Draw], *key: str | int) -> Batch:
        found: Batch = {}
        for name, draw in draws.items():
            rows = draw.sample(self.recipe.plan.batch, self._stream("draw", *key, name))
            found[name] = self._own(rows).to(self.device, non_blocking=True)
        return found

    def _stream(self, *key: str | int) -> torch.Generator:
        """Return the stream of a key, good until the next one is asked for."""
        return stream(self.recipe.plan.seed, *key, generator=self._generator)


def architecture_scalars(
    architecture: Architecture, nimg: int, fraction: float, device: torch.device | str = "cpu"
) -> dict[str, Tensor]:
    """Return what an architecture finds in `s`: its scheduled options and its own numbers."""
    own = architecture.scalars(nimg)
    return scalars(architecture, fraction, device) | {
        name: _scalar(value, device) for name, value in own.items()
    }


def scalars(options: Options, fraction: float, device: torch.device | str) -> dict[str, Tensor]:
    """Return the options that may be schedules as 0-d tensors, at a fraction of the planned run."""
    return {
        name: _scalar(_at(getattr(options, name), fraction), device)
        for name in _scheduled(type(options))
    }


def _scalar(value: float, device: torch.device | str) -> Tensor:
    """Return a 0-d tensor, filled on the device: copying one there would wait for it."""
    return torch.full((), float(value), device=device)


@functools.cache
def _scheduled(cls: type[Options]) -> tuple[str, ...]:
    return tuple(name for name, field in cls.model_fields.items() if field.annotation == Scheduled)


def _at(value: float | Schedule, fraction: float) -> float:
    return value.at(fraction) if isinstance(value, Schedule) else float(value)
