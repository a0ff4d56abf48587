"""Two small runs: of images with classes to look at, and of points with a feature layer of two."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import gan_toolkit
from gan_toolkit.run import Run

SMALL = {"steps": 6, "batch": 8, "log_every": 2, "sample_every": 2, "checkpoint_every": 1}


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """DCGAN on digits, six steps."""
    torch.set_num_threads(1)
    return gan_toolkit.train(
        arch="dcgan",
        data="digits",
        settings=SMALL | {"arch.width": 2, "arch.latent": 4},
        out=tmp_path_factory.mktemp("images") / "run",
    )


@pytest.fixture(scope="session")
def points(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """S1's networks on S1's curve, six steps, every checkpoint kept."""
    torch.set_num_threads(1)
    return gan_toolkit.train(
        recipe="quadratic",
        settings=SMALL | {"sample_every": 1, "keep": 9},
        out=tmp_path_factory.mktemp("points") / "run",
    )


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "new"
