from __future__ import annotations

from importlib.resources import files

import pytest
import torch
from pydantic import ValidationError

from gan_toolkit.data import Stored
from gantk_digits.data import Digits


def everything(source: Stored) -> tuple[torch.Tensor, torch.Tensor]:
    assert source.spec.length is not None
    batch = source.gather(torch.arange(source.spec.length))
    return batch["sample"], batch["label"]


def test_there_are_1797_digits_of_ten_classes() -> None:
    source = Digits().open()
    samples, labels = everything(source)
    assert (tuple(samples.shape), samples.dtype) == ((1797, 1, 16, 16), torch.uint8)
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert source.spec.classes == tuple("0123456789")
    assert source.spec.sample.shape == (1, 16, 16)
    assert (source.spec.sample.low, source.spec.sample.high) == (-1.0, 1.0)


def test_at_resolution_8_the_pixels_are_the_17_original_levels() -> None:
    samples, _ = everything(Digits(resolution=8).open())
    levels = [round(v * 255 / 16) for v in range(17)]
    assert samples.unique().tolist() == levels
    first = samples[0, 0].double() * 16 / 255
    # The first row of UCI's optdigits.tes, a zero.
    assert first.round().int().tolist()[:2] == [
        [0, 0, 5, 13, 9, 1, 0, 0],
        [0, 0, 13, 15, 10, 15, 5, 0],
    ]


def test_the_fingerprint_names_the_content() -> None:
    assert Digits(resolution=8).open().spec.fingerprint == (
        "32c4b792ae18db9d9b30630363daa6934378e924fd1b8752ad4d3a1870612e1b"
    )
    assert Digits().open().spec.fingerprint == Digits(resolution=16).open().spec.fingerprint


def test_they_are_bundled_small_and_attributed() -> None:
    folder = files("gantk_digits")
    size = sum(len((folder / name).read_bytes()) for name in ("digits.png", "labels.txt"))
    assert size <= 100_000
    assert Digits().probe(0.0) == "bundled with gan-toolkit"
    spec = Digits().open().spec
    assert spec.licence == "CC BY 4.0"
    assert "Alpaydin" in spec.source


def test_a_resolution_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 4"):
        Digits(resolution=0)
