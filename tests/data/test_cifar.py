from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_toolkit.errors import DataError
from gantk_cifar import files, jpeg
from gantk_cifar.binary import parse_batch
from gantk_cifar.data import CIFAR10, CLASSES

Page = Callable[[BaseHTTPRequestHandler], None]
Serve = Callable[[Mapping[str, Page]], str]

PER_BATCH = 4
RECORD = 3073


def archive(members: Mapping[str, bytes], compression: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as tar:  # type: ignore[call-overload]  # gz or xz
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def batch(seed: int) -> bytes:
    """Return records whose labels are `seed`, `seed + 1`, …"""
    random = np.random.default_rng(seed)
    records = random.integers(0, 256, (PER_BATCH, RECORD)).astype(np.uint8)
    records[:, 0] = (np.arange(PER_BATCH) + seed) % 10
    return records.tobytes()


def members() -> dict[str, bytes]:
    """Return the members of the binary version, in the disorder of the real one."""
    found = {f"cifar-10-batches-bin/data_batch_{n}.bin": batch(n) for n in (1, 4, 3, 5, 2)}
    return {
        "cifar-10-batches-bin/batches.meta.txt": b"airplane\n",
        "cifar-10-batches-bin/test_batch.bin": batch(6),
        **found,
    }


def pass_for_the_original(monkeypatch: pytest.MonkeyPatch, content: bytes) -> bytes:
    monkeypatch.setattr(files, "SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(files, "BYTES", len(content))
    return content


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MIRRORS", ("http://127.0.0.1:9",))


@pytest.fixture
def original(monkeypatch: pytest.MonkeyPatch) -> bytes:
    return pass_for_the_original(monkeypatch, archive(members(), "gz"))


@pytest.fixture
def users(original: bytes, data: Path) -> Path:
    (data / files.BINARY).write_bytes(original)
    return data / files.BINARY


def test_batches_come_in_their_order_whatever_the_archives(users: Path) -> None:
    source = CIFAR10(split="all").open()
    rows = source.gather(torch.arange(6 * PER_BATCH))
    raw = b"".join(batch(n) for n in range(1, 7))
    records = np.frombuffer(raw, np.uint8).reshape(-1, RECORD)
    assert rows["label"].tolist() == records[:, 0].tolist()
    assert np.array_equal(rows["sample"].numpy().reshape(-1, RECORD - 1), records[:, 1:])
    assert source.spec.sample.shape == (3, 32, 32)
    assert (source.spec.name, source.spec.classes) == ("cifar10", CLASSES)


@pytest.mark.parametrize(("split", "count"), [("train", 20), ("test", 4), ("all", 24)])
def test_splits_have_their_sizes(users: Path, split: str, count: int) -> None:
    assert CIFAR10.model_validate({"split": split}).open().spec.length == count


def test_the_archive_is_read_once_until_it_changes(
    users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = CIFAR10().open()
    with monkeypatch.context() as patched:
        patched.setattr("gantk_cifar.data.checked", None)  # to read it again would fail
        assert CIFAR10().open().spec == first.spec
    users.write_bytes(users.read_bytes() + b"x")
    with pytest.raises(DataError, match="is not CIFAR-10's"):
        CIFAR10().open()


def test_flip_adds_mirrored_images(users: Path) -> None:
    source = CIFAR10(split="test", flip=True).open()
    rows = source.gather(torch.arange(2 * PER_BATCH))
    assert source.spec.length == 2 * PER_BATCH
    assert torch.equal(rows["sample"][PER_BATCH:], rows["sample"][:PER_BATCH].flip(-1))


def test_another_resolution_is_pillows_bicubic_of_the_colour_image(users: Path) -> None:
    plain = CIFAR10(split="test").open().gather(torch.arange(1))["sample"][0]
    small = CIFAR10(split="test", resolution=16).open().gather(torch.arange(1))["sample"][0]
    image = Image.fromarray(plain.permute(1, 2, 0).numpy())
    expected = np.asarray(image.resize((16, 16), Image.Resampling.BICUBIC))
    assert np.array_equal(small.permute(1, 2, 0).numpy(), expected)


def test_it_is_downloaded_once(
    original: bytes, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def page(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers.get("Range"))
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(original)))
        handler.end_headers()
        handler.wfile.write(original)

    base = serve({f"/{files.BINARY}": page})
    monkeypatch.setattr(files, "MIRRORS", (f"{base}/gone", base))
    assert CIFAR10().probe(5).startswith("to be downloaded from 127.0.0.1")
    assert CIFAR10().open().spec.length == 20
    assert CIFAR10(split="test").open().spec.length == 4
    assert asked.count(None) == 1
    cached = tmp_path / "cache" / "cifar10" / files.BINARY
    assert CIFAR10().probe(0.1) == f"in '{cached}'"
    cached.write_bytes(original[:-100])
    assert CIFAR10().open().spec.length == 20
    assert asked.count(None) == 2


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda content: content[:-100], "is cut short or something else: it has "),
        (lambda content: b"", "is cut short or something else: it has 0 bytes"),
        (lambda content: content[:-1] + b"x", "is not CIFAR-10's: it has SHA-256 "),
        (lambda content: content + b"x", "is not CIFAR-10's: it has SHA-256 "),
    ],
)
def test_a_users_archive_that_is_torn_or_another_is_named(
    users: Path, spoil: Callable[[bytes], bytes], reason: str
) -> None:
    users.write_bytes(spoil(users.read_bytes()))
    with pytest.raises(DataError) as caught:
        CIFAR10().open()
    assert f"'{users}' {reason}" in str(caught.value)
    assert "Move it away" in str(caught.value)


