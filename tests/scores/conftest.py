"""A stand-in extractor, Gaussian data to look at with it, and the real MNIST if it is here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import Tensor

from gan_toolkit.scoring import Seen
from gantk_mnist.data import MNIST

REAL_DATA = os.environ.get("GANTK_DATA")

STAND_IN = '''
"""A metric's helper for tests: features are block means, logits their first two."""

from typing import ClassVar

import torch
from torch import nn

from gan_toolkit import Component, hookimpl
from gan_toolkit.scoring import Extractor, Seen


class Blocks(nn.Module):
    def forward(self, images):
        features = nn.functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), 2).flatten(1)
        return Seen(features, features[:, :2] * 100)


class Means(Extractor):
    """Four block means."""

    sha256: ClassVar[str] = "0" * 64
    resize: ClassVar[str] = "none"
    classes: ClassVar[tuple[str, ...]] = ("0", "1")

    def refusals(self, spec):
        return [] if len(spec.sample.shape) == 3 else ["means looks at images."]

    def suits(self, spec):
        return spec.name == "tensor"

    def open(self):
        return Blocks()


@hookimpl
def gantk_components():
    return [Component("extractor", "a-means", Means, "Four block means")]
'''


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache and data folder out of it."""
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GANTK_DATA", raising=False)


@pytest.fixture
def means(tmp_path: Path) -> Path:
    """Return a single-file plugin with the extractor `a-means`."""
    file = tmp_path / "means.py"
    file.write_text(STAND_IN, encoding="utf-8")
    return file


@pytest.fixture
def real_mnist(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the real MNIST, or skip."""
    if REAL_DATA:
        monkeypatch.setenv("GANTK_DATA", REAL_DATA)
    if not REAL_DATA or MNIST.collection.find("train-images-idx3-ubyte") is None:
        pytest.skip("GANTK_DATA holds no MNIST")
    return Path(REAL_DATA)


@pytest.fixture
def chunked() -> Callable[[Tensor, int], list[Seen]]:
    """Return a function that cuts features [N, d] into what an extractor would give."""
    return lambda rows, size: [Seen(part) for part in rows.split(size)]
