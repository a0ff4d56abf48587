"""Evaluations while a run trains: they change nothing, and the best weights are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import gan_toolkit
from gan_toolkit.errors import RecipeError, UnknownName, UsageError
from gan_toolkit.evaluation import evaluate
from gan_toolkit.observer import Observer
from gan_toolkit.run import Run

Sketch = Callable[..., Run]
SKETCHES = Path(__file__).parent / "sketches.py"
EVERY: dict[str, Any] = {
    "evaluation.every": 4,
    "evaluation.n": 20,
    "evaluation.metrics": ["energy"],
}


def course(run: Run) -> list[tuple[int, float]]:
    return [(each["step"], each["scores"][0]["value"]) for each in run.evaluations()]


def told(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.best / "score.json").read_text())
    return found


def test_a_run_with_evaluations_has_the_bits_of_one_without(
    sketch: Sketch, last_tensors: Callable[[Run], dict[str, Tensor]]
) -> None:
    plain = last_tensors(sketch(out="a"))
    watched = last_tensors(sketch(out="b", settings=EVERY))
    same = {name for name in plain if not name.startswith(("readings/", "vitals/"))}
    assert same
    assert all(torch.equal(plain[name], watched[name]) for name in same)


def test_scores_are_taken_at_step_0_every_so_many_and_at_the_end(sketch: Sketch) -> None:
    run = sketch(settings={**EVERY, "steps": 18})
    assert [step for step, _ in course(run)] == [0, 4, 8, 12, 16, 18]
    scored = {row["step"]: row for row in run.rows() if "score.energy" in row}
    later = [(step, value) for step, value in course(run) if step]
    assert [(step, row["score.energy"]) for step, row in scored.items()] == later
    for step, row in scored.items():
        best = min((value, at) for at, value in course(run) if at <= step)
        assert (row["best.value"], row["best.step"]) == best


def test_the_best_weights_score_again_what_the_run_says(
    sketch: Sketch, vectors: tuple[Tensor, Tensor]
) -> None:
    run = sketch(settings=EVERY)
    best = min(course(run), key=lambda pair: (pair[1], pair[0]))
    assert (told(run)["step"], told(run)["value"]) == best
    score = evaluate(run.best, vectors, metrics=["energy"], n=20, plugins=[SKETCHES])[0]
    assert score.value == best[1]
    assert {"n": 20, "seed": 0}.items() <= run.evaluations()[-1]["scores"][0]["receipt"].items()


def test_what_does_not_fit_a_resumed_run_is_told_alike_each_time(
    sketch: Sketch, vectors: tuple[Tensor, Tensor]
) -> None:
    run = sketch(settings={**EVERY, "steps": 4})
    heard: list[str] = []
    observer = Observer()
    observer.warn = heard.append  # type: ignore[method-assign,assignment]  # for this one
    gan_toolkit.train(
        resume=run.path,
        data=vectors,
        settings={"evaluation.metrics": ["fd"], "steps": 12},
        plugins=[SKETCHES],
        observer=observer,
    )
    told = [line for line in heard if "The evaluation at step" in line]
    assert len(told) == 2
    assert all("fd does not fit" in line for line in told)


def test_higher_may_be_better(sketch: Sketch, tmp_path: Path) -> None:
    plugin = tmp_path / "rising.py"
    plugin.write_text(RISING)
    settings = {**EVERY, "evaluation.metrics": ["norm"], "steps": 12}
    run = gan_toolkit.train(
        arch="plain",
        data=torch.randn(50, 8, generator=torch.Generator().manual_seed(0)),
        settings={"batch": 12, "log_every": 3, **settings},
        out=tmp_path / "run",
        plugins=[SKETCHES, plugin],
    )
    assert told(run)["value"] == max(value for _, value in course(run))


RISING = '''
from gan_toolkit import Component, hookimpl
from gan_toolkit.scoring import Metric, Score


class Norm(Metric):
    """Mean norm of the samples."""

    def scores(self, exam):
        value = sum(float(c["sample"].norm(dim=1).sum()) for c in exam.fake.chunks()) / exam.fake.n
        return [Score(name="norm", value=value, better="higher", receipt=exam.signed())]


@hookimpl
def gantk_components():
    return [Component("metric", "norm", Norm, "Mean norm")]
'''


TWO = """
from pathlib import Path

from gan_toolkit import Component, hookimpl
from gan_toolkit.scoring import Metric, Score

TALLY = Path({tally!r})
DOWN = [4.0, 5.0, 9.0, 8.0, 7.0, 7.5]


class Two(Metric):
    def scores(self, exam):
        past = len(TALLY.read_text()) if TALLY.exists() else 0
        TALLY.write_text("x" * (past + 1))
        receipt = exam.signed()
        return [
            Score(name="up", value=past + 1.0, better="higher", receipt=receipt),
            Score(name="down", value=DOWN[past], better="lower", receipt=receipt),
        ]


@hookimpl
def gantk_components():
    return [Component("metric", "two", Two, "Two scores that disagree")]
