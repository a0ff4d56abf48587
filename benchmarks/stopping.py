"""What it costs to stop a run where the doctor, or patience with its scores, says so.

    nox -s stopping
    python benchmarks/stopping.py --data mnist --device cuda --only dcgan cdcgan wgan

Each recipe is trained at its own length and on to three times that, its rates staying where they
fell to, and evaluated at 24 moments. Afterwards each moment's weights are scored anew, on samples
of other seeds. A rule that stops a run leaves its user RUN/best, the best weights by then, and the
last ones: the score of each is held against that of the best of all moments. Runs are on seeds that
no rule was chosen by. Each is added to `benchmarks/stopping.json`.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

from gan_toolkit import Catalogue, Observer
from gan_toolkit.doctor import consulted
from gan_toolkit.evaluation import evaluate
from gan_toolkit.generator import Generator
from gan_toolkit.resolve import Request, resolve
from gan_toolkit.run import Run
from gan_toolkit.system import versions
from gan_toolkit.training import prepare

JSON = Path(__file__).with_suffix(".json")
PATIENCE = 6
TIMES = 3
MOMENTS = 24
N, SEEDS = 4096, 3
"""Samples of a score, and seeds that it is the mean of."""
RECIPES = {"dcgan": "fd", "cdcgan": "fd", "wgan": "fd", "mlp": "energy"}
DATA = {"mlp": "ring"}
"""What a recipe is trained on where it cannot be on images."""


class Keeping(Observer):
    """Copies the generator of every moment."""

    def __init__(self, run: Path, every: int) -> None:
        self._run = run
        self._every = every

    def advanced(self, step: int) -> None:
        """Copy what the checkpoint of this step has just written."""
        if step % self._every == 0:
            shutil.copy(self._run / "generator.safetensors", weights(self._run, step))


def weights(run: Path, step: int) -> Path:
    """Return where the weights of a moment are kept."""
    return run.with_name(f"{run.name}-{step}.safetensors")


def train(recipe: str, data: str, seed: int, device: str, path: Path) -> Run:
    """Train one recipe at three times its planned length, the weights of each moment kept."""
    planned = resolve(Request(arch=recipe, data=data), Catalogue.discover()).plan.length
    every = TIMES * planned // MOMENTS
    settings = {
        "steps": TIMES * planned,
        "planned_steps": planned,
        "seed": seed,
        "sample_every": TIMES * planned,
        "checkpoint_every": every,
        "compute.threads": 1,
        "compute.device": device,
        "evaluation.every": every,
        "evaluation.metrics": [RECIPES[recipe]],
    }
    request = Request(arch=recipe, data=data, settings=settings)
    trainer = prepare(request, Catalogue.discover(), Observer()).trainer(Keeping(path, every))
    trainer.run(run := trainer.start(path))
    return run


def scores(run: Run, metric: str, data: str, device: str) -> dict[int, tuple[float, float]]:
    """Return the score of each moment's weights on samples of other seeds, and its error."""
    found = {}
    for step in (each["step"] for each in run.evaluations() if each["step"]):
        model = Generator(weights(run.path, step), Catalogue.discover()).to(device)
        score = evaluate(model, data, metrics=[metric], n=N, seed=1, seeds=SEEDS)[0]
        found[step] = (score.value, (score.deviation or 0.0) / math.sqrt(SEEDS))
    return found


def costs(run: Run, scored: dict[int, tuple[float, float]]) -> dict[str, Any]:  # Any: JSON values
    """Return where each rule stops a run, and the scores of what it leaves beside the best."""
    course = [(each["step"], each["scores"][0]["value"]) for each in run.evaluations()]
    best = min(scored, key=lambda step: (scored[step], step))
    told: dict[str, Any] = {"steps": course[-1][0], "best": _told(best, scored)}
    said = [finding.since for finding in consulted(run).history if finding.name == "converged"]
    for rule, stop in (("converged", next(iter(said), None)), ("patience", patient(course))):
        if stop is None:
            told[rule] = None
            continue
        seen = [(value, step) for step, value in course if 0 < step <= stop]
        left = {"best": min(seen)[1], "last": seen[-1][1]}
        told[rule] = {"step": stop} | {
            f"{which} weights": _told(step, scored) | _cost(step, best, scored)
            for which, step in left.items()
        }
    return told


def _told(step: int, scored: dict[int, tuple[float, float]]) -> dict[str, float]:
    value, error = scored[step]
    return {"step": step, "score": value, "error": error}


def _cost(step: int, best: int, scored: dict[int, tuple[float, float]]) -> dict[str, float]:
    """Return by what share of the best a score is worse, and by how many standard errors."""
    (value, error), (least, its_error) = scored[step], scored[best]
    beyond = (value - least) / max(math.hypot(error, its_error), 1e-12)
    return {"cost": round(value / least - 1, 4), "errors": round(beyond, 1)}


def patient(course: list[tuple[int, float]]) -> int | None:
    """Return the step at which patience ends, if it does."""
    for place in range(PATIENCE, len(course)):
        so_far = min((value, step) for step, value in course[: place + 1])
        if so_far[1] <= course[place - PATIENCE][0]:
            return course[place][0]
    return None


def row(name: str, told: dict[str, Any]) -> str:  # Any: JSON values
    """Return the line of the documentation's table that shows a run."""
    shown = [name, f"{told['best']['score']:.3g}"]
    for rule, left in (("converged", ("best", "last")), ("patience", ("best",))):
        stop = told[rule]
        shown.append(f"{stop['step']:,} of {told['steps']:,}" if stop else "—")
        shown += [f"{100 * stop[f'{w} weights']['cost']:.0f} %" if stop else "—" for w in left]
    return f"| {' | '.join(shown)} |"


def main() -> None:
    """Train all and write what stopping costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=RECIPES, nargs="+", default=list(RECIPES))
    parser.add_argument("--data", default="digits", help="of the recipes of images")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=JSON)
    asked = parser.parse_args()
    for seed in asked.seeds:
        for recipe in asked.only:
            data = DATA.get(recipe, asked.data)
            with tempfile.TemporaryDirectory() as folder:
                run = train(recipe, data, seed, asked.device, Path(folder) / "run")
                told = costs(run, scores(run, RECIPES[recipe], data, asked.device))
            name = f"{recipe} {data} {seed}"
            print(row(name, told), flush=True)
            result = json.loads(asked.out.read_text()) if asked.out.exists() else {}
            result |= {"patience": PATIENCE, "samples": N, "seeds of a score": SEEDS}
            about = {"device": asked.device, "versions": versions()}
            result["runs"] = {**result.get("runs", {}), name: told | about}
            asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
