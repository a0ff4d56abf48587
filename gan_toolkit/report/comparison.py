"""What sets runs apart: recipes, scores, findings, curves, and what may not be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import Progress
from gan_toolkit.errors import UsageError
from gan_toolkit.figures import Points, number, objectives
from gan_toolkit.recipe import Values, flat
from gan_toolkit.report.curves import (
    COLOURS,
    SCORES,
    Chart,
    Curve,
    about,
    by_key,
    order,
    title_of,
)
from gan_toolkit.report.facts import Facts
from gan_toolkit.report.frames import BUDGET, frames_of
from gan_toolkit.report.page import lasted
from gan_toolkit.report.scores import Course, courses, unlike
from gan_toolkit.run import Run

DRAWING = "Drawing the comparison"
OBJECTIVE = "objective"


class ScoreRow(NamedTuple):
    """One score of each run, none where it was not taken."""

    name: str
    courses: list[Course | None]
    unlike: list[str]
    """What differs on the receipts of the last ones, so that they cannot be compared."""

    def plain(self) -> Values:
        """Return it for JSON."""
        return {
            "last": [
                course and {"step": course.last.step, "value": course.last.score.value}
                for course in self.courses
            ],
            "best": [
                best and {"step": best.step, "value": best.score.value}
                for best in (course and course.best for course in self.courses)
            ],
            "real": [course and course.last.score.floor for course in self.courses],
            "better": next(c.last.score.better for c in self.courses if c),
            "not_comparable": self.unlike,
        }


@dataclass(frozen=True)
class Comparison:
    """Runs side by side, each with a name of its own."""

    names: list[str]
    runs: list[Facts]

    @classmethod
    def of(cls, runs: Sequence[Run], references: Sequence[str], catalogue: Catalogue) -> Comparison:
        """Read runs; `references` is how the user calls each. Raises `UsageError`, `RunError`."""
        if len(runs) < 2:
            raise UsageError("Name two runs or more: `gantk compare RUN RUN`.")
        if len({run.path.resolve() for run in runs}) < len(runs):
            raise UsageError("A run is named twice; name each once.")
        facts = [Facts.of(run, catalogue) for run in runs]
        again = Counter(each.name for each in facts)
        names = [
            each.name if again[each.name] == 1 else reference
            for each, reference in zip(facts, references, strict=True)
        ]
        return cls(names, facts)

    @cached_property
    def recipes(self) -> tuple[list[tuple[str, list[object]]], list[tuple[str, object]]]:
        """Keys that differ, with each run's value or none, and keys that are the same."""
        flats = [flat(facts.recipe) for facts in self.runs]
        differing, same = [], []
        for key in dict.fromkeys(key for values in flats for key in values):
            values = [each.get(key) for each in flats]
            if all(value == values[0] for value in values):
                same.append((key, values[0]))
            else:
                differing.append((key, values))
        return differing, same

    @cached_property
    def warnings(self) -> list[str]:
        """Why numbers of these runs cannot be held against each other, or nothing."""
        told = []
        data = {(facts.named("data"), facts.fingerprint) for facts in self.runs}
        if len(data) > 1:
            told.append(
                "the runs were trained on different data; that goes for losses, curves and scores."
            )
        if any(key.startswith("terms.") for key, _ in self.recipes[0]):
            told.append("the runs minimise different things; that goes for their objectives.")
        return told

    @cached_property
    def scores(self) -> list[ScoreRow]:
        """Every score that any of the runs has."""
        found = [{course.name: course for course in courses(facts.scores)} for facts in self.runs]
        rows = []
        for name in dict.fromkeys(name for each in found for name in each):
            taken = [each.get(name) for each in found]
            lasts = [course.last.score for course in taken if course]
            rows.append(ScoreRow(name, taken, unlike(lasts)))
        return rows

    @cached_property
    def last(self) -> list[tuple[str, list[float | None]]]:
        """Every figure of the runs' last rows."""
        rows = [facts.rows[-1] if facts.rows else {} for facts in self.runs]
        keys = dict.fromkeys(key for row in rows for key in row if not key.startswith(SCORES))
        told = [(key, [number(row.get(key)) for row in rows]) for key in keys]
        return [(key, values) for key, values in told if any(v is not None for v in values)]

    def charts(self) -> list[Chart]:
        """Return a chart of each curve that two runs or more have, in each run's colour."""
        curves = [_curves(facts) for facts in self.runs]
        drawn = []
        for key in dict.fromkeys(key for each in curves for key in each):
            having = [place for place, each in enumerate(curves) if key in each]
            if len(having) > 1:
                overlaid = [
                    Curve(self.names[p], curves[p][key], colour=p % COLOURS) for p in having
                ]
                prefix, _, rest = key.partition(".")
                title = f"{title_of(prefix)}: {rest}" if about(prefix) and rest else title_of(key)
                drawn.append(Chart(title, about(key) or about(prefix), overlaid))
        return drawn

    def contents(self, progress: Progress) -> Values:
        """Return everything that the template shows."""
        stages = len(self.runs)
        frames = []
        for done, facts in enumerate(self.runs):
            progress(DRAWING, done, stages)
            frames.append(frames_of(facts.run, progress, BUDGET // stages))
        charts = self.charts()
        differing, same = self.recipes
        told = {
            "title": " · ".join(self.names),
            "names": self.names,
            "runs": self.runs,
            "warnings": self.warnings,
            "differing": differing,
            "same": same,
            "frames": frames,
            "are_points": [bool(facts.run.trace_paths()) for facts in self.runs],
            "steps": sorted({frame.step for own in frames for frame in own}),
            "scores": self.scores,
            "charts": charts,
            "last": self.last,
            "system": self._system(),
            "payload": {"charts": [chart.plain() for chart in charts], "marks": []},
        }
        progress(DRAWING, stages, stages)
        return told

    def plain(self) -> Values:
        """Return the comparison for JSON; every list has one item a run, in their order."""
        differing, same = self.recipes
        return {
            "runs": self.names,
            "step": [facts.step for facts in self.runs],
            "recipe": dict(differing),
            "same_keys": len(same),
            "not_comparable": self.warnings,
            "last": dict(self.last),
            "scores": {row.name: row.plain() for row in self.scores},
            "findings": [[each.plain() for each in facts.findings] for facts in self.runs],
        }

    def _system(self) -> list[tuple[str, list[str]]]:
        names = dict.fromkeys(name for facts in self.runs for name in facts.versions)
        return [
            ("steps", [f"{facts.step:,} of {facts.length:,}" for facts in self.runs]),
            ("time", [lasted(facts.seconds) for facts in self.runs]),
            ("machine", [facts.machine for facts in self.runs]),
            *((name, [facts.versions.get(name, "") for facts in self.runs]) for name in names),
            ("content of the data", [facts.fingerprint[:16] for facts in self.runs]),
        ]


def _curves(facts: Facts) -> dict[str, Points]:
    """Return a run's curves by key, its objectives and scores first."""
    keys = by_key(facts.rows)
    sums = {f"{OBJECTIVE}.{update}": points for update, points in objectives(facts.rows).items()}
    scores = {
        course.name: [(each.step, each.score.value) for each in course.taken]
        for course in courses(facts.scores)
    }
    others = sorted((key for key in keys if key.count(".") < 2), key=_order)
    return sums | scores | {key: keys[key] for key in others}


def _order(key: str) -> tuple[int, str]:
    return order(key if about(key) else key.partition(".")[0])
