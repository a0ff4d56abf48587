"""The grid of 25 and the ring of 8 Gaussians by PacGAN's protocol, with the shipped recipes.

    python benchmarks/gaussians.py

Trains `grid25` and `ring8` on five seeds each, one run after the other, and scores
2,500 samples of each run's last checkpoint (Lin et al. 2018, arXiv:1712.04086, section 4.1;
`gantk_points.scores` says what each score means). Writes `benchmarks/gaussians.json`, which states
the time it took.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import cast

import seeds

import gan_toolkit
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.resolve import Request, resolve
from gantk_points.mixtures import Mixture
from gantk_points.scores import mode_scores

HERE = Path(__file__).parent
RECIPES = ("grid25", "ring8")
SAMPLES = 2500
SAMPLE_SEED = 1
"""Not the 0 that sample grids in the run folder use."""
PACGAN = {
    "grid25": {"modes": 24.8, "quality": 0.936, "reverse_kl": 0.04, "updates": 400_000},
    "ring8": {"modes": 7.8, "quality": 0.959, "reverse_kl": 0.07, "updates": 400_000},
}
"""PacGAN4 in its authors' table, the mean of ten runs."""


def score(run: Path) -> seeds.Row:
    """Return the mode scores of a run's exported generator."""
    generator = gan_toolkit.load(run)
    settled = resolve(Request(recipe=str(run / "recipe.toml")), Catalogue.discover())
    data = cast(Mixture, settled.data)
    found = mode_scores(generator.sample(SAMPLES, seed=SAMPLE_SEED), data.means, data.sd)
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in dataclasses.asdict(found).items()
        if name != "n"
    }


def reached(row: seeds.Row, modes: int) -> bool:
    """Return whether a run reached what these recipes promise."""
    return all(
        (
            row["modes"] == modes,
            0.94 <= row["quality"] <= 0.995,
            row["reverse_kl"] <= 0.02,
            row["spread_low"] >= 0.7,
            row["spread_high"] <= 1.3,
        )
    )


def main() -> None:
    """Train, score, print and write."""
    parser = seeds.parser(__doc__, seeds=5)
    parser.add_argument("--only", choices=RECIPES, help="one of the recipes")
    arguments = parser.parse_args()
    tables: dict[str, list[seeds.Row]] = {}
    with seeds.folder(arguments.keep) as runs:
        for recipe in (arguments.only,) if arguments.only else RECIPES:
            tables[recipe] = [
                seeds.row(recipe, seed, runs, score, arguments.threads)
                for seed in range(arguments.seeds)
            ]
            for row in tables[recipe]:
                row["reached"] = reached(row, modes=8 if recipe == "ring8" else 25)
            seeds.show(recipe, tables[recipe])
    facts = {"samples": SAMPLES, "true data": {"quality": 0.9889}, "PacGAN4": PACGAN}
    out = arguments.out or HERE / "gaussians.json"
    if out.exists():  # one recipe alone leaves the others' rows
        tables = {**json.loads(out.read_text(encoding="utf-8"))["runs"], **tables}
    seeds.write(out, tables, arguments.threads, facts)


if __name__ == "__main__":
    main()
