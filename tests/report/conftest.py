"""Small real runs, one that a stranger made, one of 10,000 steps, and a browser to look at them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "helpers"))  # they are no package

from browser import Browser, browsing, executable
from making import FINDINGS, Copy, noise, score, scored

import gan_toolkit
from gan_toolkit import doctor
from gan_toolkit.doctor import Finding
from gan_toolkit.report import write_report
from gan_toolkit.run import Run

SMALL = {"steps": 6, "batch": 8, "log_every": 2, "sample_every": 2}
TINY = SMALL | {"arch.width": 2, "arch.latent": 4}

SIGNS = [
    *(f"vital.{sign}" for sign in ("diversity", "distance", "reached", "travel", "nearest")),
    *(f"{of}.{network}" for of in ("gradient", "change") for network in ("generator", "other")),
]
"""What a row of a longer run holds beside the losses."""


def trained(folder: Path, **request: Any) -> Run:  # Any: what `train` takes
    torch.set_num_threads(1)
    return gan_toolkit.train(out=folder / str(request["arch"]), **request)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """DCGAN on digits, six steps, four sample grids."""
    return trained(tmp_path_factory.mktemp("images"), arch="dcgan", data="digits", settings=TINY)


@pytest.fixture(scope="session")
def wider(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same with twice the width and three grids: at steps 0, 3 and 6."""
    settings = TINY | {"arch.width": 4, "sample_every": 3}
    return trained(tmp_path_factory.mktemp("wider"), arch="dcgan", data="digits", settings=settings)


@pytest.fixture(scope="session")
def points(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two-dimensional points, drawn without end."""
    return trained(tmp_path_factory.mktemp("points"), arch="mlp", data="ring", settings=SMALL)


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A model that is told classes."""
    return trained(tmp_path_factory.mktemp("classes"), arch="cdcgan", data="digits", settings=TINY)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    def make(run: Run, name: str = "copy") -> Run:
        shutil.copytree(run.path, tmp_path / name)
        return Run(tmp_path / name)

    return make


@pytest.fixture
def diagnosed(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """Let the doctor find something of each kind in every run."""
    monkeypatch.setattr(doctor, "examine", lambda *_: list(FINDINGS))
    return FINDINGS


@pytest.fixture(scope="session")
def long(images: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """10,000 steps with every one logged, 61 heavy grids, and 100 evaluations of eight scores."""
    path = tmp_path_factory.mktemp("long") / "run"
    shutil.copytree(images.path, path)
    run = Run(path)
    random = np.random.default_rng(0)
    row = {**images.rows()[-1], **dict.fromkeys(SIGNS, 0.5)}
    with (path / "metrics.jsonl").open("w", encoding="utf-8") as file:
        for step in range(1, 10_001):
            factor = float(random.lognormal(0, 0.3))
            noisy = {k: v * factor if isinstance(v, float) else v for k, v in row.items()}
            file.write(json.dumps({**noisy, "step": step}) + "\n")
    noise(run, range(0, 10_001, 166), 320)
    names = [f"score-{number}" for number in range(8)]
    scored(run, *((s, [score(n, random.random()) for n in names]) for s in range(0, 10_000, 100)))
    return run


@pytest.fixture(scope="session")
def long_page(long: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the long run."""
    return write_report(long, tmp_path_factory.mktemp("page") / "long.html")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A real browser; a test that needs one is skipped where there is none."""
    if executable() is None:
        pytest.skip("no Chromium here: `apt-get install chromium` brings one")
    with browsing(tmp_path_factory.mktemp("browser")) as found:
        yield found