"""


def test_a_resumed_run_has_the_same_scores_and_the_same_best(sketch: Sketch) -> None:
    whole = sketch(out="whole", settings={**EVERY, "steps": 20})
    part = sketch(out="part", settings={**EVERY, "steps": 10, "planned_steps": 20})
    resumed = sketch(resume=part.path, settings={"steps": 20})
    at_both = [pair for pair in course(resumed) if pair[0] != 10]
    assert at_both == course(whole)
    assert told(resumed)["value"] == min(value for _, value in course(resumed))


def test_what_a_kill_left_beyond_the_checkpoint_is_scored_again(sketch: Sketch) -> None:
    run = sketch(settings={**EVERY, "steps": 12, "planned_steps": 20})
    before = course(run)
    run.append_evaluation({"step": 13, "scores": []})
    resumed = sketch(resume=run.path, settings={"steps": 16})
    assert course(resumed)[: len(before)] == before
    assert [step for step, _ in course(resumed)] == [0, 4, 8, 12, 16]


def test_another_score_decides_among_weights_that_are_there(
    sketch: Sketch, vectors: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    """Of those that were best by it before the change, nobody kept the weights."""
    plugin = tmp_path / "two.py"
    plugin.write_text(TWO.format(tally=str(tmp_path / "tally")))
    run = gan_toolkit.train(
        arch="plain",
        data=vectors[0],
        settings={
            "batch": 12,
            "log_every": 3,
            "steps": 12,
            "planned_steps": 20,
            **EVERY,
            "evaluation.metrics": ["two"],
            "evaluation.best_by": "up",
        },
        out=tmp_path / "run",
        plugins=[SKETCHES, plugin],
    )
    assert told(run) == {"name": "up", "value": 4.0, "step": 12}  # 1, 2, 3, 4
    run = gan_toolkit.train(
        resume=run.path,
        data=vectors[0],
        settings={"evaluation.best_by": "down", "steps": 20},
        plugins=[SKETCHES, plugin],
    )
    rows = {
        row["step"]: (row["best.value"], row["best.step"])
        for row in run.rows()
        if "best.step" in row
    }
    assert rows[16] == (7.0, 16), "not step 0, which has 4: 4, 5, 9, 8, 7, 7.5"
    assert rows[20] == (7.0, 16)
    assert told(run) == {"name": "down", "value": 7.0, "step": 16}


def test_patience_ends_a_run_that_gets_no_better(sketch: Sketch) -> None:
    frozen = {f"updates.{name}.optimiser.lr": 0.0 for name in ("discriminator", "generator")}
    notes: list[str] = []

    class Notes(gan_toolkit.Observer):
        def note(self, text: str) -> None:
            notes.append(text)

    settings = {**EVERY, **frozen, "evaluation.patience": 2}
    run = sketch(settings=settings, observer=Notes())
    assert [step for step, _ in course(run)] == [0, 4, 8]
    assert run.rows()[-1]["step"] == 8
    assert run.newest(pytest.fail).step == 8
    assert "Stopped at step 8 of 20" in notes[-1]
    assert "--set evaluation.patience=0" in notes[-1]
    resumed = sketch(resume=run.path, settings={"evaluation.patience": 0})
    assert resumed.rows()[-1]["step"] == 20


def test_an_evaluation_that_fails_later_does_not_end_the_run(
    vectors: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    plugin = tmp_path / "failing.py"
    plugin.write_text(RISING.replace("value = sum", "fail(exam)\n        value = sum") + FAILING)
    warnings: list[str] = []

    class Warnings(gan_toolkit.Observer):
        def warn(self, text: str) -> None:
            warnings.append(text)

    run = gan_toolkit.train(
        arch="plain",
        data=vectors,
        settings={"batch": 12, "steps": 12, **EVERY, "evaluation.metrics": ["norm"]},
        out=tmp_path / "run",
        plugins=[SKETCHES, plugin],
        observer=Warnings(),
    )
    assert [step for step, _ in course(run)] == [0, 4]
    assert run.rows()[-1]["step"] == 12
    assert warnings == [
        f"The evaluation at step {step} failed: no more. The run goes on without it."
        for step in (8, 12)
    ]


FAILING = """
seen = []

def fail(exam):
    seen.append(exam)
    if len(seen) > 2:
        raise ValueError("no more")
"""


def test_scores_of_other_numbers_of_samples_are_not_compared(sketch: Sketch) -> None:
    run = sketch(settings={**EVERY, "steps": 8, "planned_steps": 16})
    fewer = sketch(resume=run.path, settings={"evaluation.n": 5, "steps": 16})
    late = [value for step, value in course(fewer) if step > 8]
    assert told(fewer)["value"] == min(late)


def test_an_unknown_metric_is_told_before_anything_is_made(sketch: Sketch, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'energy'"):
        sketch(settings={**EVERY, "evaluation.metrics": ["enrgy"]})
    assert not (tmp_path / "run").exists()


def test_a_metric_that_does_not_fit_is_told_before_the_first_step(sketch: Sketch) -> None:
    with pytest.raises(UsageError, match="fd does not fit"):
        sketch(settings={**EVERY, "evaluation.metrics": ["fd"]})


def test_an_unknown_score_to_go_by_is_told_with_those_there_are(sketch: Sketch) -> None:
    with pytest.raises(UsageError, match=r"no score is called 'fd'.*energy"):
        sketch(settings={**EVERY, "evaluation.best_by": "fd"})


def test_left_out_a_metric_that_is_meant_to_be_watched_is_taken(sketch: Sketch) -> None:
    run = sketch(settings={**EVERY, "evaluation.metrics": []})
    assert told(run)["name"] == "energy"


def test_evaluation_is_no_part_of_what_a_run_is(sketch: Sketch) -> None:
    run = sketch(settings={"steps": 10})
    resumed = sketch(resume=run.path, settings={**EVERY, "steps": 12})
    assert [step for step, _ in course(resumed)] == [12]


@pytest.mark.parametrize(
    ("key", "value"),
    [("evaluation.every", -1), ("evaluation.n", 1), ("evaluation.patience", -2), ("stop_on", 3)],
)
def test_bad_values_are_refused(sketch: Sketch, key: str, value: int) -> None:
    with pytest.raises(RecipeError, match=key):
        sketch(settings={key: value})
