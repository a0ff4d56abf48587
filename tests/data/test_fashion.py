from __future__ import annotations

import dataclasses
import gzip
import hashlib
import struct
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_toolkit.errors import DataError
from gantk_mnist.data import MNIST, FashionMNIST

Page = Callable[[BaseHTTPRequestHandler], None]
Serve = Callable[[Mapping[str, Page]], str]
Files = dict[str, bytes]

NOWHERE = ("http://127.0.0.1:9",)


def idx_files(seed: int) -> Files:
    """Return four small IDX files, gzipped: 7 images to train, 3 to test."""
    random = np.random.default_rng(seed)
    contents = {}
    for half, n in (("train", 7), ("t10k", 3)):
        images = random.integers(0, 256, (n, 28, 28)).astype(np.uint8).tobytes()
        contents[f"{half}-images-idx3-ubyte"] = struct.pack(">4I", 0x803, n, 28, 28) + images
        labels = bytes((i + seed) % 10 for i in range(n))
        contents[f"{half}-labels-idx1-ubyte"] = struct.pack(">2I", 0x801, n) + labels
    return {name: gzip.compress(content) for name, content in contents.items()}


def adapt(
    monkeypatch: pytest.MonkeyPatch, cls: type[MNIST | FashionMNIST], contents: Files
) -> None:
    """Let `contents` pass for the real files, and nothing be installed or downloaded."""
    hashes = {n: hashlib.sha256(gzip.decompress(c)).hexdigest() for n, c in contents.items()}
    known = dataclasses.replace(cls.collection, sha256=hashes, mirrors=NOWHERE, installed=None)
    monkeypatch.setattr(cls, "collection", known)
    monkeypatch.setattr(f"gantk_mnist.files.{'FASHION' if cls is FashionMNIST else 'MNIST'}", known)


def write(folder: Path, contents: Files) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.gz").write_bytes(content)
    return folder


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> Files:
    contents = idx_files(0)
    adapt(monkeypatch, MNIST, contents)
    return contents


@pytest.fixture
def clothes(monkeypatch: pytest.MonkeyPatch) -> Files:
    contents = idx_files(1)
    adapt(monkeypatch, FashionMNIST, contents)
    return contents


@pytest.mark.parametrize("folder", ["fashion-mnist", "FashionMNIST/raw"])
def test_it_lies_beside_mnist_in_the_users_folder(
    digits: Files, clothes: Files, data: Path, folder: str
) -> None:
    write(data, digits)
    write(data / folder, clothes)
    assert FashionMNIST().probe(0.1) == f"in '{data / folder}'"
    assert MNIST().probe(0.1) == f"in '{data}'"
    fashion, mnist = FashionMNIST().open(), MNIST().open()
    assert (fashion.spec.name, mnist.spec.name) == ("fashion-mnist", "mnist")
    assert fashion.spec.fingerprint != mnist.spec.fingerprint
    batch = fashion.gather(torch.arange(7))
    assert batch["label"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    raw = gzip.decompress(clothes["train-images-idx3-ubyte"])[16:]
    assert batch["sample"].numpy().tobytes() == raw


def test_debians_folder_comes_after_the_users(
    clothes: Files, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = write(tmp_path / "usr" / "fashion-mnist", clothes)
    known = dataclasses.replace(FashionMNIST.collection, installed=installed)
    monkeypatch.setattr(FashionMNIST, "collection", known)
    assert FashionMNIST().probe(0.1) == f"in '{installed}'"
    assert FashionMNIST(split="test").open().spec.length == 3
    own = write(data / "fashion-mnist", clothes)
    assert FashionMNIST().probe(0.1) == f"in '{own}'"


def test_mnists_files_in_its_place_are_told_apart(
    digits: Files, clothes: Files, data: Path
) -> None:
    write(data / "fashion-mnist", digits)
    with pytest.raises(DataError, match=r"is MNIST's, not Fashion-MNIST's\. .*Move it away"):
        FashionMNIST().open()
    write(data / "mnist", clothes)
    with pytest.raises(DataError, match=r"is Fashion-MNIST's, not MNIST's\. .*Move it away"):
        MNIST().open()


def test_a_torn_file_is_named(clothes: Files, data: Path) -> None:
    path = write(data / "fashion-mnist", clothes) / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError) as caught:
        FashionMNIST().open()
    assert f"'{path}' cannot be read" in str(caught.value)


def test_it_is_downloaded_into_a_folder_of_its_own(
    clothes: Files, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page(content: bytes) -> Page:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)

        return answer

    base = serve({f"/{name}.gz": page(content) for name, content in clothes.items()})
    known = dataclasses.replace(FashionMNIST.collection, mirrors=(base,))
    monkeypatch.setattr(FashionMNIST, "collection", known)
    assert FashionMNIST().probe(5).startswith("to be downloaded from 127.0.0.1")
    assert FashionMNIST(split="all").open().spec.length == 10
    assert FashionMNIST().probe(0.1) == f"in '{tmp_path / 'cache' / 'fashion-mnist'}'"


def test_nothing_anywhere_names_the_folder_and_the_package(clothes: Files) -> None:
    began = time.monotonic()
    with pytest.raises(DataError, match=r"folder fashion-mnist below .* dataset-fashion-mnist"):
        FashionMNIST().probe(0.5)
    assert time.monotonic() - began < 1


def test_every_mirror_names_the_files_as_the_collection_does() -> None:
    assert FashionMNIST.collection.sha256.keys() == MNIST.collection.sha256.keys()
    hashes = {*FashionMNIST.collection.sha256.values(), *MNIST.collection.sha256.values()}
    assert {len(value) for value in hashes} == {64}
    assert len(hashes) == 8


def test_the_real_test_half_has_the_published_size_classes_and_mean() -> None:
    if FashionMNIST.collection.find("t10k-images-idx3-ubyte") is None:
        pytest.skip("Debian's dataset-fashion-mnist is not installed: no real data to test with")
    source = FashionMNIST(split="test").open()
    batch = source.gather(torch.arange(10_000))
    assert batch["label"].bincount().tolist() == [1000] * 10
    assert source.spec.classes[9] == "Ankle boot"
    assert batch["label"][0] == 9  # the ankle boot that every tutorial shows first
    assert abs(float(batch["sample"].double().mean()) / 255 - 0.2868) < 5e-4
    assert (source.spec.licence, source.spec.length) == ("MIT", 10_000)
