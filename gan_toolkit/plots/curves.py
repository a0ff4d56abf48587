"""Losses and D's accuracy over the steps, from `metrics.jsonl`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from gan_toolkit.figures import Points, objectives
from gan_toolkit.plots.canvas import figure, save
from gan_toolkit.run import Run

WINDOW = 50
"""A curve is smoothed over this share of its rows: one in so many."""


def draw_losses(run: Run, path: Path) -> bool:
    """Draw each update's objective and D's accuracy; faint as logged, strong as a running mean."""
    rows = run.rows()
    losses = objectives(rows)
    if not losses:
        return False
    accuracy = {
        f"right on {side}s": [(row["step"], row[f"accuracy.{side}"]) for row in rows if key in row]
        for side in ("real", "fake")
        if any((key := f"accuracy.{side}") in row for row in rows)
    }
    sheet = figure(8, 6 if accuracy else 3.4)
    count = 2 if accuracy else 1
    top = sheet.add_subplot(count, 1, 1)
    _curves(top, losses)
    top.set_ylabel("objective")
    top.set_title(f"{run.path.name}: what each update minimises")
    if accuracy:
        low = sheet.add_subplot(count, 1, 2, sharex=top)
        _curves(low, accuracy)
        low.axhline(0.5, color="black", linewidth=0.6, linestyle=":")
        low.set_ylim(-0.02, 1.02)
        low.set_ylabel("share D is right on")
    sheet.axes[-1].set_xlabel("step")
    save(sheet, path)
    return True


def _curves(axes: Axes, curves: dict[str, Points]) -> None:
    for place, (name, points) in enumerate(curves.items()):
        steps, values = np.array(points, dtype=float).T
        colour = f"C{place}"
        axes.plot(steps, values, color=colour, alpha=0.3, linewidth=0.7)
        width = max(1, len(values) // WINDOW)
        smooth = np.convolve(values, np.ones(width) / width, mode="valid")
        axes.plot(steps[width - 1 :], smooth, color=colour, linewidth=1.4, label=name)
    axes.legend(loc="best", fontsize=8, frameon=False)
    axes.grid(visible=True, alpha=0.2)
