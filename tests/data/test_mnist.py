from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import shutil
import struct
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan_toolkit.errors import DataError
from gantk_mnist.data import MNIST
from gantk_mnist.idx import parse_idx

Page = Callable[[BaseHTTPRequestHandler], None]
Serve = Callable[[Mapping[str, Page]], str]


def idx(values: np.ndarray) -> bytes:
    sizes = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


def adapt(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """Replace what is known of MNIST's files."""
    known = dataclasses.replace(MNIST.collection, **changes)  # type: ignore[arg-type]  # any field
    monkeypatch.setattr(MNIST, "collection", known)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Four small IDX files that pass for MNIST, gzipped."""
    random = np.random.default_rng(0)
    contents = {}
    for half, n in (("train", 7), ("t10k", 3)):
        contents[f"{half}-images-idx3-ubyte"] = idx(random.integers(0, 256, (n, 28, 28)))
        contents[f"{half}-labels-idx1-ubyte"] = idx(np.arange(n) % 10)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    adapt(monkeypatch, sha256=hashes, mirrors=("http://127.0.0.1:9",))
    return {name: gzip.compress(content) for name, content in contents.items()}


def page(content: bytes, log: list[str]) -> Page:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "Range" not in handler.headers:
            log.append(handler.path)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def test_missing_files_are_downloaded_once(
    tiny: dict[str, bytes], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []
    base = serve({f"/m/{name}.gz": page(content, log) for name, content in tiny.items()})
    adapt(monkeypatch, mirrors=(f"{base}/gone", f"{base}/m"))
    assert MNIST(split="all").probe(5).startswith("to be downloaded from 127.0.0.1")
    source = MNIST(split="all").open()
    assert source.spec.length == 10
    assert source.gather(torch.arange(10))["label"].tolist() == [*range(7), *range(3)]
    assert len(log) == 4
    assert MNIST(split="all").open().spec == source.spec
    assert MNIST().open().spec.length == 7
    assert len(log) == 4
    assert "cache" in MNIST().probe(0.1)


def test_a_damaged_file_in_the_cache_is_downloaded_again(
    tiny: dict[str, bytes],
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    log: list[str] = []
    base = serve({f"/{name}.gz": page(content, log) for name, content in tiny.items()})
    adapt(monkeypatch, mirrors=(base,))
    source = MNIST(split="test").open()
    cached = tmp_path / "cache" / "mnist" / "t10k-images-idx3-ubyte.gz"
    cached.write_bytes(cached.read_bytes()[:100])
    assert MNIST(split="test").open().spec == source.spec
    assert "it is downloaded again" in caplog.text
    assert len(log) == 3


@pytest.mark.parametrize("folder", ["", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("compressed", [True, False])
def test_the_users_files_are_found_where_they_usually_lie(
    tiny: dict[str, bytes], data: Path, folder: str, *, compressed: bool
) -> None:
    (data / folder).mkdir(parents=True, exist_ok=True)
    for name, content in tiny.items():
        path = data / folder / (f"{name}.gz" if compressed else name)
        path.write_bytes(content if compressed else gzip.decompress(content))
    assert MNIST(split="test").probe(0.1) == f"in '{data / folder}'"
    assert MNIST(split="test").open().spec.length == 3


@pytest.fixture
def users(tiny: dict[str, bytes], data: Path) -> Path:
    for name, content in tiny.items():
        (data / f"{name}.gz").write_bytes(content)
    return data


def test_32_pixels_are_the_28_with_a_black_rim(users: Path) -> None:
    plain = MNIST().open().gather(torch.arange(7))["sample"]
    padded = MNIST(resolution=32).open().gather(torch.arange(7))["sample"]
    assert torch.equal(padded[:, :, 2:30, 2:30], plain)
    assert int(padded.sum()) == int(plain.sum())


def test_other_sizes_are_resized(users: Path) -> None:
    source = MNIST(resolution=14).open()
    assert source.spec.sample.shape == (1, 14, 14)
    assert tuple(source.gather(torch.tensor([0]))["sample"].shape) == (1, 1, 14, 14)


def test_a_file_that_changed_is_noticed(users: Path) -> None:
    MNIST().open()
    path = users / "train-images-idx3-ubyte.gz"
    other = bytearray(gzip.decompress(path.read_bytes()))
    other[-1] ^= 1
    path.write_bytes(gzip.compress(bytes(other)))
    with pytest.raises(
        DataError, match=r"is not MNIST's: uncompressed it has SHA-256 .*GANTK_DATA"
    ):
        MNIST().open()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x1f\x8bgarbage", "cannot be read"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-4], "cannot be read"),
        (b"no gzip at all", "is not MNIST's"),
        (b"", "is not MNIST's"),
    ],
)
def test_a_users_file_that_is_not_mnists_is_named(users: Path, content: bytes, reason: str) -> None:
    path = users / "train-labels-idx1-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        MNIST().open()
    assert f"'{path}' {reason}" in str(caught.value)
    assert "Move it away" in str(caught.value)
    assert "--data digits" in str(caught.value)


def test_touching_a_file_packs_nothing_anew(users: Path, tmp_path: Path) -> None:
    MNIST().open()
    packs = sorted((tmp_path / "cache" / "packed").glob("*/samples.u8"))
    before = [path.stat().st_mtime_ns for path in packs]
    os.utime(users / "train-images-idx3-ubyte.gz")
    MNIST().open()
    assert [path.stat().st_mtime_ns for path in packs] == before


def test_nothing_anywhere_says_what_to_do_within_the_time(tiny: dict[str, bytes]) -> None:
    began = time.monotonic()
    with pytest.raises(DataError, match=r"none of its 1 mirrors answered .* `--data digits`"):
        MNIST().probe(0.5)
    assert time.monotonic() - began < 1
    with pytest.raises(DataError, match=r"could not be downloaded:(.|\n)*GANTK_DATA"):
        MNIST().open()


def test_images_and_labels_that_do_not_match_are_refused(
    users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = idx(np.zeros(6))
    (users / "train-labels-idx1-ubyte.gz").write_bytes(labels)
    changed = {"train-labels-idx1-ubyte": hashlib.sha256(labels).hexdigest()}
    adapt(monkeypatch, sha256={**MNIST.collection.sha256, **changed})
    with pytest.raises(DataError, match="holds 7 images but 6 labels"):
        MNIST().open()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(0, 99))
def test_what_idx_holds_comes_back(sizes: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, sizes).astype(np.uint8)
    assert np.array_equal(parse_idx(idx(values), len(sizes), "file"), values)


@given(st.binary(max_size=40), st.integers(1, 3))
def test_bytes_that_are_no_idx_are_refused_or_consistent(content: bytes, dimensions: int) -> None:
    try:
        values = parse_idx(content, dimensions, "file")
    except DataError as error:
        assert str(error).startswith("file ")  # noqa: PT017  # both outcomes are facts
    else:
        assert idx(values) == content


GOOD = idx(np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file is cut short: 0 bytes hold no IDX header"),
        (GOOD[:11], "file is cut short: 11 bytes hold no IDX header"),
        (GOOD[:-1], "file says it holds 2x3 bytes but holds 5"),
        (GOOD + b"\0", "file says it holds 2x3 bytes but holds 7"),
        (b"\0\0\x0d\x02" + GOOD[4:], "its magic is 0xd02, not 0x802"),
        (b"\0\0\x08\x03" + GOOD[4:], "its magic is 0x803, not 0x802"),
        (b"\1\0\x08\x02" + GOOD[4:], "its magic is 0x1000802, not 0x802"),
    ],
)
def test_a_wrong_idx_file_is_refused_with_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_idx(content, 2, "file")
    assert message in str(caught.value)


@pytest.fixture
def real(real_data: Path) -> Path:
    if MNIST.collection.find("train-images-idx3-ubyte") is None:
        pytest.skip("GANTK_DATA holds no MNIST")
    return real_data


def test_the_real_files_open_in_no_time_the_second_time(real: Path) -> None:
    source = MNIST().open()
    assert source.spec.length == 60_000
    assert source.gather(torch.arange(8))["label"].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert source.spec.fingerprint.startswith("aa283972c967")
    began = time.process_time()
    again = MNIST().open()
    assert time.process_time() - began < 0.2
    assert again.spec == source.spec


def test_the_real_halves_have_the_published_sizes_and_mean(real: Path, tmp_path: Path) -> None:
    source = MNIST(split="all").open()
    assert source.spec.length == 70_000
    train = source.gather(torch.arange(60_000))["sample"]
    assert abs(float(train.double().mean()) / 255 - 0.1307) < 5e-5  # as published everywhere
    shutil.rmtree(tmp_path / "cache")
