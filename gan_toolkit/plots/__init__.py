"""Pictures of a run, drawn from its own files: `RUN/plots`.

losses.png      what each player paid, and how often D was right, over the steps
samples.gif     the same latents through the run (images)
estimates.png   samples with D's own estimate under each (images)
points.png      reals and fakes at some steps (points)
points.gif      the same as an animation
features.png    D's feature layer of two units around each move of a step (points)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import Progress, silent
from gan_toolkit.run import PLOTS, Run

Draw = Callable[[Run, Path], bool]
"""Draws one picture of a run to a path; false when the run holds nothing to draw it of."""


def plot_run(
    run: Run,
    *,
    video: bool = False,
    plugins: Iterable[str | Path] = (),
    progress: Progress = silent,
) -> list[Path]:
    """Draw every picture that a run's files allow into `RUN/plots` and return their paths.

    `video` writes animations as MP4 in place of GIF. Raises `UsageError` when that cannot be done.
    """
    from gan_toolkit.animation import check_format
    from gan_toolkit.plots.curves import draw_losses
    from gan_toolkit.plots.images import draw_estimates, draw_samples_over_time
    from gan_toolkit.plots.points import draw_features, draw_points, draw_points_over_time

    moving = ".mp4" if video else ".gif"
    check_format(Path(f"x{moving}"))
    catalogue = Catalogue.discover(plugins)
    drawings: dict[str, Draw] = {
        "losses.png": draw_losses,
        f"samples{moving}": draw_samples_over_time,
        "estimates.png": lambda run, path: draw_estimates(run, path, catalogue),
        "points.png": draw_points,
        f"points{moving}": draw_points_over_time,
        "features.png": draw_features,
    }
    folder = run.path / PLOTS
    folder.mkdir(exist_ok=True)
    drawn = []
    for done, (name, draw) in enumerate(drawings.items()):
        progress("Drawing", done, len(drawings))
        if draw(run, folder / name):
            drawn.append(folder / name)
    progress("Drawing", len(drawings), len(drawings))
    return drawn
