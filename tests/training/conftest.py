"""What the training tests share: a small data set, runs of a sketch, comparison of runs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import gan_toolkit
from gan_toolkit.checkpoint import listed, read
from gan_toolkit.errors import Interrupted
from gan_toolkit.run import TIMES, Run

sys.path.insert(0, str(Path(__file__).parent / "helpers"))  # they are no package

SKETCHES = Path(__file__).parent / "sketches.py"
Train = Callable[..., Run]


@pytest.fixture
def vectors() -> tuple[Tensor, Tensor]:
    """50 labelled vectors: an epoch is not a whole number of batches."""
    generator = torch.Generator().manual_seed(5)
    return torch.randn(50, 8, generator=generator), torch.arange(50) % 3


@pytest.fixture
def pictures() -> Tensor:
    """40 noise images of 16×16."""
    generator = torch.Generator().manual_seed(6)
    return torch.randint(0, 256, (40, 1, 16, 16), generator=generator, dtype=torch.uint8)


@pytest.fixture
def sketch(vectors: tuple[Tensor, Tensor], tmp_path: Path) -> Train:
    """Train a sketch: `sketch("plain", out="a", steps=12, settings={…})`."""

    def train(
        arch: str | None = "plain",
        *,
        out: str | None = None,
        resume: Path | None = None,
        settings: dict[str, Any] | None = None,
        data: Any = vectors,  # Any: whatever train() takes
        observer: gan_toolkit.Observer | None = None,
    ) -> Run:
        small = {"batch": 12, "steps": 20, "log_every": 3, "checkpoint_every": 5, "sample_every": 7}
        return gan_toolkit.train(
            arch=None if resume else arch,
            data=data,
            settings=(settings or {}) if resume else {**small, **(settings or {})},
            out=None if resume else tmp_path / (out or "run"),
            resume=resume,
            plugins=[SKETCHES],
            observer=observer,
        )

    return train


@pytest.fixture
def last_tensors() -> Callable[[Run], dict[str, Tensor]]:
    """Return the tensors of a run's newest checkpoint."""
    return lambda run: read(list(listed(run.path / "checkpoints"))[-1]).tensors


@pytest.fixture
def untimed() -> Callable[[Run], list[dict[str, Any]]]:
    """Return a run's metrics without what depends on the clock."""
    return lambda run: [
        {key: value for key, value in row.items() if key not in TIMES} for row in run.rows()
    ]


class StopAt(gan_toolkit.Observer):
    """Sends this process a signal after a step."""

    def __init__(self, step: int, number: int) -> None:
        self.step = step
        self.number = number
        self.warnings: list[str] = []

    def advanced(self, step: int) -> None:
        if step == self.step:
            os.kill(os.getpid(), self.number)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Heed SIGINT, which xdist ignores, and what a shell runs in the background too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def stop_at() -> Callable[..., StopAt]:
    """Return an observer that stops a run after a step, with SIGINT unless told otherwise."""
    return lambda step, number=signal.SIGINT: StopAt(step, number)


@pytest.fixture
def resumed_exactly(
    sketch: Train,
    last_tensors: Callable[[Run], dict[str, Tensor]],
    untimed: Callable[[Run], list[dict[str, Any]]],
    stop_at: Callable[..., StopAt],
) -> Callable[[dict[str, Any]], Run]:
    """Train whole, and stopped and resumed; hold all bits and rows of both against each other."""

    def hold(settings: dict[str, Any]) -> Run:
        whole = sketch(out="whole", settings=settings)
        with pytest.raises(Interrupted):
            sketch(out="stopped", settings=settings, observer=stop_at(9))
        resumed = sketch(resume=whole.path.with_name("stopped"))
        right, found = last_tensors(whole), last_tensors(resumed)
        assert right.keys() == found.keys()
        assert all(torch.equal(found[name], tensor) for name, tensor in right.items())
        assert untimed(whole) == untimed(resumed)
        return whole

    return hold


@pytest.fixture
def double() -> Iterator[None]:
    """Make float64 torch's default for a test."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
