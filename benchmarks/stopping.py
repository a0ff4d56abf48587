"""What it costs to stop a run where the doctor, or patience with its scores, says so.

    nox -s stopping

Three recipes are trained at three times their planned length and scored on the way. The score where
`converged` is said, and where six evaluations in a row brought no better one, is held against the
best moment of the whole run. Writes `benchmarks/stopping.json`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import gan_toolkit
from gan_toolkit.doctor import consulted
from gan_toolkit.run import Run
from gan_toolkit.system import versions

JSON = Path(__file__).with_suffix(".json")
PATIENCE = 6
TIMES = 3
EVALUATIONS = 24
RECIPES: dict[str, dict[str, Any]] = {  # Any: TOML values
    "dcgan": {"data": "mnist", "planned": 1500, "metric": "fd", "n": 4096},
    "cdcgan": {"data": "mnist", "planned": 1000, "metric": "fd", "n": 4096},
    "mlp": {"data": "ring", "planned": 3000, "metric": "energy", "n": 4096},
}


def train(recipe: str, path: Path) -> Run:
    """Train one recipe at three times its planned length."""
    asked = RECIPES[recipe]
    steps = TIMES * asked["planned"]
    settings = {
        "steps": steps,
        "planned_steps": asked["planned"],
        "sample_every": steps,
        "compute.threads": 1,
        "evaluation.every": steps // EVALUATIONS,
        "evaluation.n": asked["n"],
        "evaluation.metrics": [asked["metric"]],
    }
    return gan_toolkit.train(arch=recipe, data=asked["data"], settings=settings, out=path)


def costs(run: Run) -> dict[str, Any]:  # Any: JSON values
    """Return where each rule stops a run, and its score there beside the best."""
    course = [(each["step"], each["scores"][0]["value"]) for each in run.evaluations()]
    best = min(value for _, value in course)
    told = {"steps": course[-1][0], "best": best, "best_step": min(course, key=_value)[0]}
    said = [finding.since for finding in consulted(run).history if finding.name == "converged"]
    stops = {"converged": said[0] if said else None, "patience": patient(course)}
    for rule, stop in stops.items():
        if stop is None:
            told[rule] = None
            continue
        there = next(value for step, value in course if step >= stop)
        told[rule] = {"step": stop, "score": there, "cost": round(there / best - 1, 4)}
    return told


def patient(course: list[tuple[int, float]]) -> int | None:
    """Return the step at which patience ends, if it does."""
    for place in range(PATIENCE, len(course)):
        if min(course[: place + 1], key=_value)[0] <= course[place - PATIENCE][0]:
            return course[place][0]
    return None


def _value(pair: tuple[int, float]) -> tuple[float, int]:
    return pair[1], pair[0]


def main() -> None:
    """Train all and write what stopping costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=RECIPES, help="one recipe, not written")
    only = parser.parse_args().only
    result: dict[str, Any] = {"command": "nox -s stopping", "patience": PATIENCE, "recipes": {}}
    with tempfile.TemporaryDirectory() as folder:
        for recipe in [only] if only else RECIPES:
            result["recipes"][recipe] = costs(train(recipe, Path(folder) / recipe))
            print(recipe, json.dumps(result["recipes"][recipe]), flush=True)
    result["versions"] = versions()
    if not only:
        JSON.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
