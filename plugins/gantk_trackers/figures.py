"""What every tracker writes of a row."""

from __future__ import annotations

from gan_toolkit.run import Row


def figures(row: Row) -> dict[str, float]:
    """Return the figures of a row of metrics by name, the step left out."""
    return {name: float(value) for name, value in row.items() if name != "step"}
