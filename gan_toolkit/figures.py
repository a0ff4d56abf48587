"""What drawings of a run share: numbers that can be trusted, sums by update, fewer of too many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar

Item = TypeVar("Item")
Points = list[tuple[int, float]]
"""Steps, and a figure at each."""


def number(value: object) -> float | None:
    """Return a finite number as float, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if isfinite(found) else None


def objectives(rows: Iterable[Mapping[str, Any]]) -> dict[str, Points]:  # Any: JSON values
    """Return what each update minimises, from rows of metrics: the sum of `update.term.part`."""
    found: defaultdict[str, Points] = defaultdict(list)
    for row in rows:
        sums: defaultdict[str, float] = defaultdict(float)
        for name, value in row.items():
            if name.count(".") == 2 and (finite := number(value)) is not None:
                sums[name.partition(".")[0]] += finite
        for update, total in sums.items():
            if isfinite(total):
                found[update].append((row["step"], total))
    return dict(found)


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most so many items, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]
