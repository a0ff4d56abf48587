"""Evaluations while a run trains: scores of the averaged weights, the best of them kept.

    RUN/scores.jsonl      a line an evaluation: its step and its scores with receipts
    RUN/best/             the weights of the best one, a bundle like any, and `score.json`

Nothing here changes what is trained: a run with evaluations has the bits of one without.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from gan_toolkit import bundle
from gan_toolkit.description import Description
from gan_toolkit.errors import UsageError, did_you_mean
from gan_toolkit.evaluation import fitting
from gan_toolkit.files import replaced
from gan_toolkit.generator import Generator
from gan_toolkit.recipe import Recipe
from gan_toolkit.scoring import Exam, Metric, Score
from gan_toolkit.sides import Judged, examined, sat

if TYPE_CHECKING:
    import torch

    from gan_toolkit.catalogue import Catalogue
    from gan_toolkit.observer import Observer
    from gan_toolkit.run import Evaluations, Run

CANDIDATE = ".candidate"


class Watch:
    """Scores one run again and again, beside the same real samples."""

    def __init__(self, recipe: Recipe, catalogue: Catalogue, observer: Observer) -> None:
        self._recipe = recipe
        self._plan = recipe.plan.evaluation
        self._catalogue = catalogue
        self._observer = observer
        self._exam: Exam | None = None
        self._metrics: list[Metric] = []

    def due(self, step: int, *, ended: bool) -> bool:
        """Return whether a step is followed by an evaluation."""
        every = self._plan.every
        return bool(every) and (step % every == 0 or ended)

    def look(
        self,
        run: Run,
        step: int,
        networks: Mapping[str, nn.Module],
        about: Description,
        device: torch.device,
    ) -> dict[str, float]:
        """Score weights and keep them if they are the best so far; return values by score.

        They are scored from the file that they are written to: `gantk evaluate RUN/best` gives the
        same digits.
        """
        if any(evaluation["step"] == step for evaluation in run.evaluations()):
            return {}  # a run that is resumed at step 0 has been here
        folder = run.path / CANDIDATE
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        weights, config = folder / bundle.RUN_WEIGHTS, folder / bundle.CONFIG
        bundle.write_weights(weights, networks, about)
        bundle.write_config(config, about)
        scores = self._scores(Generator(weights, self._catalogue).to(device))
        run.append_evaluation({"step": step, "scores": [score.plain() for score in scores]})
        mark = self._mark(scores)
        best = best_of(run.evaluations(), mark)
        if best["step"] == step:
            keep(folder, run.best, best)
        shutil.rmtree(folder)
        return {score.name: score.value for score in scores}

    def over(self, run: Run) -> str:
        """Return why the run need not go on, or nothing: too many evaluations without a better."""
        patience, done = self._plan.patience, run.evaluations()
        if not patience or len(done) <= patience:
            return ""
        scores = [Score.model_validate(score) for score in done[-1]["scores"]]
        best = best_of(done, self._mark(scores))
        since = sum(evaluation["step"] > best["step"] for evaluation in done)
        if since < patience:
            return ""
        return (
            f"{best['name']} was no better than the {best['value']:.4g} of step {best['step']} in "
            f"{since} evaluations"
        )

    def _scores(self, model: Generator) -> list[Score]:
        plan, seed = self._plan, 0
        judged = Judged.of(model, plan.n, seed)
        if self._exam is None:
            self._exam = examined(
                judged,
                self._recipe.data,
                self._catalogue,
                n=plan.n,
                seed=seed,
                via=None,
                progress=self._observer.progress,
            )
            self._metrics = self._chosen(self._exam)
        exam = self._exam = sat(self._exam, judged, seed)
        return [score for metric in self._metrics for score in metric.scores(exam)]

    def _chosen(self, exam: Exam) -> list[Metric]:
        """Return the metrics that were asked for, or the first that fits and is watched."""
        if self._plan.metrics:
            return fitting(self._plan.metrics, None, exam)
        watched = [metric for metric in fitting(None, None, exam) if metric.watched]
        if not watched:
            raise UsageError(
                f"No installed metric is meant to be watched on '{exam.spec.name}'. Name one with "
                "--metric; `gantk list metric` shows them."
            )
        return watched[:1]

    def _mark(self, scores: list[Score]) -> Score:
        """Return the score that tells which of two moments is better."""
        ranked = [score for score in scores if score.better != "none"]
        asked = self._plan.best_by
        for score in ranked:
            if asked in {None, score.name}:
                return score
        names = [score.name for score in ranked]
        if asked is None:
            raise UsageError("evaluation.metrics: none of them says which way is better; add one.")
        raise UsageError(
            f"evaluation.best_by: no score is called '{asked}'.{did_you_mean(asked, names)} "
            f"Set it to one of: {', '.join(names)}."
        )


def best_of(done: Evaluations, mark: Score) -> dict[str, object]:
    """Return the best of evaluations, the earliest of equals, as `name`, `value` and `step`."""
    marked = [
        (score["value"], evaluation["step"])
        for evaluation in done
        for score in evaluation["scores"]
        if score["name"] == mark.name and score["receipt"]["n"] == mark.receipt.n
    ]
    sign = 1 if mark.better == "lower" else -1
    value, step = min(marked, key=lambda pair: (sign * pair[0], pair[1]))
    return {"name": mark.name, "value": value, "step": step}


def keep(candidate: Path, best: Path, told: Mapping[str, object]) -> None:
    """Make a candidate the best; what was best before stays whole until it is replaced."""
    best.mkdir(exist_ok=True)
    for file in (bundle.RUN_WEIGHTS, bundle.CONFIG):
        (candidate / file).replace(best / file)
    with replaced(best / "score.json") as temporary:
        temporary.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
