from __future__ import annotations

import dataclasses
import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_toolkit.errors import DataError
from gantk_mnist.data import MNIST
from gantk_mnist.stacked import Stacked, StackedMNIST

TRAIN, TEST = 50, 20


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small IDX files that pass for MNIST: image `i` of class `i % 10` is all of grey `i`."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("GANTK_DATA", str(tmp_path / "data"))
    hashes = {}
    for half, n in (("train", TRAIN), ("t10k", TEST)):
        grey = np.arange(n, dtype=np.uint8)
        images = np.broadcast_to(grey[:, None, None], (n, 28, 28)).tobytes()
        contents = {
            f"{half}-images-idx3-ubyte": struct.pack(">4I", 0x803, n, 28, 28) + images,
            f"{half}-labels-idx1-ubyte": struct.pack(">2I", 0x801, n) + (grey % 10).tobytes(),
        }
        for name, content in contents.items():
            hashes[name] = hashlib.sha256(content).hexdigest()
            (tmp_path / "data" / f"{name}.gz").write_bytes(gzip.compress(content))
    known = dataclasses.replace(MNIST.collection, sha256=hashes, mirrors=("http://127.0.0.1:9",))
    monkeypatch.setattr(MNIST, "collection", known)


def test_the_label_is_the_number_that_the_channels_spell() -> None:
    source = StackedMNIST(count=300).open()
    batch = source.gather(torch.arange(300))
    assert batch["sample"].shape == (300, 3, 28, 28)
    assert batch["sample"].dtype == torch.uint8
    grey = batch["sample"][:, :, 0, 0].long()  # the row of MNIST that each channel came from
    assert (batch["sample"] == grey[:, :, None, None]).all()
    digits = grey % 10
    assert batch["label"].tolist() == [100 * r + 10 * g + b for r, g, b in digits.tolist()]


def test_a_row_is_the_same_whatever_is_asked_for_with_it() -> None:
    source = StackedMNIST(count=100).open()
    whole = source.gather(torch.arange(100))
    some = source.gather(torch.tensor([7, 99, 7]))
    assert torch.equal(some["sample"], whole["sample"][[7, 99, 7]])
    assert torch.equal(some["label"], whole["label"][[7, 99, 7]])


def test_channels_are_drawn_evenly_and_independently() -> None:
    source = StackedMNIST(count=20_000).open()
    labels = source.gather(torch.arange(20_000))["label"]
    expected = 20.0  # images a class; chi-square of 999 degrees: mean 999, deviation 44.7
    chi_square = float(((labels.bincount(minlength=1000) - expected) ** 2 / expected).sum())
    assert abs(chi_square - 999) < 4 * 44.7


def test_the_specification_names_a_thousand_classes() -> None:
    spec = StackedMNIST().open().spec
    assert spec.length == 128_000
    assert len(spec.classes) == 1000
    assert (spec.classes[0], spec.classes[7], spec.classes[999]) == ("000", "007", "999")
    assert spec.sample.shape == (3, 28, 28)
    assert spec.licence == "CC BY-SA 3.0"
    assert "Metz" in spec.source


def test_the_fingerprint_changes_with_whatever_changes_the_images() -> None:
    same = StackedMNIST(count=50).open().spec.fingerprint
    assert StackedMNIST(count=50).open().spec.fingerprint == same
    others = [
        StackedMNIST(count=51),
        StackedMNIST(count=50, seed=1),
        StackedMNIST(count=50, split="test"),
        StackedMNIST(count=50, resolution=32),
    ]
    assert len({same, *(other.open().spec.fingerprint for other in others)}) == 5


def test_32_pixels_are_the_28_with_a_black_rim() -> None:
    plain = StackedMNIST(count=9).open().gather(torch.arange(9))["sample"]
    padded = StackedMNIST(count=9, resolution=32).open().gather(torch.arange(9))["sample"]
    assert torch.equal(padded[:, :, 2:30, 2:30], plain)
    assert int(padded.sum()) == int(plain.sum())


def test_moved_to_a_device_it_gathers_the_same() -> None:
    source = StackedMNIST(count=9).open()
    moved = source.to(torch.device("cpu"))
    assert moved.spec == source.spec
    indices = torch.tensor([3, 8])
    for name, rows in source.gather(indices).items():
        assert torch.equal(moved.gather(indices)[name], rows)
    elsewhere = source.to(torch.device("meta"))
    assert isinstance(elsewhere, Stacked)
    held = [*elsewhere._rows.values(), *elsewhere._digits._rows.values()]
    assert {tensor.device.type for tensor in held} == {"meta"}


def test_only_the_digits_are_packed(tmp_path: Path) -> None:
    StackedMNIST(count=50_000).open().gather(torch.arange(10))
    stored = (tmp_path / "cache" / "packed").glob("*/samples.u8")
    assert [path.stat().st_size for path in stored] == [TRAIN * 28 * 28]


def test_without_mnist_it_says_what_mnist_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANTK_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match="is not in GANTK_DATA or the cache"):
        StackedMNIST().probe(0.5)
