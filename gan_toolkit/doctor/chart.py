"""A run as the doctor reads it: the rows of its metrics through windows, and its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from gan_toolkit.doctor.course import Course
from gan_toolkit.recipe import Values
from gan_toolkit.vitals import SPAN, span

Row = Mapping[str, Any]
"""A line of metrics.jsonl. Any: JSON values."""

WINDOWS = 12
"""A planned run is read in so many windows …"""
SHORTEST, LONGEST = 3, 20
"""… of at least and at most so many rows."""
GRACE = 600
"""Steps of both players before anything is said: networks have to find their feet."""


class Chart:
    """Medians over windows of rows, so that one odd row says nothing."""

    def __init__(self, recipe: Values) -> None:
        self.recipe = recipe
        apart = span(int(recipe.get("log_every", SPAN)), self._planned)
        rows = int(recipe.get("steps") or 0) / apart
        self.window = round(min(max(rows / WINDOWS, SHORTEST), LONGEST))
        self.rows: list[Row] = []
        """The last rows: as many as windows are looked back on."""
        self._kept = 3 * self.window
        self._settled: list[float] = []
        self.course = Course()
        starts = [update.get("starts_at", 0) for update in recipe["updates"].values()]
        self._first = max(starts, default=0) + GRACE

    def add(self, row: Row) -> bool:
        """Take one more row; return whether it has vital signs or NaN, which tell something."""
        self.course.add(row)
        if "vital.distance" not in row and "diverged" not in row:
            return False
        self.rows = [*self.rows[-self._kept + 1 :], row]
        if self.settled and self.step > self._first and "diverged" not in row:
            self._settled.append(row["vital.distance"])
        return True

    @property
    def step(self) -> int:
        """The step of the last row."""
        return int(self.rows[-1]["step"])

    @property
    def ready(self) -> bool:
        """Whether there is enough to say anything."""
        return len(self.rows) >= self.window and self.step >= self._first

    @property
    def settled(self) -> bool:
        """Whether the rates change no more: they never do, or their planned change is over."""
        return self.step > self._settles

    @property
    def best_stays(self) -> bool:
        """Whether there are scores and the best of them got no better for long."""
        return self.course.stays(self.step, self._settles, self._planned)

    @property
    def _planned(self) -> int:
        return int(self.recipe.get("planned_steps") or self.recipe.get("steps") or 0)

    @property
    def _settles(self) -> float:
        """The last step at which a rate changes as planned."""
        rates = [update["optimiser"]["lr"] for update in self.recipe["updates"].values()]
        ends = [rate.get("finish", 1.0) for rate in rates if isinstance(rate, Mapping)]
        return float(max(ends, default=0.0) * self._planned)

    def now(self, key: str) -> float | None:
        """Return the median of a figure over the last window, none where it is not there."""
        return next(reversed(self.windows(key, 1)), None)

    def before(self, key: str) -> float | None:
        """Return the same of the window before."""
        found = self.windows(key, 2)
        return found[0] if len(found) == 2 else None

    def windows(self, key: str, count: int) -> list[float]:
        """Return the medians over the last `count` windows, oldest first; full ones only."""
        medians = []
        for back in range(count, 0, -1):
            first = len(self.rows) - back * self.window
            rows = self.rows[first : first + self.window] if first >= 0 else []
            if values := [row[key] for row in rows if key in row]:
                medians.append(median(values))
        return medians

    def since_settled(self) -> tuple[float | None, float | None]:
        """Return the distance in the second and in the last quarter of the rows at settled rates.

        None each when these are fewer than four windows.
        """
        values = self._settled
        quarter = len(values) // 4
        if quarter < self.window:
            return None, None
        return median(values[quarter : 2 * quarter]), median(values[-quarter:])

    def below(self, key: str, limit: float) -> bool:
        """Return whether a figure is there and below a limit."""
        value = self.now(key)
        return value is not None and value < limit

    def stuck(self, far: float) -> bool:
        """Return whether samples are at least so far from the data and come no nearer."""
        now, before = self.now("vital.distance"), self.before("vital.distance")
        return now is not None and now > far and (before is None or now > 0.9 * before)

    def networks(self, role: str) -> list[str]:
        """Return the networks that a player's updates change."""
        return [name for update in self._updates(role).values() for name in update["networks"]]

    def scaled(self, role: str, factor: float) -> list[str]:
        """Return the settings that multiply a player's rates."""
        settings = []
        for name, update in self._updates(role).items():
            key, rate = f"updates.{name}.optimiser.lr", update["optimiser"]["lr"]
            if isinstance(rate, Mapping):
                key, rate = f"{key}.start", rate["start"]
            settings.append(f"--set {key}={factor * rate:.2g}")
        return settings

    def once(self, role: str) -> list[str]:
        """Return the settings that let a player move once a step, where it moves more often."""
        return [
            f"--set updates.{name}.times=1"
            for name, update in self._updates(role).items()
            if update.get("times", 1) > 1
        ]

    def twice(self, role: str) -> list[str]:
        """Return the settings that let a player move twice as often."""
        return [
            f"--set updates.{name}.times={2 * update.get('times', 1)}"
            for name, update in self._updates(role).items()
        ]

    def calmer(self) -> list[str]:
        """Return the settings that take momentum out, where there is much."""
        return [
            f"--set updates.{name}.optimiser.{key}=0.0"
            for name, update in self.recipe["updates"].items()
            for key in ("beta1", "momentum")
            if update["optimiser"].get(key, 0) > 0.5
        ]

    def wider(self) -> list[str]:
        """Return the setting of full precision, where less is computed in."""
        narrow = self.recipe.get("compute", {}).get("precision", "fp32") != "fp32"
        return ["--set compute.precision=fp32"] if narrow else []

    def _updates(self, role: str) -> dict[str, dict[str, Any]]:  # Any: TOML values
        updates = self.recipe["updates"]
        return {name: update for name, update in updates.items() if update["role"] == role}
