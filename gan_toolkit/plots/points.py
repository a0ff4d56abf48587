"""Points over time, and D's feature layer around the moves of a step, from a run's traces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D
from PIL import Image
from torch import Tensor

from gan_toolkit.animation import MOST_FRAMES, write_frames
from gan_toolkit.figures import spread
from gan_toolkit.plots.canvas import DARK_FAKE, DARK_REAL, FAKE, REAL, figure, panels, save
from gan_toolkit.run import Run, step_of
from gan_toolkit.state import Tensors
from gan_toolkit.trace import read_trace

Limits = tuple[float, float, float, float]


def draw_points(run: Run, path: Path) -> bool:
    """Draw reals and fakes at up to twelve steps."""
    paths = spread(run.trace_paths(), 12)
    if not paths:
        return False
    columns = 4
    sheet, axes = panels(len(paths), columns=columns)
    limits = _limits(read_trace(paths[-1])["real"])
    for place, (panel, file) in enumerate(zip(axes, paths, strict=True)):
        _scatter(panel, read_trace(file), limits, step_of(file))
        # All have the same limits: numbers stand on the left and below the lowest of a column.
        lowest = place + columns >= len(paths)
        panel.tick_params(labelleft=place % columns == 0, labelbottom=lowest)
    save(sheet, path)
    return True


def draw_points_over_time(run: Run, path: Path) -> bool:
    """Draw reals and fakes as an animation."""
    paths = spread(run.trace_paths(), MOST_FRAMES)
    if len(paths) < 2:
        return False
    limits = _limits(read_trace(paths[-1])["real"])
    write_frames(path, _frames(paths, limits), drawn=True)
    return True


def draw_features(run: Run, path: Path) -> bool:
    """Draw what D's feature layer makes of the same points before and after each move.

    Light before, dark after; a cross is the centroid of a cloud, an arrow leads from the fakes'
    centroid before the move to the one after.
    """
    traces = {step_of(file): read_trace(file) for file in spread(run.trace_paths(), 4)}
    moves = [move for trace in [*traces.values()][:1] for move in pairwise(_stages(trace))]
    if not moves:
        return False
    sheet, axes = panels(len(traces) * len(moves), columns=len(traces), side=3.2)
    shown = ((move, step) for move in moves for step in traces)
    for panel, ((before, after), step) in zip(axes, shown, strict=True):
        _move(panel, traces[step], before, after)
        panel.set_title(f"step {step:,}: {after[1]}'s update", fontsize=8)
    marks = [
        Line2D([], [], color=colour, marker="o", linestyle="", label=f"{side} {when}")
        for side, when, colour in (
            ("real", "before", REAL),
            ("real", "after", DARK_REAL),
            ("fake", "before", FAKE),
            ("fake", "after", DARK_FAKE),
        )
    ]
    sheet.legend(handles=marks, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    save(sheet, path)
    return True


def _stages(trace: Tensors) -> list[tuple[int, str]]:
    """Return (place, move) of the features that a trace holds, in order."""
    names = (name.split(".") for name in trace if name.startswith("features."))
    return sorted({(int(place), move) for _, place, move, _ in names})


def _move(panel: Axes, trace: Tensors, before: tuple[int, str], after: tuple[int, str]) -> None:
    centres = {}
    for stage, real, fake in ((before, REAL, FAKE), (after, DARK_REAL, DARK_FAKE)):
        for side, colour in (("real", real), ("fake", fake)):
            cloud = trace[f"features.{stage[0]}.{stage[1]}.{side}"].numpy()
            panel.scatter(cloud[:, 0], cloud[:, 1], s=4, color=colour, alpha=0.6, linewidths=0)
            centres[stage, side] = cloud.mean(0)
            panel.plot(*centres[stage, side], "x", color=colour, markersize=9, markeredgewidth=2)
    panel.annotate(
        "",
        xy=tuple(centres[after, "fake"]),
        xytext=tuple(centres[before, "fake"]),
        arrowprops={"arrowstyle": "->", "color": "tab:red", "linewidth": 1.2},
    )
    panel.tick_params(labelsize=6)


def _limits(real: Tensor) -> Limits:
    low, high = real[:, :2].min(0).values, real[:, :2].max(0).values
    margin = (high - low).clamp_min(1e-6) * 0.15
    (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
    return left, right, bottom, top


def _scatter(panel: Axes, trace: Tensors, limits: Limits, step: int) -> dict[str, PathCollection]:
    """Draw both sides' points; return them by side."""
    clouds = {}
    for side, colour in (("real", REAL), ("fake", FAKE)):
        x, y = trace[side][:, :2].numpy().T
        clouds[side] = panel.scatter(x, y, s=5, color=colour, linewidths=0, label=side)
    panel.set_xlim(limits[0], limits[1])
    panel.set_ylim(limits[2], limits[3])
    panel.set_title(f"step {step:,}", fontsize=8)
    panel.tick_params(labelsize=6)
    return clouds


def _frames(files: Sequence[Path], limits: Limits) -> Iterator[Image.Image]:
    """Yield a picture of each trace: what all have in common is drawn once."""
    sheet = figure(4.4, 4.4)
    canvas = FigureCanvasAgg(sheet)
    panel = sheet.add_subplot()
    clouds = _scatter(panel, read_trace(files[0]), limits, step_of(files[0]))
    legend = panel.legend(loc="upper right", fontsize=7)
    sheet.draw_without_rendering()  # finds a place for everything
    sheet.set_layout_engine("none")
    drawn_anew = [*clouds.values(), *panel.spines.values(), panel.title, legend]
    for artist in drawn_anew:
        artist.set_animated(True)
    canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib types only part of itself
    common = canvas.copy_from_bbox(sheet.bbox)  # type: ignore[no-untyped-call]  # as above
    for file in files:
        trace = read_trace(file)
        for side, cloud in clouds.items():
            cloud.set_offsets(trace[side][:, :2].numpy())
        panel.set_title(f"step {step_of(file):,}", fontsize=8)
        canvas.restore_region(common)  # type: ignore[no-untyped-call]  # as above
        for artist in drawn_anew:
            panel.draw_artist(artist)
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]  # as above
        yield Image.fromarray(pixels[..., :3].copy())
