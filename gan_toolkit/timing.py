"""How long a step takes: a few of a run's own, at each stage of growth, timed and thrown away."""

from __future__ import annotations

import math
import statistics
import time

from gan_toolkit.trainer import Trainer, own_draws

LOOKS = 64
"""Places of a run, evenly apart, at which its stage is asked for to time it."""
LAZIEST = 16
"""Steps from one use of a lazy term to the next, at most, that are timed one by one."""


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
        """Return seconds a step now: the mean over steps with and without lazy terms of medians.

        The first step of each kind pays for allocation and for programs, and is left out.
        """
        terms = self.trainer.recipe.terms.values()
        period = min(math.lcm(*(term.every for term in terms)), LAZIEST)
        rounds = -(-steps // period)
        times: list[list[float]] = [[] for _ in range(period)]
        for turn in range(period * (1 + rounds)):
            begun = time.perf_counter()
            self.trainer.advance()
            self.trainer.state.readings.means()
            times[turn % period].append(time.perf_counter() - begun)
        return statistics.fmean(statistics.median(each[1:]) for each in times)
