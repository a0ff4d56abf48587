"""Does a run end as well as its best moment? Each default MNIST recipe, at three times its length.

    GANTK_DATA=data nox -s long-runs
    GANTK_DATA=data python benchmarks/long_runs.py --only wgan --keep runs/long

Trains each recipe as `gantk train --arch NAME --data mnist` does, then for three times as many
steps, its schedules stretched along. `fd-digits` of 10,000 samples is taken of the long run's
averaged generator at 24 steps, evenly apart, and of the plain run's at its end. What is wanted:
last / best at most 1.10, and the long run's last no worse than the plain run's. Runs and weights
in `--keep` are taken up where they stand. Writes `benchmarks/long_runs.json`, one entry a recipe.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TypedDict

import gan_toolkit
from gan_toolkit import Catalogue, Observer
from gan_toolkit.evaluation import evaluate
from gan_toolkit.resolve import Request, resolve
from gan_toolkit.system import versions

HERE = Path(__file__).parent
RECIPES = ("dcgan", "cdcgan", "wgan", "progressive")
TIMES = 3
LOOKS = 24
SAMPLES = 10_000


class Outcome(TypedDict):
    """What is known of one run."""

    steps: int
    minutes: float
    distances: dict[int, float]
    """`fd-digits` by step."""


class Keeping(Observer):
    """Copies the exported generator at certain steps."""

    def __init__(self, run: Path, steps: set[int]) -> None:
        self.run = run
        self.steps = steps

    def advanced(self, step: int) -> None:
        """Copy what the checkpoint of this step has just written."""
        if step in self.steps:
            shutil.copy(self.run / "generator.safetensors", weights(self.run, step))


def weights(run: Path, step: int) -> Path:
    """Return where the weights of a step are kept."""
    return run.with_name(f"{run.name}-{step:06d}.safetensors")


def trained(name: str, run: Path, *, times: int, looks: int, threads: int) -> Outcome:
    """Train a recipe at so many times its length; return steps, minutes and distances."""
    plan = resolve(Request(arch=name, data="mnist"), Catalogue.discover()).plan
    every = times * plan.length // looks
    steps = every * looks
    marks = {every * (look + 1) for look in range(looks)}
    watching = Keeping(run, marks)
    if run.exists():
        if not weights(run, steps).exists():
            gan_toolkit.train(resume=run, observer=watching)
    else:
        settings = {"steps": steps, "checkpoint_every": every, "compute.threads": threads}
        settings["sample_every"] = max(1, steps // 16)
        gan_toolkit.train(arch=name, data="mnist", settings=settings, out=run, observer=watching)
    minutes = gan_toolkit.Run(run).rows()[-1]["seconds"] / 60
    distances = {}
    for step in sorted(marks):
        (score,) = evaluate(weights(run, step), "mnist", metrics=["fd"], n=SAMPLES)
        distances[step] = round(score.value, 3)
        print(f"{name}, step {step} of {steps}: {score.name} {score.value:.2f}", flush=True)
    return {"steps": steps, "minutes": round(minutes, 1), "distances": distances}


def judged(name: str, folder: Path, threads: int) -> dict[str, object]:
    """Return what is known of a recipe after its plain and its long run."""
    plain = trained(name, folder / f"{name}-plain", times=1, looks=1, threads=threads)
    long = trained(name, folder / f"{name}-long", times=TIMES, looks=LOOKS, threads=threads)
    distances = list(long["distances"].values())
    (default,) = plain["distances"].values()
    return {
        "plain": plain,
        "long": long,
        "last_over_best": round(distances[-1] / min(distances), 3),
        "last_over_plain": round(distances[-1] / default, 3),
        "threads": threads,
        "samples": SAMPLES,
        "when": time.strftime("%Y-%m-%d"),
        "versions": versions(),
    }


def main() -> None:
    """Train and score, one recipe after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=RECIPES, action="append", help="recipes; else all")
    parser.add_argument("--keep", type=Path, help="folder for the runs; else a temporary one")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "long_runs.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in arguments.only or RECIPES:
            found = judged(name, folder, arguments.threads)
            known = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
            text = json.dumps(known | {name: found}, indent=2)
            arguments.out.write_text(text + "\n", encoding="utf-8")
            print(name, found["last_over_best"], found["last_over_plain"])


if __name__ == "__main__":
    main()
