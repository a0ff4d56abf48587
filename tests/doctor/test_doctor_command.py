"""`gantk doctor`, as a user and as a machine read it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch

import gan_toolkit
from gan_toolkit.catalogue import Catalogue, Plugin
from gan_toolkit.doctor.installation import look_around
from gan_toolkit.run import Run

Gantk = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose G does not learn, of samples far from where it stands."""
    data = torch.randn(200, 4, generator=torch.Generator().manual_seed(0)) + 4
    settings = {
        "steps": 1500,
        "log_every": 20,
        "batch": 16,
        "sample_every": 10**6,
        "arch.hidden": [8],
        "terms": {"adversarial": {"name": "non-saturating"}},
        "updates.generator.optimiser.lr": 1e-12,
    }
    folder = tmp_path_factory.mktemp("runs")
    return gan_toolkit.train(arch="mlp", data=data, settings=settings, out=folder / "frozen")


def test_a_sick_run_is_told_with_evidence_reason_and_advice(gantk: Gantk, frozen: Run) -> None:
    told = gantk("doctor", frozen.path)
    assert told.returncode == 1
    assert "step 1500 of 1500, 75 rows read" in told.stdout
    assert "broken: discriminator-overpowers, since step" in told.stdout
    assert "samples stay at a distance of" in told.stdout
    assert "--set updates.discriminator.optimiser.lr" in told.stdout
    assert "vital.distance" in told.stdout
    assert told.stderr == ""


def test_the_same_as_json(gantk: Gantk, frozen: Run) -> None:
    told = json.loads(gantk("doctor", frozen.path, "--json").stdout)
    assert told["run"] == str(frozen.path)
    names = {finding["name"] for finding in told["findings"]}
    assert {"discriminator-overpowers", "stalled"} <= names
    assert {tuple(finding) for finding in told["findings"]} == {
        ("name", "severity", "since", "evidence", "reason", "advice", "until")
    }


def test_a_run_that_has_hardly_begun_is_not_called_healthy(
    gantk: Gantk, frozen: Run, tmp_path: Path
) -> None:
    young = tmp_path / "young"
    young.mkdir()
    for name in ("recipe.toml", "run.json"):
        (young / name).write_bytes((frozen.path / name).read_bytes())
    first = (frozen.path / "metrics.jsonl").read_text().splitlines(keepends=True)[:3]
    (young / "metrics.jsonl").write_text("".join(first))
    assert "too early" in gantk("doctor", young).stdout


def test_what_is_no_run_is_told(gantk: Gantk, tmp_path: Path) -> None:
    assert "No run at" in gantk("doctor", tmp_path / "none").stderr


def test_the_installation_is_looked_at(gantk: Gantk) -> None:
    facts = {fact["name"]: fact for fact in json.loads(gantk("doctor", "--json").stdout)}
    assert facts["torch"]["value"] == torch.__version__
    assert facts["arithmetic"]["fine"]
    assert "dcgan" in facts["plugins"]["value"]


def test_a_data_folder_that_is_none_is_named(
    gantk: Gantk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANTK_DATA", str(tmp_path / "nowhere"))
    told = gantk("doctor")
    assert told.returncode == 1
    assert "data: Point GANTK_DATA to a folder" in told.stdout


def test_a_broken_plugin_is_named_with_what_to_do() -> None:
    broken = Plugin("bad", "gantk-bad", "1.0", "bad.py", problem="it raises", failed=True)
    (wrong,) = (fact for fact in look_around(Catalogue([broken])) if not fact.fine)
    assert wrong.value == "it raises"
    assert wrong.advice == "Update gantk-bad, or `gantk plugins disable bad`."


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: (run / "recipe.toml").write_text("steps = 3\n", encoding="utf-8"),
        lambda run: (run / "recipe.toml").write_text(
            "log_every = 0\nsteps = 3\n[updates.d]\n", encoding="utf-8"
        ),
        lambda run: (run / "metrics.jsonl").write_text(
            '{"step": 1, "best.value": "x"}\n', encoding="utf-8"
        ),
    ],
)
def test_a_run_that_is_not_as_a_run_is_written_is_told(
    frozen: Run, tmp_path: Path, gantk: Gantk, damage: Callable[[Path], object]
) -> None:
    run = shutil.copytree(frozen.path, tmp_path / "theirs")
    damage(run)
    done = gantk("doctor", run)
    assert done.returncode == 1
    assert "are not as a run writes them" in done.stderr