def test_the_pickled_version_is_never_read(
    data: Path, original: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = data / "cifar-10-python.tar.gz"
    pickled.write_bytes(b"anything")
    told = f"'{pickled}' is no help: it is pickled, and nothing is ever unpickled."
    with pytest.raises(DataError) as caught:
        CIFAR10().probe(0.5)
    assert told in str(caught.value)
    with pytest.raises(DataError) as caught:
        CIFAR10().open()
    assert told in str(caught.value)
    assert f"{files.BINARY} by hand into the folder that GANTK_DATA names" in str(caught.value)
    pickled.rename(data / files.BINARY)
    monkeypatch.setattr(files, "PICKLED_SHA256", hashlib.sha256(b"anything").hexdigest())
    with pytest.raises(DataError, match="is the pickled Python version under another name"):
        CIFAR10().open()


def test_nothing_anywhere_says_what_to_do_within_the_time() -> None:
    began = time.monotonic()
    with pytest.raises(DataError, match=r"none of its 1 mirrors answered .* `--data digits`"):
        CIFAR10().probe(0.5)
    assert time.monotonic() - began < 1


GOOD = batch(0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.bin has 0 bytes"),
        (GOOD[:-1], f"x.bin has {len(GOOD) - 1} bytes, which are no records of 3073"),
        (b"\x0a" + GOOD[1:], "x.bin holds the label 10"),
    ],
)
def test_bytes_that_are_no_batch_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_batch(content, "x.bin")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "packed", [b"no archive", archive({"readme.html": b""}, "gz")], ids=["none", "of others"]
)
def test_an_archive_without_batches_is_refused(
    data: Path, packed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / files.BINARY).write_bytes(pass_for_the_original(monkeypatch, packed))
    with pytest.raises(DataError, match=r"cannot be read: |holds no data_batch_1\.bin"):
        CIFAR10().open()


def picture(seed: int, side: int = 32) -> bytes:
    grey = np.full((side, side, 3), 20 * seed, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "JPEG")
    return buffer.getvalue()


def pictures() -> dict[str, bytes]:
    """Return one picture of each class for `train` and two for `test`."""
    train = {f"train/{name}/0.jpg": picture(number) for number, name in enumerate(CLASSES)}
    test = {f"test/{name}/{i}.jpg": picture(i) for name in CLASSES for i in range(2)}
    return test | train


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg, "COUNTS", {"train": 10, "test": 20})


def test_the_jpeg_copy_serves_until_the_original_is_there(
    few: None, data: Path, original: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    copy = data / files.JPEG
    copy.write_bytes(archive(pictures(), "xz"))
    assert CIFAR10().probe(0.1) == f"in '{copy}', recompressed as JPEG"
    source = CIFAR10(split="all").open()
    assert f"comes from '{copy}', recompressed as JPEG" in caplog.text
    assert source.spec.source.endswith("recompressed as JPEG")
    rows = source.gather(torch.arange(30))
    assert rows["label"].tolist() == [*range(10), *(n for n in range(10) for _ in range(2))]
    assert [round(int(value) / 20) for value in rows["sample"][:10, 0, 0, 0]] == [*range(10)]
    (data / files.BINARY).write_bytes(original)
    assert CIFAR10().probe(0.1) == f"in '{data / files.BINARY}'"
    other = CIFAR10(split="all").open().spec
    assert other.source == CIFAR10.source
    assert other.fingerprint != source.spec.fingerprint


def test_an_archive_of_other_images_under_that_name_is_refused(data: Path) -> None:
    (data / files.JPEG).write_bytes(archive(pictures(), "xz"))
    with pytest.raises(DataError, match=r"is no copy of CIFAR-10: its train half has 10 images"):
        CIFAR10().open()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train/cat/0.jpg": picture(0)[:300]}, "cannot be used: train/cat/0.jpg"),
        ({"train/cat/0.jpg": picture(0, side=16)}, r"train/cat/0.jpg has \(16, 16\) pixels"),
        ({"../cat.jpg": picture(0)}, "points out of the archive"),
    ],
)
def test_a_jpeg_copy_with_a_bad_file_is_refused_by_name(
    few: None, data: Path, changes: dict[str, bytes], message: str
) -> None:
    (data / files.JPEG).write_bytes(archive(pictures() | changes, "xz"))
    with pytest.raises(DataError, match=message):
        CIFAR10().open()


def test_a_torn_jpeg_copy_is_refused(few: None, data: Path, tmp_path: Path) -> None:
    (data / files.JPEG).write_bytes(archive(pictures(), "xz")[:-50])
    with pytest.raises(DataError, match="is damaged or cut short"):
        CIFAR10().open()
    assert not list((tmp_path / "cache").rglob("samples.u8"))


def test_to_declare_it_imports_nothing_heavy() -> None:
    script = (
        f"import sys; sys.path[:] = {sys.path!r}; import gantk_cifar, gantk_hub; "
        "print(*{'torch', 'numpy', 'PIL', 'datasets', 'pydantic'} & sys.modules.keys())"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
