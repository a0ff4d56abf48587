"""What the doctor finds in rows that are written out by hand, and how it says so."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import gan_toolkit
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.doctor import Doctor, Finding, consulted, examine, misnamed
from gan_toolkit.doctor.cases import CASES
from gan_toolkit.doctor.chart import GRACE
from gan_toolkit.errors import Diverged, RecipeError
from gan_toolkit.resolve import Request, resolve
from gan_toolkit.run import Run

Row = dict[str, Any]
RECIPE: dict[str, Any] = {
    "steps": 4000,
    "planned_steps": 4000,
    "log_every": 50,
    "batch": 64,
    "terms": {"adversarial": {"name": "non-saturating"}},
    "updates": {
        player: {
            "networks": [player],
            "role": player,
            "times": 1,
            "optimiser": {"name": "adam", "lr": {"start": 2e-3, "end": 2e-5}, "beta1": 0.9},
        }
        for player in ("discriminator", "generator")
    },
}
HEALTHY: Row = {
    "accuracy.order": 0.9,
    "gradient.generator": 5.0,
    "vital.distance": 0.01,
    "vital.diversity": 0.95,
    "vital.duplicates": 0.0,
    "vital.reached": 0.97,
    "vital.travel": 0.05,
    "vital.nearest": 1.4,
    "vital.obeyed": 1.0,
    "vital.telling": 90.0,
}
SICK: dict[str, Row] = {
    "vanishing-gradients": {"gradient.generator": 1e-6, "vital.distance": 0.5},
    "discriminator-overpowers": {"accuracy.order": 1.0, "vital.distance": 0.5},
    "generator-overpowers": {"accuracy.order": 0.5, "vital.distance": 0.5},
    "mode-collapse": {"vital.diversity": 0.05, "vital.distance": 0.3},
    "partial-collapse": {"vital.reached": 0.6},
    "oscillation": {"vital.travel": 0.8, "vital.distance": 0.2},
    "stalled": {"vital.travel": 0.0, "vital.distance": 0.5},
    "memorising": {"vital.nearest": 0.2},
    "augmentation-leak": {"vital.leak": 0.8},
    "labels-ignored": {"vital.obeyed": 0.1},
    "labels-random": {"vital.telling": 0.3, "vital.obeyed": 0.2},
}


def rows(changes: Row, *, steps: int = 4000, first: int = 50) -> Iterator[Row]:
    """Yield healthy rows with changes, every 50 steps."""
    for step in range(first, first + steps, 50):
        yield {"step": step, **HEALTHY, **changes}


def diagnose(read: list[Row], recipe: dict[str, Any]) -> list[Finding]:
    """Return what is so after these rows."""
    return Doctor(recipe, read).findings


def names(found: list[Finding]) -> set[str]:
    return {finding.name for finding in found}


def test_nothing_is_said_of_a_healthy_run() -> None:
    assert diagnose(list(rows({})), RECIPE) == []


@pytest.mark.parametrize("name", SICK)
def test_each_finding_is_seen_in_the_figures_that_show_it(name: str) -> None:
    assert name in names(diagnose(list(rows(SICK[name])), RECIPE))


@pytest.mark.parametrize("name", ["partial-collapse", "memorising", "labels-random"])
def test_figures_that_show_one_thing_show_nothing_else(name: str) -> None:
    assert names(diagnose(list(rows(SICK[name])), RECIPE)) == {name}


def test_all_that_can_be_found_is_tried_here() -> None:
    assert {case.name for case in CASES} == {*SICK, "nan", "converged"}


def test_nothing_but_nan_is_said_before_networks_had_time() -> None:
    assert diagnose(list(rows(SICK["mode-collapse"], steps=GRACE - 50)), RECIPE) == []
    early = {"step": 7, "diverged": "generator.adversarial.fake"}
    (found,) = diagnose([early], RECIPE)
    assert (found.name, found.severity, found.since) == ("nan", "broken", 7)
    assert "generator.adversarial.fake" in found.evidence


def test_time_counts_from_where_both_players_learn() -> None:
    update = {**RECIPE["updates"]["generator"], "starts_at": 1000}
    recipe = {**RECIPE, "updates": {**RECIPE["updates"], "generator": update}}
    sick = list(rows(SICK["discriminator-overpowers"], steps=1500))
    assert diagnose(sick, RECIPE)
    assert not diagnose(sick, recipe)


def test_samples_that_still_come_nearer_are_given_time() -> None:
    falling = [
        {**row, "accuracy.order": 1.0, "vital.distance": 0.9 * 0.95**place}
        for place, row in enumerate(rows({}, steps=2000))
    ]
    assert "discriminator-overpowers" not in names(diagnose(falling, RECIPE))


def test_one_odd_row_says_nothing() -> None:
    doctor = Doctor(RECIPE)
    for place, row in enumerate(rows({}, steps=3000)):
        odd = SICK["mode-collapse"] if place % 20 == 10 else {}
        assert doctor.hear({**row, **odd}) == []


def test_what_passes_is_over_and_stays_on_record() -> None:
    doctor = Doctor(RECIPE)
    doctor.read(rows({}, steps=1500))
    doctor.read(rows(SICK["partial-collapse"], steps=1000, first=1550))
    assert names(doctor.findings) == {"partial-collapse"}
    doctor.read(rows({}, steps=1000, first=2550))
    assert doctor.findings == []
    (past,) = doctor.history
    assert past.name == "partial-collapse"
    assert past.until is not None
    assert 1550 < past.since < 2550 < past.until < 3550


def test_live_and_afterwards_the_same_is_found() -> None:
    sick = [*rows({}, steps=1500), *rows(SICK["oscillation"], steps=1500, first=1550)]
    live = Doctor(RECIPE)
    heard = [new for row in sick for new in live.hear(row)]
    assert names(heard) == names(diagnose(sick, RECIPE)) == {"oscillation"}


def test_converged_is_said_only_after_the_rates_have_fallen_and_time_has_passed() -> None:
    recipe = {**RECIPE, "planned_steps": 1500}
    assert diagnose(list(rows({}, steps=1500)), recipe) == []
    (found,) = diagnose(list(rows({}, steps=4000)), recipe)
    assert (found.name, found.severity) == ("converged", "normal")
    assert 1500 < found.since < 4000


def test_converged_is_not_said_while_samples_come_nearer() -> None:
    falling = [
        {**row, "vital.distance": 0.03 * 0.98**place}
        for place, row in enumerate(rows({}, steps=4000))
    ]
    assert diagnose(falling, {**RECIPE, "planned_steps": 1000}) == []


def course(scores: dict[int, float], *, steps: int) -> list[Row]:
    """Return healthy rows, an evaluation before some of them; low scores are good."""
    told: list[Row] = []
    best: tuple[float, int] | None = None
    for row in rows({}, steps=steps):
        step = row["step"]
        if step in scores:
            best = min(best or (scores[step], step), (scores[step], step))
            row |= {"score.fd": scores[step], "best.value": best[0], "best.step": best[1]}
        told.append(row)
    return told


def test_a_run_with_scores_has_converged_half_its_plan_after_the_last_gain() -> None:
    recipe = {**RECIPE, "planned_steps": 1000}
    falling = {step: 10 - step / 500 for step in range(100, 2100, 100)}
    assert diagnose(course(falling, steps=2200), recipe) == []
    flat = falling | dict.fromkeys(range(2100, 4000, 100), 8.0)
    (found,) = diagnose(course(flat, steps=3000), recipe)
    assert (found.name, found.since) == ("converged", 2550)  # two rows make sure
    assert "best, 6, is of step 2000" in found.evidence
    assert "Take RUN/best, the weights of step 2000." in found.advice


def test_gains_too_small_to_matter_do_not_keep_a_run_from_converging() -> None:
    recipe = {**RECIPE, "planned_steps": 1000}
    creeping = {step: 10 - step / 20_000 for step in range(250, 4000, 250)}
    assert names(diagnose(course(creeping, steps=3000), recipe)) == {"converged"}


def test_small_gains_that_add_up_count() -> None:
    recipe = {**RECIPE, "planned_steps": 1000}
    falling = {step: 10 * 0.98 ** (step / 100) for step in range(100, 4000, 100)}
    assert diagnose(course(falling, steps=3900), recipe) == []


def test_high_scores_converge_like_low_ones() -> None:
    recipe = {**RECIPE, "planned_steps": 1000}
    told = course(dict.fromkeys(range(250, 4000, 250), 1.0), steps=3000)
    rising = [row | {"best.value": row["step"]} if "best.value" in row else row for row in told]
    assert diagnose(rising, recipe) == []


def test_too_few_evaluations_do_not_tell() -> None:
    recipe = {**RECIPE, "planned_steps": 1000}
    assert diagnose(course({1000: 5.0, 2000: 5.0, 3000: 5.0}, steps=3900), recipe) == []


def test_samples_far_from_the_data_have_not_converged_whatever_the_score() -> None:
    recipe = {**RECIPE, "planned_steps": 1000}
    told = course(dict.fromkeys(range(250, 4000, 250), 5.0), steps=3900)
    far = [row | {"vital.distance": 0.08} for row in told]
    assert diagnose(far, recipe) == []


def test_rows_without_vital_signs_are_read() -> None:
    old = [{"step": step, "discriminator.adversarial.real": 0.5} for step in range(50, 4000, 50)]
    assert diagnose(old, RECIPE) == []


def test_evidence_and_advice_can_be_read_and_pasted() -> None:
    found = next(
        each
        for each in diagnose(list(rows(SICK["oscillation"])), RECIPE)
        if each.name == "oscillation"
    )
    assert "0.80 of the data's spread" in found.evidence
    assert "--set updates.generator.optimiser.lr.start=0.0005" in found.advice
    assert "--set updates.generator.optimiser.beta1=0.0" in found.advice


@pytest.mark.parametrize("recipe", Catalogue.discover().names("recipe"))
def test_what_is_advised_can_be_set_in_every_shipped_recipe(recipe: str) -> None:
    catalogue = Catalogue.discover()
    base = resolve(Request(recipe=recipe), catalogue)
    values = base.values() | {"steps": base.plan.length, "planned_steps": base.plan.span}
    heard = Doctor(values)
    chart = heard._chart
    for row in rows(HEALTHY):
        chart.add(row)
    for case in CASES:
        for line in case.advice(chart):
            if line.startswith("--set "):
                asked = line.removeprefix("--set ")
                changed = resolve(Request(recipe=recipe, sets=[asked]), catalogue)
                assert changed != base or asked == f"steps={base.plan.length}"


def test_names_to_stop_on_are_checked() -> None:
    assert misnamed(["broken", "converged"]) == []
    (told,) = misnamed(["mode-colapse"])
    assert "Did you mean 'mode-collapse'?" in told


FROZEN = {
    "steps": 3000,
    "log_every": 20,
    "batch": 16,
    "sample_every": 10**6,
    "updates.generator.optimiser.lr": 1e-12,
}
Train = Callable[..., Run]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Train the smallest of networks on vectors far from where G begins."""
    data = torch.randn(200, 4, generator=torch.Generator().manual_seed(0)) + 4

    def run(**settings: Any) -> Run:  # Any: recipe values
        small = {"arch.hidden": [8], "arch.latent": 4, "compute.threads": 1}
        return gan_toolkit.train(
            arch="mlp",
            data=data,
            settings={**small, **FROZEN, **settings},
            out=tmp_path / "run",
        )

    return run


