"""How long a step takes: a few of a run's own, at each stage of growth, timed and thrown away."""

from __future__ import annotations

import math
import statistics
import time
from collections import defaultdict

from gan_toolkit.trainer import Trainer, own_draws

LOOKS = 64
"""Places of a run, evenly apart, at which its stage is asked for to time it."""
LONGEST = 10_000
"""Steps, at most, after which lazy terms are taken to be due as at the start again."""


class Timing:
    """Times the steps of a trainer, whose state is spent afterwards."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self._seconds: dict[int, float] = {}
        """By stage, once measured."""

    def a_step(self, steps: int = 3, *, length: int | None = None) -> float:
        """Return seconds a step of a run of `length` steps, the recipe's own when left out.

        At least `steps` are timed at each stage, and a stage counts by how much of the run it is.
        """
        plan, arch = self.trainer.recipe.plan, self.trainer.recipe.arch
        images = (length or plan.length) * plan.reals_per_step
        places = [images * place // LOOKS for place in range(LOOKS)]
        with own_draws(self.trainer.device):
            for nimg in places:
                stage = arch.stage_at(nimg)
                if stage not in self._seconds:
                    self.trainer.state.nimg = nimg
                    self.trainer.state.grow()
                    self._seconds[stage] = self._typical(steps)
        return statistics.fmean(self._seconds[arch.stage_at(nimg)] for nimg in places)

    def _typical(self, steps: int) -> float:
        """Return seconds a step now: the mean over kinds of steps of medians.

        Lazy terms make the kinds, which are tried in turn; updates that start later are made, too.
        The first step of each kind pays for allocation and for programs, and is left out.
        """
        state, recipe = self.trainer.state, self.trainer.recipe
        nimg = state.nimg
        periods = [term.every for term in recipe.terms.values()]
        whole = min(math.lcm(*periods), LONGEST)
        begin = max(update.starts_at for update in recipe.plan.updates.values())
        first = -(-begin // whole) * whole
        kinds: defaultdict[tuple[bool, ...], list[int]] = defaultdict(list)
        for step in range(first, first + whole):
            kinds[tuple(step % period == 0 for period in periods)].append(step)
        seconds = 0.0
        for alike in kinds.values():
            times = []
            for _ in range(1 + -(-steps // len(kinds))):
                state.step, state.nimg = alike[0], nimg  # it does not grow meanwhile
                begun = time.perf_counter()
                self.trainer.engine.step(state, *self.trainer.feed.moves(state))
                state.readings.means()
                state.readings.clear()
                times.append(time.perf_counter() - begun)
            seconds += statistics.median(times[1:]) * len(alike) / whole
        return seconds
