"""Trainers of sketches, architectures of a few lines that each show one thing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.observer import Observer
from gan_toolkit.resolve import Request
from gan_toolkit.tensors import TensorData
from gan_toolkit.trainer import Trainer
from gan_toolkit.training import prepare

SKETCHES = Path(__file__).parents[1] / "sketches.py"


def trainer(
    data: Tensor | tuple[Tensor, Tensor],
    arch: str = "plain",
    settings: Mapping[str, object] | None = None,
) -> Trainer:
    """Return a trainer at step 0 on a tensor."""
    small = {"batch": 12, "compute.device": "cpu", "steps": 50, **(settings or {})}
    request = Request(arch=arch, data=TensorData.of(data), settings=small)
    return prepare(request, Catalogue.discover([SKETCHES]), Observer()).trainer(Observer())
