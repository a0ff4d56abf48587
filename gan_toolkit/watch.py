"""Evaluations while a run trains: scores of the averaged weights, the best of them kept.

    RUN/scores.jsonl      a line an evaluation: its step and its scores with receipts
    RUN/best/             the weights of the best one, a bundle like any, and `score.json`

Nothing here changes what is trained: a run with evaluations has the bits of one without.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from gan_toolkit import bundle
from gan_toolkit.description import Description
from gan_toolkit.errors import UsageError, did_you_mean
from gan_toolkit.evaluation import fitting, scored
from gan_toolkit.files import replaced
from gan_toolkit.generator import Generator
from gan_toolkit.recipe import Recipe
from gan_toolkit.run import BEST_SCORE, Evaluations, Row, Run
from gan_toolkit.scoring import Exam, Metric, Score
from gan_toolkit.sides import Judged, examined, sat

if TYPE_CHECKING:
    import torch

    from gan_toolkit.catalogue import Catalogue
    from gan_toolkit.observer import Observer

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
        self._done: Evaluations = []
        self._best: Row = {}

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
        """Score weights and keep them if they are the best so far; return figures for a row.

        `score.NAME` of each score, `best.value` and `best.step` of the one that decides.
        They are scored from the file that they are written to: `gantk evaluate RUN/best` gives the
        same digits.
        """
        done = run.evaluations()
        if any(evaluation["step"] == step for evaluation in done):
            return {}  # a run that is resumed at step 0 has been here
        folder = run.path / CANDIDATE
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        weights, config = folder / bundle.RUN_WEIGHTS, folder / bundle.CONFIG
        bundle.write_weights(weights, networks, about)
        bundle.write_config(config, about)
        scores = self._scores(Generator(weights, self._catalogue).to(device))
        mark = self._mark(scores)
        evaluation = {"step": step, "scores": [score.plain() for score in scores]}
        run.append_evaluation(evaluation)
        self._done = [*done, evaluation]
        self._best = best_of(_at_hand(self._done, run), mark)
        keep(folder if self._best["step"] == step else None, run.best, self._best)
        shutil.rmtree(folder)
        figures = {f"score.{score.name}": score.value for score in scores}
        return {**figures, "best.value": self._best["value"], "best.step": self._best["step"]}

    @property
    def over(self) -> str:
        """Why the run need not go on, or nothing: too many evaluations without a better one."""
        best = self._best
        since = sum(evaluation["step"] > best["step"] for evaluation in self._done)
        if not self._plan.patience or since < self._plan.patience:
            return ""
        return (
            f"{best['name']} was no better than the {best['value']:.4g} of step {best['step']} in "
            f"{since} evaluations"
        )

    def _scores(self, model: Generator) -> list[Score]:
        plan, seed = self._plan, 0
        judged = Judged.of(model, plan.n, seed)
        if self._exam is not None:
            self._exam = sat(self._exam, judged, seed)
        else:
            exam = examined(
                judged,
                self._recipe.data,
                self._catalogue,
                n=plan.n,
                seed=seed,
                via=None,
                progress=self._observer.progress,
            )
            self._metrics = self._chosen(exam)
            self._exam = exam  # only then: what cannot be scored is told anew each time
        return scored(self._metrics, self._exam)

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


def _at_hand(done: Evaluations, run: Run) -> Evaluations:
    """Return the evaluations of the weights that are kept and of the newest ones.

    None of the others was better as long as the same score decided; another one that decides now
    can choose among weights that there are. All of them, if that of the kept ones is lost.
    """
    kept = None
    with suppress(OSError, ValueError, LookupError, TypeError):  # there is none, or a damaged one
        kept = json.loads((run.best / BEST_SCORE).read_text(encoding="utf-8"))["step"]
    known = [evaluation for evaluation in done[:-1] if evaluation["step"] == kept]
    return [*known, done[-1]] if known else done


def best_of(done: Evaluations, mark: Score) -> Row:
    """Return the best of evaluations, the earliest of equals, as `name`, `value` and `step`.

    Those of other numbers of samples than `mark`'s are passed over.
    """
    marked = (
        (Score.model_validate(plain), evaluation["step"])
        for evaluation in done
        for plain in evaluation["scores"]
        if plain["name"] == mark.name and plain["receipt"]["n"] == mark.receipt.n
    )
    best, step = min(marked, key=lambda pair: (pair[0].rank, pair[1]))
    return {"name": best.name, "value": best.value, "step": step}


def keep(candidate: Path | None, best: Path, told: Row) -> None:
    """Make a candidate, if there is one, the best; tell what the best is the best by.

    What was best before stays whole until it is replaced.
    """
    best.mkdir(exist_ok=True)
    if candidate is not None:
        for file in (bundle.RUN_WEIGHTS, bundle.CONFIG):
            (candidate / file).replace(best / file)
    with replaced(best / BEST_SCORE) as temporary:
        temporary.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
