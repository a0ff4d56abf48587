from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan_toolkit import packed
from gan_toolkit.errors import DataError
from gan_toolkit.files import TEMPORARY
from gan_toolkit.packed import Chunk

SHAPE = (1, 4, 4)
CLASSES = ("a", "b", "c")


def rows(n: int, start: int = 0) -> Chunk:
    values = (np.arange(n * 16, dtype=np.int64) + start * 16) % 251
    return values.astype(np.uint8).reshape(n, *SHAPE), [(start + i) % 3 for i in range(n)]


def some(key: str = "key") -> packed.Pack:
    return packed.pack(key, [rows(5), rows(3, start=5)], shape=SHAPE, classes=CLASSES)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "packed"


def test_rows_and_labels_come_back_as_packed(home: Path) -> None:
    some()
    pack = packed.open_pack("key")
    assert pack is not None
    assert torch.equal(pack.samples, torch.from_numpy(rows(8)[0]))
    assert pack.labels is not None
    assert pack.labels.tolist() == rows(8)[1]
    assert (pack.samples.dtype, pack.labels.dtype) == (torch.uint8, torch.int64)
    assert pack.about.classes == CLASSES


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_any_shape_in_any_chunks_gives_the_same_pack(
    home: Path, shape: tuple[int, ...], sizes: list[int], seed: int
) -> None:
    shutil.rmtree(home, ignore_errors=True)
    data = np.random.default_rng(seed).integers(0, 256, (sum(sizes), *shape)).astype(np.uint8)
    chunks: list[Chunk] = [(chunk, []) for chunk in np.split(data, np.cumsum(sizes)[:-1])]
    split = packed.pack("split", chunks, shape=shape)
    whole = packed.pack("whole", [(data, [])], shape=shape)
    assert split.labels is None
    assert np.array_equal(split.samples.numpy(), data)
    assert split.about.fingerprint == whole.about.fingerprint


def test_the_fingerprint_is_a_plain_sha256_of_the_content() -> None:
    def of(data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()

    samples, labels = rows(8)
    content = [[1, 4, 4], ["a", "b", "c"], of(samples.tobytes()), of(np.array(labels).tobytes())]
    assert some().about.fingerprint == of(json.dumps(content).encode())


def test_a_pack_that_was_never_built_is_none() -> None:
    assert packed.open_pack("key") is None


def cut(folder: Path) -> None:
    with (folder / packed.SAMPLES).open("r+b") as file:
        file.truncate(100)


def flip(folder: Path) -> None:
    content = bytearray((folder / packed.SAMPLES).read_bytes())
    content[7] ^= 1
    (folder / packed.SAMPLES).write_bytes(content)


def relabel(folder: Path) -> None:
    (folder / packed.LABELS).write_bytes(bytes(8 * 8))


def unlabel(folder: Path) -> None:
    (folder / packed.LABELS).unlink()


def foreign(folder: Path) -> None:
    (folder / packed.ABOUT).write_text('{"hello": "world"}')


def half_written(folder: Path) -> None:
    (folder / packed.ABOUT).write_text((folder / packed.ABOUT).read_text()[:40])


def from_the_future(folder: Path) -> None:
    values = json.loads((folder / packed.ABOUT).read_text())
    (folder / packed.ABOUT).write_text(json.dumps({**values, "format": 99}))


def empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


@pytest.mark.parametrize(
    "damage", [cut, flip, relabel, unlabel, foreign, half_written, from_the_future, empty]
)
def test_a_damaged_pack_is_built_again_with_a_message(
    home: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    expected = some().about.fingerprint
    damage(home / "key")
    assert packed.open_pack("key") is None
    assert "is damaged; it is built again" in caplog.text
    assert some().about.fingerprint == expected
    assert packed.open_pack("key") is not None


def test_a_copied_pack_is_read_once_and_then_trusted(home: Path) -> None:
    some()
    for name in (packed.SAMPLES, packed.LABELS):
        os.utime(home / "key" / name, ns=(1, 1))
    pack = packed.open_pack("key")
    assert pack is not None
    assert pack.about.times_ns == (1, 1)
    assert (
        packed.About.model_validate_json((home / "key" / packed.ABOUT).read_bytes()) == pack.about
    )


def test_writing_to_the_tensor_leaves_the_file_alone() -> None:
    pack = some()
    before = pack.samples.clone()
    pack.samples.zero_()
    again = packed.open_pack("key")
    assert again is not None
    assert torch.equal(again.samples, before)


def test_packing_and_opening_need_no_memory_for_the_rows() -> None:
    chunk = np.zeros((64, 3, 64, 64), np.uint8)  # 0.8 MB, 80 times
    tracemalloc.start()
    pack = packed.pack("big", ((chunk, []) for _ in range(80)), shape=chunk.shape[1:])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pack.samples.nbytes == 80 * chunk.nbytes
    assert peak < 4 * chunk.nbytes


def test_a_source_that_fails_leaves_nothing(home: Path) -> None:
    def failing() -> Iterator[Chunk]:
        yield rows(5)
        raise DataError("no more")

    with pytest.raises(DataError, match="no more"):
        packed.pack("key", failing(), shape=SHAPE)
    assert [path.name for path in home.iterdir()] == ["lock"]


def test_a_full_disk_is_named_and_leaves_nothing(home: Path) -> None:
    resource = pytest.importorskip("resource", reason="only Unix can limit the size of files")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(DataError, match=r"no space is left.*GANTK_CACHE"):
            packed.pack("key", (rows(100) for _ in range(100)), shape=SHAPE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in home.iterdir()] == ["lock"]


def test_what_a_killed_process_left_is_swept(home: Path) -> None:
    (home / f"{TEMPORARY}old").mkdir(parents=True)
    some()
    assert sorted(path.name for path in home.iterdir()) == ["key", "lock"]


def test_two_at_once_build_one_pack(caplog: pytest.LogCaptureFixture) -> None:
    built: list[int] = []
    first_is_in = threading.Event()
    second_waits = threading.Event()

    def slow() -> Iterable[Chunk]:
        built.append(1)
        first_is_in.set()
        second_waits.wait(10)
        yield rows(5)

    def build() -> None:
        packed.pack("key", slow(), shape=SHAPE)

    threads = [threading.Thread(target=build) for _ in range(2)]
    threads[0].start()
    assert first_is_in.wait(10)
    threads[1].start()
    for _ in range(500):
        if "Waiting for another process" in caplog.text:
            break
        threads[1].join(0.01)
    second_waits.set()
    for thread in threads:
        thread.join()
    assert built == [1]
    assert "Waiting for another process that is packing data." in caplog.text


def test_notes_are_read_after_the_last_chunk() -> None:
    notes: list[str] = []

    def noting() -> Iterator[Chunk]:
        yield rows(2)
        notes.append("two rows")

    assert packed.pack("key", noting(), shape=SHAPE, notes=notes).about.notes == ("two rows",)


def test_a_stamp_leads_to_the_key_it_was_remembered_with() -> None:
    stamp = packed.name_of(path="x", size=1)
    assert packed.seen(stamp) is None
    packed.remember(stamp, "key")
    assert packed.seen(stamp) == "key"
    assert packed.name_of(path="x", size=2) != stamp