def test_a_run_stops_on_what_it_was_told_to(train: Train) -> None:
    run = train(stop_on=["stalled"])
    assert GRACE <= run.rows()[-1]["step"] < 3000
    assert "stalled" in names(consulted(run).findings)
    assert run.newest(pytest.fail).step == run.rows()[-1]["step"]


def test_a_run_is_told_of_live_what_is_found_in_its_folder_later(tmp_path: Path) -> None:
    heard: list[Finding] = []

    class Ears(gan_toolkit.Observer):
        def found(self, finding: Finding) -> None:
            heard.append(finding)

    data = torch.randn(200, 4, generator=torch.Generator().manual_seed(0)) + 4
    settings = {**FROZEN, "steps": 1500, "arch.hidden": [8], "compute.threads": 1}
    run = gan_toolkit.train(
        arch="mlp", data=data, settings=settings, out=tmp_path / "run", observer=Ears()
    )
    assert (
        names(heard)
        == {finding.name for finding in examine(run, Catalogue.discover())}
        >= {"stalled"}
    )


def test_a_row_with_vital_signs_has_the_gradients_too(train: Train) -> None:
    rows = {row["step"]: row for row in train(steps=220).rows()}
    told = {step for step, row in rows.items() if "vital.distance" in row}
    assert told == {100, 200}
    assert told == {step for step, row in rows.items() if "gradient.generator" in row}
    assert all("change.discriminator" in rows[step] for step in told)


