"""Data sets as the promises open them: with default options, offline, and once."""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_toolkit.data import Batch, DataSet, DataSpec, EndlessSource, Source
from gan_toolkit.errors import DataError
from gan_toolkit.options import Options
from gan_toolkit.streams import stream
from gan_toolkit.testing.promises import NotMade, Subject
from gan_toolkit.testing.stages.surroundings import offline, own_cache

Opened = Source | EndlessSource

NUMBERS = 2**20
"""About as many numbers of a data set are looked at."""
PICTURES = 12
"""Images in the folder that is made for whoever opens folders of them."""


@functools.lru_cache(maxsize=32)
def opened(it: Subject) -> Opened:
    """Return the data set, opened once. Raises `NotMade` when it is not at hand."""
    return opened_again(it)


def opened_again(it: Subject) -> Opened:
    """Return the data set, opened now. Raises `NotMade` when it is not at hand, or broken."""
    try:
        return open_now(it)
    except DataError as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise NotMade(f"its data is not at hand: {reason}") from error
    except Exception as error:
        raise NotMade("it cannot be opened") from error


def open_now(it: Subject) -> Opened:
    """Return the data set, opened now. Raises what it raises."""
    assert it.component is not None
    data = data_set(it)
    with offline(), own_cache() if it.component.opens_paths else nullcontext():
        return data.open()  # what is made for a check is not to be kept in the user's cache


def data_set(it: Subject) -> DataSet:
    """Return the data set with default options; one that opens paths is given a folder of images.

    Raises `NotMade` when it asks for more.
    """
    assert it.component is not None
    names = needed(it)
    if it.component.opens_paths and names == ["path"]:
        return it.options(DataSet, path=_folder().name)
    if names:
        raise NotMade(f"it has no default for {', '.join(names)}")
    return it.options(DataSet)


def needed(it: Subject) -> list[str]:
    """Return the options that have no default."""
    return required(it.load())


def required(cls: type[Options]) -> list[str]:
    """Return the options of a class that have no default."""
    return [name for name, field in cls.model_fields.items() if field.is_required()]


def stored(it: Subject) -> Source:
    """Return the open data set. Raises `NotMade` when it is endless."""
    source = opened(it)
    if source.spec.length is None:
        raise NotMade("its rows are drawn afresh")
    return cast(Source, source)


def endless(it: Subject) -> EndlessSource:
    """Return the open data set. Raises `NotMade` when it has a length."""
    source = opened(it)
    if source.spec.length is not None:
        raise NotMade("its rows are stored")
    return cast(EndlessSource, source)


def looked_at(source: Opened) -> Batch:
    """Return rows of a source: the first and the last among them, or some that are drawn."""
    indices = places(source.spec)
    if source.spec.length is None:
        return cast(EndlessSource, source).draw(len(indices), stream(0, "looked at"))
    return cast(Source, source).gather(indices)


def places(spec: DataSpec) -> Tensor:
    """Return the indices [n] that are looked at: the first, the last, others evenly between."""
    numbers = sum(math.prod(field.shape) for field in spec.fields.values())
    n = max(8, min(512, NUMBERS // max(numbers, 1)))
    if spec.length is None:
        return torch.arange(n)
    return evenly(min(n, spec.length), spec.length)


def evenly(n: int, length: int) -> Tensor:
    """Return `n` indices from 0 to `length - 1`, both included when n > 1: [n]."""
    return torch.arange(n) * (length - 1) // max(n - 1, 1)


@contextmanager
def hopeless() -> Iterator[list[str]]:
    """Yield what no data can be had from: nothing there, an empty folder, a torn file, no name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "empty").mkdir()
        (folder / "torn.zip").write_bytes(b"PK\x03\x04torn")
        names = ("no-such-place", "empty", "torn.zip")
        yield [*(str(folder / name) for name in names), "no-such-owner/no-such-name"]


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder of images in two classes, there until the process ends."""
    folder = tempfile.TemporaryDirectory()
    noise = np.random.default_rng(0).integers(0, 256, (PICTURES, 16, 16, 3), np.uint8)
    for number, pixels in enumerate(noise):
        path = Path(folder.name, "ab"[number % 2], f"{number}.png")
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder
