"""Whether bfloat16 costs quality: the same recipes in it and in float32, on the same seeds.

    nox -s bf16

A recipe passes when the means of the Fréchet distance differ by less than the larger standard
deviation over the seeds. The small DCGAN and the small WGAN-GP on the digits of scikit-learn, for
1,500 steps each. Writes `benchmarks/bf16_quality.json`.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import seeds

import gan_toolkit

RECIPES = ("dcgan", "wgan")
PRECISIONS = ("fp32", "bf16")
STEPS = 1500
SAMPLES = 5000


def score(run: Path) -> seeds.Row:
    """Return the Fréchet distance of a run's samples."""
    (found,) = gan_toolkit.evaluate(run, n=SAMPLES, metrics=["fd"])
    return {"name": found.name, "fd": round(found.value, 4)}


def verdict(table: dict[str, list[seeds.Row]]) -> seeds.Row:
    """Return mean and deviation of each precision, and whether they are of one spread."""
    found = {precision: [row["fd"] for row in rows] for precision, rows in table.items()}
    means = {precision: statistics.fmean(values) for precision, values in found.items()}
    spread = max(statistics.stdev(values) for values in found.values())
    return {
        **{f"mean {precision}": round(mean, 3) for precision, mean in means.items()},
        "deviation over seeds": round(spread, 3),
        "alike": abs(means["bf16"] - means["fp32"]) < spread,
    }


def main() -> None:
    """Train, score and compare."""
    arguments = seeds.parser(__doc__ or "", seeds=5).parse_args()
    verdicts, tables = {}, {}
    with seeds.folder(arguments.keep) as runs:
        for recipe in RECIPES:
            table = {
                precision: [
                    seeds.row(
                        recipe,
                        seed,
                        runs,
                        score,
                        arguments.threads,
                        variant=precision,
                        sets=[
                            "data.name=digits",
                            f"steps={STEPS}",
                            f"compute.precision={precision}",
                        ],
                    )
                    for seed in range(arguments.seeds)
                ]
                for precision in PRECISIONS
            }
            for precision, rows in table.items():
                seeds.show(f"{recipe}, {precision}", rows)
                tables[f"{recipe}, {precision}"] = rows
            verdicts[recipe] = verdict(table)
            print(verdicts[recipe], flush=True)
    facts = {"steps": STEPS, "samples": SAMPLES, "verdicts": verdicts}
    seeds.write(
        arguments.out or Path(__file__).with_suffix(".json"), tables, arguments.threads, facts
    )


if __name__ == "__main__":
    main()
