"""One picture of a run that grew: the same latents in every row, a row a moment of growth.

    gantk train --arch progressive --set sample_every=20 --out run
    python benchmarks/progressive_strip.py run strip.png

Takes the run's own sample grids: one within each size and each fade-in, and the last.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from gan_toolkit import Catalogue, Run
from gan_toolkit.resolve import build
from gantk_progressive.growth import Progressive
from gantk_progressive.networks import SMALLEST

GRID_ROWS = 8
MARGIN = 90
"""Pixels to the left of the samples, for what a row shows."""


def moments(run: Run) -> dict[int, str]:
    """Return what to write beside the grids to show, by step: the middle of each stage."""
    recipe = build(run.recipe(), Catalogue.discover())
    assert isinstance(recipe.arch, Progressive)
    side = recipe.data.model_dump()["resolution"]
    steps = sorted(int(path.stem.split("-")[-1]) for path in (run.path / "samples").glob("*.png"))
    stages: dict[int, list[int]] = {}
    for step in steps:
        stages.setdefault(recipe.arch.stage_at(step * recipe.plan.reals_per_step), []).append(step)
    shown: dict[int, str] = {}
    for stage, within in stages.items():
        size = SMALLEST << (stage + 1) // 2
        if size <= side:
            middle = within[len(within) // 2]
            share = recipe.arch.level_at(middle * recipe.plan.reals_per_step) % 1
            shown[middle] = f"{size} px" + (f", {share:.0%}" if stage % 2 else "")
    return {**shown, steps[-1]: "the end"}


def strip(run: Run) -> Image.Image:
    """Return the first row of each of those grids, one below the other."""
    rows = {
        label: Image.open(run.sample_path(step)).convert("L")
        for step, label in moments(run).items()
    }
    width, height = next(iter(rows.values())).size
    height //= GRID_ROWS
    sheet = Image.new("L", (MARGIN + width, len(rows) * height), 255)
    draw = ImageDraw.Draw(sheet)
    for place, (label, grid) in enumerate(rows.items()):
        top = place * height
        sheet.paste(grid.crop((0, 0, width, height)), (MARGIN, top))
        middle = (MARGIN - 10, top + height // 2)
        draw.text(middle, label, fill=0, anchor="rm", font=ImageFont.load_default(14))
    return sheet


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    strip(Run(arguments.run)).save(arguments.picture, optimize=True)


if __name__ == "__main__":
    main()
