"""The doctor goes through a run's rows one by one, live or later: same rows, same findings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import get_args

from gan_toolkit.doctor.cases import CASES, Case
from gan_toolkit.doctor.chart import Chart, Row
from gan_toolkit.doctor.finding import Finding, Severity
from gan_toolkit.errors import did_you_mean
from gan_toolkit.recipe import Recipe, Values

SURE = 2
"""Rows in a row that must show something before it is said, and that must not before it is over."""


class Doctor:
    """Findings of one run, kept up to date with its rows."""

    def __init__(self, recipe: Recipe | Values, rows: Iterable[Row] = ()) -> None:
        values = recipe.values() if isinstance(recipe, Recipe) else recipe
        self._chart = Chart(values)
        self._stop_on = set(values.get("stop_on", ()))
        self._streak: dict[str, int] = {}
        self.history: list[Finding] = []
        """Everything found so far, in order, over or not."""
        self.read(rows)

    @property
    def ready(self) -> bool:
        """Whether there are rows enough, and late enough, to say anything but NaN."""
        return self._chart.ready

    @property
    def findings(self) -> list[Finding]:
        """What is so now, in the order in which it was found."""
        return [finding for finding in self.history if finding.until is None]

    @property
    def stops(self) -> str:
        """What of it ends the run by the recipe's `stop_on`, or nothing."""
        if not self._stop_on:  # asked for after every step
            return ""
        named = [f.name for f in self.findings if {f.name, f.severity} & self._stop_on]
        return ", ".join(named)

    def read(self, rows: Iterable[Row]) -> None:
        """Take the rows of a run so far."""
        for row in rows:
            self.hear(row)

    def hear(self, row: Row) -> list[Finding]:
        """Take the next row; return what is so since now."""
        if not self._chart.add(row):
            return []
        return [new for case in CASES if (new := self._weigh(case)) is not None]

    def _weigh(self, case: Case) -> Finding | None:
        chart = self._chart
        certain = "diverged" in chart.rows[-1]
        evidence = case.seen(chart) if chart.ready or certain else ""
        lasting = next((f for f in self.findings if f.name == case.name), None)
        streak = self._streak.get(case.name, 0)
        if bool(evidence) == (lasting is not None):
            self._streak[case.name] = 0
            if lasting is not None:
                self._replace(lasting, dataclasses.replace(lasting, evidence=evidence))
            return None
        self._streak[case.name] = streak + 1
        if streak + 1 < SURE and not certain:
            return None
        self._streak[case.name] = 0
        if lasting is not None:
            self._replace(lasting, dataclasses.replace(lasting, until=chart.step))
            return None
        found = Finding(
            name=case.name,
            severity=case.severity,
            since=chart.step,
            evidence=evidence,
            reason=case.reason,
            advice=tuple(case.advice(chart)),
        )
        self.history.append(found)
        return found

    def _replace(self, old: Finding, new: Finding) -> None:
        self.history[self.history.index(old)] = new


def misnamed(stop_on: Iterable[str]) -> list[str]:
    """Return what is wrong with a recipe's `stop_on`, one sentence a name."""
    names = [case.name for case in CASES] + list(get_args(Severity))
    return [
        f"stop_on: the doctor finds no '{asked}'.{did_you_mean(asked, names)} "
        f"It knows: {', '.join(names)}."
        for asked in stop_on
        if asked not in names
    ]
