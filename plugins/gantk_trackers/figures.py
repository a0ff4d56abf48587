"""What every tracker writes of a row and of a grid."""

from __future__ import annotations

from pathlib import Path

from gan_toolkit.run import Row


def figures(row: Row) -> dict[str, float]:
    """Return the figures of a row of metrics by name, the step left out."""
    return {name: float(value) for name, value in row.items() if name != "step"}


def step_of(path: Path) -> int:
    """Return the step of a sample grid, `step-000000500.png`."""
    return int(path.stem.rpartition("-")[2])
