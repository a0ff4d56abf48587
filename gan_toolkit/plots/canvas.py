"""What all drawings share: a figure without a window, colours, how a file is written."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan_toolkit.files import replaced
from gan_toolkit.pictures import BLUE, GREY


def css(colour: tuple[int, int, int]) -> str:
    """Return a colour as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


REAL, FAKE = css(GREY), css(BLUE)
DARK_REAL, DARK_FAKE = "#555555", "#0b3d63"
DPI = 110


def figure(width: float, height: float) -> Figure:
    """Return a figure of so many inches; it needs no display."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def panels(count: int, *, columns: int, side: float = 2.6) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` square panels of so many inches in rows of `columns`."""
    rows = -(-count // columns)
    across = min(count, columns)
    sheet = figure(side * across, side * rows)
    axes = [sheet.add_subplot(rows, across, place + 1) for place in range(count)]
    return sheet, axes


def save(sheet: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with replaced(path) as temporary:
        sheet.savefig(temporary, format="png", metadata={"Software": "gan-toolkit"})
