"""The numbers in the README and in the default recipe are those that were measured."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from gan_toolkit.doctor.cases import CASES

ROOT = Path(__file__).parents[2]


def measured(name: str) -> Any:  # Any: JSON
    return json.loads((ROOT / "benchmarks" / name).read_text(encoding="utf-8"))


def test_the_soak_was_passed_and_is_told_as_it_was() -> None:
    soak = measured("soak.json")
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())

    assert soak["kill"]["same_bits"]
    assert soak["kill"]["same_metrics"]
    assert soak["kill"]["kills"] >= 100
    assert soak["damage"]["damages"] >= 500
    assert soak["damage"]["missed"] == []
    assert f"{soak['kill']['kills']} times with `kill -9`, " in readme
    assert f"{soak['kill']['inside_a_save']} of them inside a save" in readme
    assert f"Of {soak['damage']['damages']} damaged checkpoints it found" in readme


@pytest.mark.parametrize("file", ["README.md", "plugins/gantk_dcgan/recipes/dcgan.toml"])
def test_the_quality_is_told_as_it_was_measured(file: str) -> None:
    quality = measured("mnist_quality.json")
    text = (ROOT / file).read_text(encoding="utf-8")

    for contestant, score in (
        ("gantk", "fd-digits"),
        ("tutorial", "fd-digits"),
        ("gantk", "floor fd-digits"),
    ):
        assert f"{quality[contestant][score]:.1f}" in text
    assert f"{quality['minutes']:.1f} minutes" in text


def test_the_default_recipe_keeps_its_bars() -> None:
    quality = measured("mnist_quality.json")

    assert quality["minutes"] <= 6
    assert quality["ratio"] >= 4
    assert quality["gantk"]["class-min-digits"] >= 0.05
    assert quality["gantk"]["class-max-digits"] <= 0.15


def test_the_trainer_costs_at_most_a_tenth_more_than_a_hand_written_loop() -> None:
    assert measured("overhead.json")["ratio_median"] <= 1.10


def test_the_doctor_is_as_good_as_it_has_to_be_and_is_told_as_it_was_measured() -> None:
    tallies = measured("doctor.json")["scenarios"]
    healthy = [tally for tally in tallies if not tally["finding"]]
    sick = [tally for tally in tallies if tally["finding"]]
    for name in {tally["finding"] for tally in sick}:
        of_it = [tally for tally in sick if tally["finding"] == name]
        assert sum(tally["runs"] for tally in of_it) >= 20, name
        assert _share(of_it) >= 0.9, name
    assert sum(tally["runs"] for tally in healthy) >= 60
    assert _share(healthy) >= 0.95

    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    for told in (sick, healthy):
        right, runs = (sum(tally[key] for tally in told) for key in ("right", "runs"))
        assert f"{right} of {runs}" in readme


def _share(tallies: list[Any]) -> float:  # Any: JSON
    return float(sum(t["right"] for t in tallies) / sum(t["runs"] for t in tallies))


def test_everything_that_the_doctor_finds_was_measured() -> None:
    tried = {tally["finding"] for tally in measured("doctor.json")["scenarios"]}
    assert tried == {"", *(case.name for case in CASES)}


def test_what_stopping_costs_is_told_as_it_was_measured() -> None:
    page = (ROOT / "docs" / "how-to" / "heal-a-run.md").read_text(encoding="utf-8")
    for name, told in measured("stopping.json")["runs"].items():
        costs = [f"{100 * left['cost']:.0f} %" for left in _left(told)]
        shown = next(line for line in page.splitlines() if line.startswith(f"| {name} |"))
        assert [cell.strip() for cell in shown.split("|")][4:6] == costs


def test_the_best_weights_at_the_stop_that_is_suggested_are_nearly_the_best_of_all() -> None:
    runs = measured("stopping.json")["runs"]
    assert len({name.partition(" ")[0] for name in runs}) >= 3
    for name, told in runs.items():
        best, _ = _left(told)
        assert best["cost"] <= 0.1 or best["errors"] < 2, name


def _left(told: Any) -> list[Any]:  # Any: JSON
    """Return what a run that has converged leaves: its best weights and its last ones."""
    return [told["converged"][f"{which} weights"] for which in ("best", "last")]


def test_bfloat16_costs_no_quality_and_is_told_as_it_was_measured() -> None:
    page = (ROOT / "docs" / "explanation" / "engines.md").read_text(encoding="utf-8")
    for name, told in measured("bf16_quality.json")["verdicts"].items():
        assert told["alike"], name
        assert f"{told['mean bf16']:.2f}" in page
        assert f"{told['mean fp32']:.2f}" in page


def test_a_core_gathers_as_many_images_as_was_promised() -> None:
    assert measured("speed.json")["gathered"] >= 200_000


def test_what_a_step_computes_is_counted_as_by_hand() -> None:
    # Rows of 2-16-16-2 through G; of 2-16-16-2-1 through D, forward, and back to what goes in.
    G, D = 2 * (2 * 16 + 16 * 16 + 16 * 2), 2 * (2 * 16 + 16 * 16 + 16 * 2 + 2 * 1)
    first = 2 * 2 * 16  # nobody asks for the gradient of data or latents
    D_step = G + 2 * (D + D + (D - first))  # fakes; then real and fake: forward, weights, inputs
    G_step = G + D + D + G + (G - first)  # D's weights are frozen
    counted = measured("limits.json")["workloads"]["curve"]["gflop_a_step"]
    assert counted == pytest.approx(256 * (D_step + G_step) / 1e9)


@pytest.mark.parametrize(
    ("job", "own", "times"),
    [
        ("curve", "compiled", 5),
        ("oreilly", "compiled", 2),
        ("oreilly", "compiled, bf16", 3),
        ("dcgan32", "compiled", 1.3),
        ("dcgan32", "compiled, bf16", 2),
        ("wgan28", "compiled, bf16", 2),
    ],
)
def test_a_step_is_as_many_times_as_fast_as_was_promised(job: str, own: str, times: float) -> None:
    # Of the machine that the page names; others are told of in docs/explanation/engines.md.
    ratios = measured("speed.json")["workloads"][job]["ratios"]["plain loop"]
    assert ratios[own]["cpu"] >= times
    assert ratios[own]["wall"] >= times


def test_no_job_is_faster_by_another_program() -> None:
    for name, facts in measured("speed.json")["workloads"].items():
        for other, ratios in facts["ratios"].items():
            assert max(ratios[own]["cpu"] for own in ("eager", "compiled")) >= 1, (name, other)


@pytest.mark.parametrize(("dtype", "end"), [("fp32", ""), ("bf16", ", bf16")])
def test_no_step_is_faster_than_the_machine_and_how_far_it_is_is_told(dtype: str, end: str) -> None:
    limits, speed = measured("limits.json"), measured("speed.json")
    assert limits["machine"] == speed["machine"]
    assert limits["workloads"].keys() == speed["workloads"].keys()
    limit = max(kind["gflops_s"] for kind in limits["peaks"][dtype].values())
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    section = page.partition("### How far from the machine's limit")[2]
    for name, facts in speed["workloads"].items():
        ms = min(facts["contestants"][f"{own}{end}"]["ms_cpu"] for own in ("eager", "compiled"))
        part = 1000 * limits["workloads"][name]["gflop_a_step"] / ms / limit
        assert part < 1, name
        row = next(line for line in section.splitlines() if line.startswith(f"| {facts['title']} "))
        assert f"| {100 * part:.0f} % |" in row, name


def test_the_doctor_and_its_rows_cost_next_to_nothing() -> None:
    for name, told in measured("overhead.json")["doctor"].items():
        assert told["ratio_median"] <= 1.03, name


def test_the_whole_job_is_told_as_it_was_measured() -> None:
    job = measured("speed.json")["whole_job"]
    ours, plain = (
        statistics.median(turn[name] for turn in job["turns"]) for name in ("ours_s", "plain_s")
    )
    page = (ROOT / "docs" / "explanation" / "engines.md").read_text(encoding="utf-8")
    told = f"took {ours:.0f} s where a plain loop took {plain:.0f}, {job['times']} times"
    assert told in " ".join(page.split())
    assert job["times"] >= 4
