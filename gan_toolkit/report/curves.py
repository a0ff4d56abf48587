"""From rows of metrics to charts: which curves share one, and few enough points to draw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from gan_toolkit.figures import Points, number, objectives
from gan_toolkit.run import Row
from gan_toolkit.vitals import MEANINGS

MOST_POINTS = 400
"""Points of a curve; of a longer one each is the mean of some rows, with their extremes."""
COLOURS = 8
"""Colours of curves, by number, in `page.css`."""
KEPT_COLOURS = {"generator": 0, "fake": 0, "discriminator": 1, "real": 2}
"""What is met in many charts has its own."""
NOT_DRAWN = {"step", "nimg", "seconds", "vital.telling"}
"""Axes and clocks, and what is the same in every row."""
SCORES = "score."
"""Scores stand in rows too; they have a section of their own."""
APART = "vital"
"""Figures of this prefix are of different kinds: each has a chart of its own."""
ABOUT = {
    "objective": "What each update minimises.",
    "accuracy": "Share that D is right on; 0.5 is a guess. Order: a real above a fake.",
    "logit": "Mean verdict of D, 0 being undecided.",
    "gradient": "Length of each network's gradient.",
    "change": "How far one update moves a network's weights, as a share of their length.",
    "images_per_second": "Real images seen in a second.",
    **MEANINGS,
}
PARTS = "What this update's objective is the sum of."

Plain = dict[str, Any]
"""Values for JSON. Any: it nests."""


class Curve(NamedTuple):
    """One line of a chart."""

    name: str
    points: Points
    colour: int

    def plain(self) -> Plain:
        """Return it for the page, thinned out and rounded."""
        thin = thinned(self.points)
        found: Plain = {"name": self.name, "colour": self.colour}
        found["x"] = [step for step, *_ in thin]
        for key, place in (("y", 1), ("low", 2), ("high", 3)):
            if key == "y" or len(thin) < len(self.points):
                found[key] = [float(f"{row[place]:.5g}") for row in thin]
        return found


class Chart(NamedTuple):
    """Curves that share their axes."""

    title: str
    about: str
    curves: list[Curve]

    def plain(self) -> Plain:
        """Return it for the page."""
        return {"title": self.title, "curves": [curve.plain() for curve in self.curves]}


def by_key(rows: Iterable[Row]) -> dict[str, Points]:
    """Return the finite numbers of each key over the steps, as they come in the rows."""
    found: defaultdict[str, Points] = defaultdict(list)
    for row in rows:
        for key, value in row.items():
            if key in NOT_DRAWN or key.startswith(SCORES):
                continue
            if (finite := number(value)) is not None:
                found[key].append((row["step"], finite))
    return dict(found)


def charts(rows: Sequence[Row]) -> list[Chart]:
    """Return the charts of a run: what is known first, then whatever else its rows hold."""
    keys = by_key(rows)
    groups: dict[str, dict[str, Points]] = {"objective": objectives(rows)}
    for key, points in keys.items():
        prefix, _, rest = key.partition(".")
        alone = prefix == APART or not rest
        groups.setdefault(key if alone else prefix, {})[rest or key] = points
    found = []
    for name in sorted(groups, key=order):
        curves = groups[name]
        repeats = name in groups["objective"] and len(curves) == 1
        if curves and not repeats:
            told = about(name) or (PARTS if name in groups["objective"] else "")
            found.append(Chart(title_of(name), told, coloured(curves)))
    return found


def about(name: str) -> str:
    """Return what the figures of a chart are, where it is known."""
    return ABOUT.get(name, "")


def order(name: str) -> tuple[int, str]:
    """Return what to sort charts by: what is known first, what is not among it by its name."""
    known = list(ABOUT)
    return (known.index(name), "") if name in known else (known.index("accuracy"), name)


def title_of(name: str) -> str:
    """Return the heading of a chart."""
    words = name.removeprefix(f"{APART}.").replace("_", " ")
    return words[:1].upper() + words[1:]


def coloured(curves: Mapping[str, Points]) -> list[Curve]:
    """Return curves with a colour each: their own, or the next that is free."""
    taken = {KEPT_COLOURS[name] for name in curves if name in KEPT_COLOURS}
    free = (colour for colour in count() if colour not in taken)
    return [
        Curve(name, points, (KEPT_COLOURS[name] if name in KEPT_COLOURS else next(free)) % COLOURS)
        for name, points in curves.items()
    ]


def thinned(points: Points, most: int = MOST_POINTS) -> Sequence[tuple[int, float, float, float]]:
    """Return at most so many (step, mean, lowest, highest), each of as many points in a row."""
    size = -(-len(points) // most)
    found = []
    for first in range(0, len(points), max(size, 1)):
        values = [value for _, value in points[first : first + size]]
        last = points[min(first + size, len(points)) - 1][0]
        found.append((last, sum(value / len(values) for value in values), min(values), max(values)))
    return found
