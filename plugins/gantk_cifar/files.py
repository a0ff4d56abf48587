"""The archives of CIFAR-10: where they may lie, where one comes from, how to know it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from gan_toolkit.data import Progress
from gan_toolkit.download import Remote, fetch, reachable
from gan_toolkit.errors import DataError
from gan_toolkit.files import sha256_of
from gan_toolkit.places import cache_folder, data_folder

BINARY = "cifar-10-binary.tar.gz"
JPEG = "cifar10-jpeg.tar.xz"
"""A copy of the same images, one JPEG file each in `train/CLASS/` and `test/CLASS/`."""
PICKLED = ("cifar-10-python.tar.gz", "cifar-10-batches-py")
"""The version that can only be read by unpickling it, which may run any code: never."""

BYTES = 170_052_171
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
PICKLED_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
MIRRORS = (
    "https://www.cs.toronto.edu/~kriz",
    "https://cave.cs.toronto.edu/kriz",
    "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets",
)
GZIP = b"\x1f\x8b"

_log = logging.getLogger(__name__)


class Archive(NamedTuple):
    """A file that holds CIFAR-10."""

    path: Path
    original: bool
    """Whether it is the authors' binary version, not the JPEG copy."""


def find() -> Archive | None:
    """Return the original wherever it lies, the user's data folder first; else the JPEG copy."""
    for name in (BINARY, JPEG):
        folders = [*_own_folders(), _cache()] if name == BINARY else _own_folders()
        for folder in folders:
            if (folder / name).is_file():
                return Archive(folder / name, name == BINARY)
    return None


def where(timeout_s: float) -> str:
    """Return where the data is or would come from. Raises `DataError` within `timeout_s`."""
    archive = find()
    if archive is not None:
        return f"in '{archive.path}'" + ("" if archive.original else ", recompressed as JPEG")
    answer = reachable(_urls(), timeout_s, begins=GZIP)
    if answer is None:
        raise DataError(
            f"{BINARY} is not in GANTK_DATA or the cache, and none of its {len(MIRRORS)} mirrors "
            f"answered within {timeout_s:.1f} s. {_advice()}"
        )
    return f"to be downloaded from {answer.split('/')[2]} (170 MB)"


def obtain(progress: Progress) -> Archive:
    """Return the archive, downloaded into the cache when it lies nowhere. Raises `DataError`."""
    archive = find()
    if archive is None:
        archive = Archive(_cache() / BINARY, original=True)
        remote = Remote(_urls(), SHA256, BYTES)
        fetch(remote, archive.path, advice=_advice(), progress=progress)
    return archive


def checked(progress: Progress) -> tuple[Archive, str]:
    """Return the archive and its SHA-256, which for the original is the known one.

    A damaged file in the cache is fetched again. Raises `DataError` for one of the user's.
    """
    archive = obtain(progress)
    digest = _digest(archive.path)
    problem = _problem(archive, digest)
    if problem and archive.path.parent == _cache():
        _log.warning("'%s' %s; it is downloaded again.", archive.path, problem)
        archive.path.unlink()
        archive = obtain(progress)
        digest = _digest(archive.path)
        problem = _problem(archive, digest)
    if problem:
        raise DataError(
            f"'{archive.path}' {problem}. Move it away to have the real one downloaded, or point "
            "GANTK_DATA elsewhere."
        )
    return archive, digest


def _problem(archive: Archive, digest: str) -> str:
    if not archive.original or digest == SHA256:
        return ""
    if digest == PICKLED_SHA256:
        return "is the pickled Python version under another name, and nothing is ever unpickled"
    size = archive.path.stat().st_size
    if size < BYTES:
        return f"is cut short or something else: it has {size} bytes of {BYTES}"
    return f"is not CIFAR-10's: it has SHA-256 {digest[:16]}…, not {SHA256[:16]}…"


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}.") from error


def _advice() -> str:
    """Return what to do when nothing could be had, and why a pickled copy is no help."""
    candidates = (folder / name for folder in _own_folders() for name in PICKLED)
    pickled = next((path for path in candidates if path.exists()), None)
    told = f"'{pickled}' is no help: it is pickled, and nothing is ever unpickled. "
    return (
        f"{told if pickled else ''}Download {MIRRORS[0]}/{BINARY} by hand into the folder that "
        "GANTK_DATA names, or use `--data digits`, which needs no download."
    )


def _own_folders() -> list[Path]:
    own = data_folder()
    return [] if own is None else [own, own / "cifar10"]


def _cache() -> Path:
    return cache_folder() / "cifar10"


def _urls() -> list[str]:
    return [f"{mirror}/{BINARY}" for mirror in MIRRORS]
