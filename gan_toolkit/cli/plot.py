"""`gantk plot`: a run's pictures, drawn from its files."""

from __future__ import annotations

from typing import Annotated

import typer

from gan_toolkit.cli.common import AsJson, PluginFiles, print_json, warn


def plot(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    video: Annotated[bool, typer.Option("--mp4", help="Animations as MP4, not GIF.")] = False,
    as_json: AsJson = False,
    plugin: PluginFiles = None,
) -> None:
    """Draw a run's pictures again: losses, samples over time, D's estimates.

    They go to RUN/plots. Runs on points also show points and D's features over time.
    """
    from gan_toolkit.cli.display import Display
    from gan_toolkit.plots import plot_run
    from gan_toolkit.run import find_run

    display = Display()
    try:
        drawn = plot_run(
            find_run(run), video=video, plugins=plugin or (), progress=display.progress
        )
    finally:
        display.close()
    if as_json:
        print_json([str(path) for path in drawn])
    elif drawn:
        print(*drawn, sep="\n")
    else:
        warn(f"'{run}' holds nothing to draw yet; its first row comes after `log_every` steps.")
