"""The course of a run's best score, read from its rows: whether it still gets better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GAIN = 0.025
"""Share of the best score by which a later one must be better to count."""
WAIT = 0.5
"""Share of the planned run that must pass without a gain. Of a run three times as long at most
three such waits are left then; at less than `GAIN` each they bring less than a tenth."""
LOOKS = 3
"""Evaluations, at least, that must pass without one."""


class Course:
    """The best score so far, and when it last became better by more than `GAIN`."""

    def __init__(self) -> None:
        self.best: float | None = None
        self.best_step = 0
        self.gained = 0
        """Step of the last gain."""
        self.looks = 0
        """Evaluations since then."""
        self._mark = 0.0

    def add(self, row: Mapping[str, Any]) -> None:  # Any: JSON values
        """Take a row, which tells the best score if an evaluation came before it."""
        if "best.value" not in row:
            return
        first, self.best, self.best_step = self.best is None, row["best.value"], row["best.step"]
        self.looks += 1
        if first or abs(self.best - self._mark) > GAIN * abs(self._mark):
            self._mark, self.gained, self.looks = self.best, self.best_step, 0

    def stays(self, step: int, settled: float, planned: float) -> bool:
        """Return whether the best score got no better for long enough, at rates that are settled.

        Rates change no more from step `settled` on, and `planned` steps are what was planned.
        """
        since = max(self.gained, settled)
        return self.looks >= LOOKS and step >= since + WAIT * planned

    def __str__(self) -> str:
        """Return where the best score stands and since when."""
        return (
            f"{self.looks} evaluations since step {self.gained} brought no score better by more "
            f"than {GAIN:.1%}; the best, {self.best:.4g}, is of step {self.best_step}"
        )
