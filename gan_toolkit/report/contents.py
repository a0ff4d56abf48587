"""What the report of a run holds, section by section."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import NamedTuple

import tomli_w
from torch import Tensor

from gan_toolkit import bundle
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import FieldSpec, Progress
from gan_toolkit.errors import GantkError
from gan_toolkit.evaluation import real_data
from gan_toolkit.generator import Generator
from gan_toolkit.neighbours import pairs
from gan_toolkit.pictures import enlarged, to_images
from gan_toolkit.recipe import Values, flat
from gan_toolkit.report.curves import Chart, charts, coloured
from gan_toolkit.report.facts import Facts
from gan_toolkit.report.frames import frames_of, still
from gan_toolkit.report.scores import Course, courses
from gan_toolkit.run import Run

DRAWING = "Drawing the report"
STAGES = 4
PAIR_SIDE = 128
"""Pixels that a small sample of a pair is enlarged to at most."""
OTHER_DATA = "What lies where the data lay is not what the run was trained on: it is not shown."
NO_PAIRS = (
    "There is nothing to look for: only pictures from data of a fixed number have a nearest "
    "neighbour, not points, and not data that are drawn without end."
)


class Pair(NamedTuple):
    """A sample and the real one nearest to it, as data URIs."""

    fake: str
    real: str


class Near(NamedTuple):
    """What was found of memorisation, or why nothing could be."""

    pairs: list[Pair]
    reason: str


def contents(run: Run, catalogue: Catalogue, progress: Progress) -> Values:
    """Return everything that the template of a report shows. Raises `RunError`."""
    progress(DRAWING, 0, STAGES)
    facts = Facts.of(run, catalogue)
    progress(DRAWING, 1, STAGES)
    frames = frames_of(run, progress)
    progress(DRAWING, 2, STAGES)
    near = _near(facts, catalogue, progress)
    progress(DRAWING, 3, STAGES)
    found = courses(facts.scores)
    drawn, scored = charts(facts.rows), _score_charts(found)
    told = {
        "facts": facts,
        "title": facts.name,
        "frames": frames,
        "are_points": bool(run.trace_paths()),
        "charts": drawn,
        "scored": scored,
        "courses": found,
        "near": near,
        "recipe": _grouped(facts.recipe),
        "recipe_text": tomli_w.dumps(facts.recipe),
        "commands": _commands(facts.name),
        "payload": {
            "charts": [chart.plain() for chart in [*drawn, *scored]],
            "marks": [
                {"step": each.since, "severity": each.severity, "name": each.name}
                for each in facts.lasting
                if each.severity != "normal"
            ],
        },
    }
    progress(DRAWING, STAGES, STAGES)
    return told


def _near(facts: Facts, catalogue: Catalogue, progress: Progress) -> Near:
    try:
        generator = Generator(bundle.locate(facts.run.path), catalogue)
        data = real_data(None, facts.run.recipe(), catalogue, here=True)
        if data.open(progress).spec.fingerprint != facts.fingerprint:
            return Near([], OTHER_DATA)
        found = pairs(generator, data, progress)
    except (GantkError, OSError) as error:
        return Near([], facts.hiding(str(error)))
    if found is None:
        return Near([], NO_PAIRS)
    fakes, reals = (_stills(side, generator.spec.sample) for side in found)
    return Near([Pair(*pair) for pair in zip(fakes, reals, strict=True)], "")


def _stills(samples: Tensor, field: FieldSpec) -> list[str]:
    return [still(enlarged(image, to=PAIR_SIDE)) for image in to_images(samples, field)]


def _score_charts(found: list[Course]) -> list[Chart]:
    """Return a chart of each score that was taken more than once, beside that of real samples."""
    drawn = []
    for course in found:
        if len(course.taken) < 2:
            continue
        curves = {"fake": [(each.step, each.score.value) for each in course.taken]}
        floors = [(step, score.floor) for step, score in course.taken if score.floor is not None]
        if floors:
            curves["real"] = floors
        drawn.append(Chart(course.name, "", coloured(curves)))
    return drawn


def _grouped(recipe: Values, inside: str = "") -> dict[str, Values]:
    """Return the recipe's keys by table, those of the run itself first.

    A table of tables alone, as `terms` is, has a group for each of them.
    """
    groups: dict[str, Values] = {}
    own = {key: value for key, value in recipe.items() if not isinstance(value, Mapping)}
    if own and not inside:
        groups["run"] = own
    for key, table in recipe.items():
        if not isinstance(table, Mapping):
            continue
        name = f"{inside}{key}"
        if table and all(isinstance(value, Mapping) for value in table.values()):
            groups |= _grouped(dict(table), f"{name}.")
        elif table:
            groups[name] = flat(table)
    return groups


def _commands(name: str) -> dict[str, str]:
    run = shlex.quote(name)
    return {
        "Draw samples": f"gantk sample {run} -n 64 -o grid.png",
        "Score it": f"gantk evaluate {run}",
        "Train longer": f"gantk train --resume {run} --steps N",
        "Train it again": f"gantk train --recipe {run}/recipe.toml",
        "Draw this report": f"gantk report {run}",
    }
