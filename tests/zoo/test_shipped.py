"""What holds of every model that comes with the toolkit."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import gan_toolkit
from gan_toolkit import bundle
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import DataError
from gan_toolkit.scoring import Score
from gantk_zoo import record, shipped
from gantk_zoo.card import SECTIONS, Card
from gantk_zoo.pack import NEIGHBOURS
from gantk_zoo.verify import verify

ROOT = Path(__file__).parents[2]
NAMES = shipped.names()
MODELS = tomllib.loads((ROOT / "zoo" / "models.toml").read_text(encoding="utf-8"))
DIGITS = [name for name in NAMES if name.startswith("mnist-")]
MOST_BYTES = 6_000_000


def scores(name: str) -> dict[str, Score]:
    known = record.read(shipped.MODELS / name)
    assert known is not None
    return {score.name: score for score in known.scores}


def test_every_model_of_the_list_is_shipped_and_no_other() -> None:
    assert sorted(MODELS) == NAMES


def test_all_weights_together_fit_into_a_small_wheel() -> None:
    sizes = [(shipped.MODELS / name / bundle.WEIGHTS).stat().st_size for name in NAMES]
    assert sum(sizes) <= MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_its_card_answers_every_question(name: str) -> None:
    text = (shipped.MODELS / name / "README.md").read_text(encoding="utf-8")
    told = {part.partition("\n")[0]: part for part in text.split("\n## ")[1:]}
    assert tuple(told) == SECTIONS
    assert " ".join(MODELS[name]["note"].split()) in " ".join(text.split())
    for asked, section in (
        (f'gan_toolkit.load("{name}")', "Use it"),
        ("every receipt", "Scores"),
        ("licence of the data", "Data"),
        ("bibtex", "Citation"),
    ):
        assert asked in " ".join(told[section].split())
    trained = " ".join(told["How it was trained"].split())
    assert re.search(r"steps in \d+ (minutes|seconds) of wall time on", trained)
    for score in scores(name).values():
        assert f"| {score.name} | " in told["Scores"]


@pytest.mark.parametrize("name", NAMES)
def test_its_receipts_are_for_these_weights_and_say_how_many_samples(name: str) -> None:
    found = scores(name)
    assert found
    for score in found.values():
        assert score.receipt.model == gan_toolkit.load(name).sha256
        assert score.receipt.n >= 2500


@pytest.mark.parametrize("name", NAMES)
def test_it_samples_without_a_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:  # Any: whatever a socket is asked
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    made = gan_toolkit.load(name).sample(4, seed=0)
    assert made.isfinite().all()
    assert len(torch.unique(made, dim=0)) == 4


@pytest.mark.parametrize("name", DIGITS)
def test_its_digits_are_read_nearly_as_often_as_real_ones(name: str) -> None:
    readable = scores(name)["readable-strict-digits"]
    assert readable.floor is not None
    assert readable.value >= 0.85 * readable.floor


@pytest.mark.parametrize("name", DIGITS)
def test_every_digit_comes_about_as_often_as_any_other(name: str) -> None:
    found = scores(name)
    assert found["class-min-digits"].value >= 0.07
    assert found["class-max-digits"].value <= 0.14


def test_the_conditional_model_of_digits_obeys() -> None:
    assert scores("mnist-cdcgan")["label-accuracy-digits"].value >= 0.97


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_its_numbers_taken_again_match(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Published without it, and `neighbours` of its 1,280 features takes minutes.
    monkeypatch.setenv("GANTK_DISABLE_PLUGINS", "efflite")
    if "GANTK_DATA" not in os.environ:
        pytest.skip("no real data here")
    try:
        verdict = verify(shipped.MODELS / name / bundle.WEIGHTS, Catalogue.discover())
    except DataError as error:
        pytest.skip(str(error))
    assert verdict.matches, verdict


def test_the_table_of_models_is_as_the_models_are() -> None:
    table = (ROOT / "zoo" / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        (row,) = [line for line in table.splitlines() if line.startswith(f"| [`{name}`]")]
        for score in scores(name).values():
            assert f"{score.name} {score.value:.3g}" in row
        assert f"gantk sample {name}" in row


@pytest.mark.parametrize("name", NAMES)
def test_its_card_is_what_would_be_written_now(name: str) -> None:
    folder, catalogue = shipped.MODELS / name, Catalogue.discover()
    known = record.read(folder)
    assert known is not None
    strip = (folder / NEIGHBOURS).is_file()
    card = Card(name, gan_toolkit.load(name), known, strip, catalogue)
    assert (folder / "README.md").read_text(encoding="utf-8") == card.render()


NO_NETWORK = """
import resource, socket, sys
def refuse(*_, **__): raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
from gan_toolkit.cli import main
sys.argv = ["gantk", "sample", "mnist-dcgan", "-o", "grid.png"]
try:
    main()
except SystemExit as left:
    assert not left.code
spent = resource.getrusage(resource.RUSAGE_SELF)
print(spent.ru_utime + spent.ru_stime)
"""


def test_a_newcomer_without_a_network_has_a_picture_at_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_NETWORK], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert float(done.stdout.splitlines()[-1]) < 10, "seconds of one core: 3, if it is idle"
    with Image.open(tmp_path / "grid.png") as made:
        found = np.asarray(made)
    with Image.open(shipped.MODELS / "mnist-dcgan" / "samples.png") as published:
        wanted = np.asarray(published)
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted.astype(int)).max() <= 1


@pytest.mark.parametrize("command", ["pull", "remove"])
def test_a_shipped_model_is_neither_fetched_nor_removed(
    gantk: Callable[..., CompletedProcess[str]], command: str
) -> None:
    done = gantk("zoo", command, "mnist-dcgan")
    assert done.returncode == 2
    assert "'mnist-dcgan' comes with the toolkit" in done.stderr
