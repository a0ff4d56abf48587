"""The vanilla GAN on y = 10 + x² in full, on three seeds, with the recipe `quadratic`.

    python benchmarks/quadratic.py
    python benchmarks/quadratic.py --variants

The second command asks what more layers, wider layers and other activations do to time and to
stability, for 20,000 steps each; it writes `benchmarks/quadratic_variants.json`.

Scores 10,000 samples of each run's last checkpoint: the median distance from the curve over its
range of y, and the share of its range of x that is reached (`gantk_points.scores`). Writes
`benchmarks/quadratic.json`, which states the time it took.
"""

from __future__ import annotations

import dataclasses
import statistics
from pathlib import Path

import seeds

import gan_toolkit
from gan_toolkit.run import find_run
from gantk_points.curves import Curve
from gantk_points.scores import curve_scores

HERE = Path(__file__).parent
RECIPE = "quadratic"
SAMPLES = 10_000
SAMPLE_SEED = 1
"""Not the 0 that sample grids in the run folder use."""
VARIANTS = {
    "as it is": [],
    "one layer": ["arch.hidden=[16]"],
    "four layers": ["arch.hidden=[16, 16, 16, 16]"],
    "wide": ["arch.hidden=[64, 64]"],
    "relu": ["arch.activation=relu"],
    "tanh": ["arch.activation=tanh"],
}
"""What is changed in both networks."""
VARIANT_STEPS = 20_000


def score(run: Path) -> seeds.Row:
    """Return the curve scores of a run's exported generator, and how its losses swing.

    `swing` is the standard deviation of G's loss over the rows of the second half of the run.
    """
    samples = gan_toolkit.load(run).sample(SAMPLES, seed=SAMPLE_SEED)
    found = dataclasses.asdict(curve_scores(samples, Curve()))
    losses = [row["generator.adversarial.fake"] for row in find_run(run).rows()]
    return {
        **{name: round(found[name], 4) for name in ("error", "coverage", "inside")},
        "swing": round(statistics.stdev(losses[len(losses) // 2 :]), 3),
    }


def full(runs: Path, count: int, threads: int) -> dict[str, list[seeds.Row]]:
    """Return a row a seed, each with whether it is near enough to the curve."""
    rows = [seeds.row(RECIPE, seed, runs, score, threads) for seed in range(count)]
    for row in rows:
        row["reached"] = row["error"] <= 0.02 and row["coverage"] >= 0.9
    return {RECIPE: rows}


def variants(runs: Path, count: int, threads: int) -> dict[str, list[seeds.Row]]:
    """Return a row a seed of each variant."""
    short = [f"steps={VARIANT_STEPS}"]
    return {
        variant: [
            seeds.row(RECIPE, seed, runs, score, threads, variant=variant, sets=short + sets)
            for seed in range(count)
        ]
        for variant, sets in VARIANTS.items()
    }


def main() -> None:
    """Train, score, print and write."""
    parser = seeds.parser(__doc__, seeds=3)
    parser.add_argument("--variants", action="store_true", help="other layers and activations")
    arguments = parser.parse_args()
    made = variants if arguments.variants else full
    name = "quadratic_variants.json" if arguments.variants else "quadratic.json"
    with seeds.folder(arguments.keep) as runs:
        tables = made(runs, arguments.seeds, arguments.threads)
    for table, rows in tables.items():
        seeds.show(table, rows)
    seeds.write(arguments.out or HERE / name, tables, arguments.threads, {"samples": SAMPLES})


if __name__ == "__main__":
    main()
