"""`gantk evaluate` from a trained run to a table, JSON and messages."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from PIL import Image

import gan_toolkit

Gantk = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny run on the bundled digits, 8×8."""
    out = tmp_path_factory.mktemp("model") / "run"
    settings = {"steps": 1, "arch.width": 2, "arch.latent": 4, "data.resolution": 8}
    gan_toolkit.train(arch="dcgan", data="digits", settings=settings, out=out)
    return out


@pytest.fixture(autouse=True)
def one_cache(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the real digits once for all tests here."""
    monkeypatch.setenv("GANTK_CACHE", str(run.parent / "cache"))


def test_a_run_is_scored_against_what_it_was_trained_on(gantk: Gantk, run: Path) -> None:
    done = gantk("evaluate", run, "-n", 2048, "--json", "-o", "scores.json")
    assert done.returncode == 0, done.stderr
    scores = {score["name"]: score for score in json.loads(done.stdout)}
    assert json.loads(Path("scores.json").read_text(encoding="utf-8")) == list(scores.values())
    receipt = scores["fd-digits"]["receipt"]
    assert (receipt["data"], receipt["real"], receipt["n"]) == ("digits", 1797, 2048)
    assert "only 1,797 real samples" in receipt["notes"][0]
    assert scores["fd-digits"]["value"] > 10 * scores["fd-digits"]["floor"] > 0
    assert "label-accuracy-digits" not in scores  # the model is not conditional
    assert "does not fit" in done.stderr  # metrics of points


def test_a_file_is_written_wherever_it_is_asked_for_and_a_folder_refused_first(
    gantk: Gantk, run: Path
) -> None:
    done = gantk("evaluate", run, "-n", 50, "--metric", "swd", "-o", "new/scores.json")
    assert done.returncode == 0, done.stderr
    assert json.loads(Path("new/scores.json").read_text(encoding="utf-8"))
    done = gantk("evaluate", run, "-n", 10**9, "-o", "new")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'new' is a folder; name a file in it." in done.stderr


def test_options_of_the_data_can_be_set(gantk: Gantk, run: Path) -> None:
    folder = Path("pictures")
    for place, (split, size) in enumerate((("train", 8), ("test", 8), ("test", 9))):
        (folder / split).mkdir(parents=True, exist_ok=True)
        for i in range(20):
            pixels = np.full((size, size), 10 * i + place, np.uint8)
            Image.fromarray(pixels).save(folder / split / f"{place}-{i}.png")
    ask = ("evaluate", run, "-n", 20, "--metric", "swd", "--json", "--data", folder)
    assert "Choose one: `--set data.split=train`" in gantk(*ask).stderr
    assert "2 sizes" in gantk(*ask, "--set", "data.split=test").stderr
    whole = ("--set", "data.split=test", "--set", "data.resolution=8")
    receipt = json.loads(gantk(*ask, *whole).stdout)[0]["receipt"]
    assert (receipt["real"], receipt["split"]) == (40, "test")
    refused = gantk(*ask, "--set", "batch=3")
    assert refused.returncode == 2
    assert "--set batch: only options of the data can be set here" in refused.stderr


def test_a_table_has_a_line_a_score_and_says_what_it_compares(gantk: Gantk, run: Path) -> None:
    table = gantk("evaluate", run, "-n", 500, "--metric", "classifier").stdout.splitlines()
    assert table[0].split() == ["score", "value", "real", "samples", *table[0].split()[4:]]
    assert table[1].startswith("confidence-digits  ")
    assert "higher is better" in table[1]
    assert "Samples of seed 0; data digits." in table
    assert any("two halves of the 1797 real samples" in line for line in table)


def test_a_conditional_model_is_asked_for_classes_in_turn(gantk: Gantk, tmp_path: Path) -> None:
    settings = {"steps": 1, "arch.width": 2, "arch.hidden": 8, "data.resolution": 8}
    gan_toolkit.train(arch="cdcgan", data="digits", settings=settings, out=tmp_path / "run")
    done = gantk("evaluate", tmp_path / "run", "-n", 200, "--metric", "classifier", "--json")
    (score,) = (s for s in json.loads(done.stdout) if s["name"] == "label-accuracy-digits")
    assert list(score["parts"]) == list("0123456789")
    assert score["value"] == pytest.approx(sum(score["parts"].values()) / 10)  # twenty of each
    assert score["value"] < 0.5 < score["floor"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metric", "fd", "-n", "100"], "fd needs 2,048 samples"),
        (["--metric", "ff"], "No metric 'ff'"),
        (["--data", "mnst"], "No data 'mnst'. Did you mean 'mnist'"),
        (["--data", "ring"], "cannot be compared"),
        (["--extractor", "digit"], "No extractor 'digit'. Did you mean 'digits'"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    gantk: Gantk, run: Path, arguments: list[str], message: str
) -> None:
    done = gantk("evaluate", run, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_a_model_of_a_tensor_asks_for_data(gantk: Gantk, tmp_path: Path) -> None:
    import torch

    out = tmp_path / "run"
    settings = {"steps": 1, "arch.width": 2, "batch": 4}
    gan_toolkit.train(arch="dcgan", data=torch.zeros(8, 1, 8, 8), settings=settings, out=out)
    done = gantk("evaluate", out)
    assert done.returncode == 2
    assert "trained on a tensor from Python" in done.stderr
    assert "--data NAME" in done.stderr


def test_over_seeds_the_mean_and_the_deviation_are_told(gantk: Gantk, run: Path) -> None:
    ask = ("evaluate", run, "-n", 100, "--metric", "classifier")
    each = [
        json.loads(gantk(*ask, "--seed", seed, "--json").stdout)[0]["value"] for seed in (3, 4, 5)
    ]
    told = json.loads(gantk(*ask, "--seed", 3, "--seeds", 3, "--json").stdout)[0]
    assert told["value"] == pytest.approx(statistics.fmean(each), rel=1e-12)
    assert told["deviation"] == pytest.approx(statistics.stdev(each), rel=1e-9)
    assert (told["receipt"]["seed"], told["receipt"]["seeds"]) == (3, 3)
    table = gantk(*ask, "--seed", 3, "--seeds", 3).stdout
    assert " ± " in table.splitlines()[1]
    assert "Samples of seeds 3 to 5" in table