def test_nan_is_found_in_the_folder_afterwards(train: Train, tmp_path: Path) -> None:
    with pytest.raises(Diverged):
        train(**{"updates.generator.optimiser": {"name": "sgd", "lr": 1e30}})
    (found,) = examine(Run(tmp_path / "run"), Catalogue.discover())
    assert found.name == "nan"


def test_installed_parts_that_help_are_offered_where_they_fit(train: Train, tmp_path: Path) -> None:
    run = train(steps=1500, terms={"adversarial": {"name": "non-saturating"}})
    found = {finding.name: finding for finding in examine(run, Catalogue.discover())}
    helping = {
        component.name
        for component, _ in Catalogue.discover().components("penalty")
        if "discriminator-overpowers" in component.helps
    }
    offered = found["discriminator-overpowers"].advice
    assert {f"--set terms.{name}.name={name}" for name in helping} <= set(offered)
    assert not any("augmentation" in line for line in offered)  # these are no images
    recipe = tomllib.loads(run.recipe_path.read_text())
    assert "r1" not in recipe["terms"]


def test_a_part_that_helps_names_something_that_is_found() -> None:
    known = {case.name for case in CASES}
    for component, plugin in Catalogue.discover().components():
        assert set(component.helps) <= known, plugin.name


def test_an_unknown_name_to_stop_on_is_refused_before_training(train: Train) -> None:
    with pytest.raises(RecipeError, match="stop_on: the doctor finds no 'brocken'"):
        train(stop_on=["brocken"])
