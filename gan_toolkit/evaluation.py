"""Score a model against data: open both, hand them to the metrics that fit."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from torch import Tensor

from gan_toolkit.blame import blaming
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.choice import choose_data
from gan_toolkit.data import DataSet, Progress, silent
from gan_toolkit.errors import RecipeError, UsageError
from gan_toolkit.generator import Generator
from gan_toolkit.recipe import Values
from gan_toolkit.references import find_model
from gan_toolkit.resolve import Parts, assigned, put
from gan_toolkit.scoring import Exam, FeatureMetric, Metric, Score
from gan_toolkit.sides import Judged, Rows, examined, sat
from gan_toolkit.tensors import TensorData


@blaming()
def evaluate(
    model: str | Path | Generator | Rows,
    data: str | DataSet | Rows | None = None,
    *,
    sets: Sequence[str] = (),
    metrics: Iterable[str | Metric] | None = None,
    n: int = 10_000,
    seed: int = 0,
    seeds: int = 1,
    extractor: str | None = None,
    via: int | None = None,
    plugins: Iterable[str | Path] = (),
    offline: bool = False,
    progress: Progress = silent,
    note: Callable[[str], None] = lambda _: None,
) -> list[Score]:
    """Return the scores of a model's `n` samples of `seed` against real data.

    Of several `seeds`, from `seed` on, each score that all of them have is the mean and says how
    they deviate.

    `model` is what `load` takes, an open generator, or samples themselves.
    `data` left out is what the model was trained on; a tensor is taken as `train` takes it. `sets`
    change its options, as in `["data.split=test"]`.
    `metrics` left out is every installed one that fits; `note` is told which do not and why.
    `extractor` is for every metric that takes one, `via` is a side in pixels that both kinds of
    samples are sent through first. The same call gives the same digits on the same machine with
    the same number of threads. Raises `GantkError`.
    """
    if n < 1 or seeds < 1 or seed < 0:
        raise UsageError("n and seeds must be positive and seed must not be negative.")
    if seeds > 1 and isinstance(model, Tensor | tuple):
        raise UsageError("Samples have no seed to change; leave seeds out.")
    catalogue = Catalogue.discover(plugins)
    if isinstance(model, str | Path):
        path = find_model(model, catalogue, offline=offline, progress=progress)
        model = Generator(path, catalogue)
    judged = Judged.of(model, n, seed)
    options = real_data(data, judged.trained_on, catalogue, note, sets=sets)
    exam = examined(judged, options, catalogue, n=n, seed=seed, via=via, progress=progress)
    chosen = fitting(metrics, extractor, exam, note)
    others = (sat(exam, Judged.of(model, n, k), k) for k in range(seed + 1, seed + seeds))
    taken = [scored(chosen, each) for each in (exam, *others)]
    if seeds == 1:
        return taken[0]
    by_name = [{score.name: score for score in each} for each in taken]  # one may be left out
    common = [score.name for score in taken[0] if all(score.name in each for each in by_name)]
    return [_over_seeds([each[name] for each in by_name]) for name in common]


def scored(metrics: Iterable[Metric], exam: Exam) -> list[Score]:
    """Return what metrics give an exam, one after another."""
    return [score for metric in metrics for score in metric.scores(exam)]


def _over_seeds(scores: Sequence[Score]) -> Score:
    """Return the mean of one score over seeds, its parts too, with their standard deviation."""
    first, values = scores[0], [score.value for score in scores]
    return first.model_copy(
        update={
            "value": statistics.fmean(values),
            "deviation": statistics.stdev(values),
            "parts": {
                part: statistics.fmean(score.parts[part] for score in scores)
                for part in first.parts
                if all(part in score.parts for score in scores)
            },
            "receipt": first.receipt.model_copy(update={"seeds": len(scores)}),
        }
    )


def real_data(
    asked: str | DataSet | Rows | None,
    trained_on: Values | None,
    catalogue: Catalogue,
    note: Callable[[str], None] = lambda _: None,
    *,
    here: bool = False,
    sets: Sequence[str] = (),
) -> DataSet:
    """Return the data to compare with, not yet opened: what was asked for, or trained on.

    `trained_on` is the recipe of the model. A path in it counts only where it is the recipe of a
    run `here`: a model may be a stranger's, who does not choose what is read of this machine.
    `sets` are laid over its options, as `--set` says them. Raises `UsageError` or `RecipeError`.
    """
    problems: list[str] = []
    changes = assigned(sets, problems)
    problems += [
        f"--set {key}: only options of the data can be set here, like `--set data.split=test`."
        for key in changes
        if not key.startswith("data.")
    ]
    if isinstance(asked, Tensor | tuple | DataSet):
        if changes or problems:
            raise UsageError("Nothing can be set of data that is open already; leave sets out.")
        return asked if isinstance(asked, DataSet) else TensorData.of(asked)
    values: Values = {"data": (trained_on or {}).get("data", [])}
    table = values["data"]
    if not here and isinstance(table, dict) and table.get("name") in catalogue.path_openers():
        values["data"] = {key: value for key, value in table.items() if key != "path"}
    if asked is None:
        _refuse_unknown(values["data"], catalogue)
    choose_data(values, asked, catalogue, note, problems)
    for key, value in changes.items():
        put(values, key, value, problems)
    parts = Parts(catalogue, problems)
    found = parts.component("data", DataSet, "data", values["data"])
    if problems or found is None:
        name = parts.names["data"]
        hint = f"`gantk show data {name}` lists its options; name other data with --data."
        raise RecipeError(problems, origin="the data to compare with", hint=hint)
    return found


def _refuse_unknown(trained_on: object, catalogue: Catalogue) -> None:
    """Raise `UsageError` when a model does not tell which data can be opened again."""
    table = trained_on if isinstance(trained_on, dict) else {}
    name = table.get("name")
    if name == TensorData.NAME:
        reason = "It was trained on a tensor from Python, which no file holds"
    elif name is None:
        reason = "The model does not say what it was trained on"
    elif name not in catalogue.names("data"):
        reason = f"It was trained on '{name}', which no installed plugin brings"
    elif name in catalogue.path_openers() and "path" not in table:
        reason = "It was trained on files, and a model does not keep where they lay"
    else:
        return
    raise UsageError(f"{reason}. Name the data to compare with: --data NAME or --data PATH.")


def fitting(
    asked: Iterable[str | Metric] | None,
    extractor: str | None,
    exam: Exam,
    note: Callable[[str], None] = lambda _: None,
) -> list[Metric]:
    """Return the metrics to take. Raises `UsageError` when one that was asked for cannot be."""
    named = exam.catalogue.names("metric") if asked is None else list(asked)
    chosen: list[Metric] = []
    refused: list[str] = []
    for each in named:
        metric = each if isinstance(each, Metric) else exam.catalogue.load("metric", each)()
        assert isinstance(metric, Metric)
        if extractor is not None and isinstance(metric, FeatureMetric):
            exam.catalogue.find("extractor", extractor)
            metric = metric.model_copy(update={"extractor": extractor})
        reasons = metric.refusals(exam)
        if reasons:
            name = each if isinstance(each, str) else type(each).__name__
            refused.append(f"{name} does not fit: {' '.join(reasons)}")
        else:
            chosen.append(metric)
    if refused and (asked is not None or not chosen):
        raise UsageError("\n".join(refused))
    for reason in refused:
        note(reason)
    if not chosen:
        raise UsageError("No metric is installed or named. `gantk list metric` shows them.")
    return chosen
