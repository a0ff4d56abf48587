from __future__ import annotations

import errno
import hashlib
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from evidence import held
from fake_hub import FakeHub
from huggingface_hub import constants

import gan_toolkit
from gan_toolkit import bundle
from gantk_zoo import cache
from gantk_zoo.cache import Repository

NAME = "owner/digits"
COMMIT = "c" * 40
CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def cached() -> Repository:
    """Return a repository that holds one blob."""
    found = Repository("o/d")
    found.blob(DIGEST).parent.mkdir(parents=True)
    found.blob(DIGEST).write_bytes(CONTENT)
    return found


@pytest.fixture
def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file system be one without links."""

    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "symlink_to", refused)


def test_a_link_that_many_threads_make_at_once_is_right_and_its_content_whole(
    cached: Repository,
) -> None:
    raised: list[BaseException] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        try:
            for _ in range(100):
                cached.link(COMMIT, bundle.WEIGHTS, DIGEST)
        except BaseException as error:  # noqa: BLE001  # whatever it is
            raised.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert raised == []
    link = cached.snapshot(COMMIT) / bundle.WEIGHTS
    assert link.is_symlink()
    assert link.resolve() == cached.blob(DIGEST).resolve()
    assert link.read_bytes() == CONTENT
    assert [path.name for path in link.parent.iterdir()] == [bundle.WEIGHTS]
    assert cached.has(COMMIT, bundle.WEIGHTS)


def test_where_there_are_no_links_a_file_is_a_copy(cached: Repository, without_links: None) -> None:
    cached.link(COMMIT, bundle.WEIGHTS, DIGEST)
    file = cached.snapshot(COMMIT) / bundle.WEIGHTS
    assert not file.is_symlink()
    assert file.read_bytes() == CONTENT
    assert cached.has(COMMIT, bundle.WEIGHTS)

    file.write_bytes(CONTENT[:-1])
    assert not cached.has(COMMIT, bundle.WEIGHTS, DIGEST)
    assert not file.exists()
    assert cached.blob(DIGEST).read_bytes() == CONTENT, "which was intact"


def test_a_damaged_copy_is_mended_by_the_next_load(
    hub: FakeHub, packed: Path, without_links: None
) -> None:
    hub.hold(NAME, packed)
    weights = gan_toolkit.load(NAME).path
    good = weights.read_bytes()
    for damaged in (weights, *(weights.parents[2] / "blobs").iterdir()):
        if damaged.suffix != ".lock":
            damaged.write_bytes(b"damaged")
    assert gan_toolkit.load(NAME).path.read_bytes() == good


def test_a_full_disk_leaves_no_half_a_copy(
    cached: Repository, without_links: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path, to: Path) -> None:
        to.write_bytes(CONTENT[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space"):
        cached.link(COMMIT, bundle.WEIGHTS, DIGEST)
    assert list(cached.snapshot(COMMIT).iterdir()) == []


def test_content_that_another_process_mended_meanwhile_is_not_removed(
    cached: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached.link(COMMIT, bundle.WEIGHTS, DIGEST)
    blob = cached.blob(DIGEST)
    blob.write_bytes(b"damaged")

    @contextmanager
    def waited(*_: object) -> Iterator[None]:
        blob.write_bytes(CONTENT)
        yield

    monkeypatch.setattr(cache, "locked", waited)
    assert cached.has(COMMIT, bundle.WEIGHTS)
    assert blob.read_bytes() == CONTENT


def test_a_link_that_leads_out_of_the_cache_is_neither_trusted_nor_touched(
    cached: Repository, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / DIGEST).write_bytes(b"precious")
    link = cached.snapshot(COMMIT) / bundle.WEIGHTS
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / DIGEST)
    before = held(tmp_path)
    assert not cached.has(COMMIT, bundle.WEIGHTS)
    assert held(tmp_path) == before


def test_damaged_content_is_removed_with_the_link_to_it(cached: Repository) -> None:
    cached.link(COMMIT, bundle.WEIGHTS, DIGEST)
    cached.blob(DIGEST).write_bytes(CONTENT[:-1])
    assert not cached.has(COMMIT, bundle.WEIGHTS)
    assert not cached.blob(DIGEST).exists()
    assert list(cached.snapshot(COMMIT).iterdir()) == []


def test_damaged_content_that_two_commits_share_is_fetched_again_for_both(
    hub: FakeHub, packed: Path
) -> None:
    first = hub.hold(NAME, packed)
    second = hub.hold(NAME, packed)
    weights = gan_toolkit.load(f"{NAME}@{first}").path.resolve()
    gan_toolkit.load(f"{NAME}@{second}")
    weights.write_bytes(b"damaged")
    for commit in (second, first):
        assert gan_toolkit.load(f"{NAME}@{commit}").architecture == "cdcgan"
    assert weights.read_bytes() == (packed / bundle.WEIGHTS).read_bytes()


@pytest.mark.parametrize("names", [("exp", "exp/1"), ("exp/1", "exp")])
def test_a_branch_loads_though_one_that_was_seen_before_is_the_beginning_of_its_name(
    hub: FakeHub, packed: Path, names: tuple[str, str]
) -> None:
    commit = hub.hold(NAME, packed)
    for name in names:
        hub.repos[NAME].branches = {"main": commit, name: commit}
        for _ in range(2):
            assert gan_toolkit.load(f"{NAME}@{name}").path.parent.name == commit


def test_a_reference_never_leads_out_of_the_folder_of_references(cached: Repository) -> None:
    for revision in ("..", "../../x", "a/../../../x", "/etc/passwd"):
        cached.remember(revision, COMMIT)
    outside = [
        path
        for path in Path(constants.HF_HUB_CACHE).parent.rglob("*")
        if path.is_file() and path.read_bytes() == COMMIT.encode()
    ]
    assert all(path.is_relative_to(cached.path / "refs") for path in outside)
