"""The four files of MNIST: where they may lie, where they come from, how to know them."""

from __future__ import annotations

import gzip
import hashlib
import logging
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from gan_toolkit.data import Progress
from gan_toolkit.download import Remote, fetch, reachable
from gan_toolkit.errors import DataError
from gan_toolkit.places import cache_folder, data_folder

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""Of the uncompressed files; mirrors compress them differently."""

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "https://raw.githubusercontent.com/fgnt/mnist/master",
)
GZIP = b"\x1f\x8b"
"""How a compressed file begins."""
LARGEST = 48_000_000
"""Bytes no file exceeds, compressed or not."""
ADVICE = (
    "Download it by hand into the folder that GANTK_DATA names, compressed or not, "
    "or use `--data digits`, which needs no download."
)

_log = logging.getLogger(__name__)


def find(name: str) -> Path | None:
    """Return where `name` lies: the user's data folder first, then the cache."""
    folders = [cache_folder() / "mnist"]
    if (own := data_folder()) is not None:
        folders = [own, own / "mnist", own / "MNIST" / "raw", *folders]
    candidates = [folder / f"{name}{suffix}" for folder in folders for suffix in (".gz", "")]
    return next((path for path in candidates if path.is_file()), None)


def where(names: tuple[str, ...], timeout_s: float) -> str:
    """Return where the files are or would come from. Raises `DataError` within `timeout_s`."""
    paths = [find(name) for name in names]
    if None not in paths:
        return f"in '{cast(Path, paths[0]).parent}'"
    missing = names[paths.index(None)]
    urls = _urls(missing)
    answer = reachable(urls, timeout_s, begins=GZIP)
    if answer is None:
        raise DataError(
            f"{missing} is not in GANTK_DATA or the cache, and none of its {len(urls)} mirrors "
            f"answered within {timeout_s:.1f} s. {ADVICE}"
        )
    return f"to be downloaded from {answer.split('/')[2]}"


def obtain(name: str, progress: Progress) -> Path:
    """Return the path of `name`, downloaded into the cache when it lies nowhere."""
    if (path := find(name)) is not None:
        return path
    destination = cache_folder() / "mnist" / f"{name}.gz"
    remote = Remote(_urls(name), SHA256[name], LARGEST, _opened)
    fetch(remote, destination, advice=ADVICE, progress=progress)
    return destination


def content(name: str, progress: Progress) -> bytes:
    """Return the uncompressed bytes of `name`, checked.

    A damaged file in the cache is fetched again. Raises `DataError` for one of the user's.
    """
    path = obtain(name, progress)
    found, problem = _read(path, SHA256[name])
    if problem and path.parent == cache_folder() / "mnist":
        _log.warning("'%s' %s; it is downloaded again.", path, problem)
        path.unlink()
        path = obtain(name, progress)
        found, problem = _read(path, SHA256[name])
    if problem:
        raise DataError(
            f"'{path}' {problem}. Fashion-MNIST and others use the same file names. Move it away "
            "to have the real one downloaded, point GANTK_DATA elsewhere, or use `--data digits`."
        )
    return found


def _read(path: Path, sha256: str) -> tuple[bytes, str]:
    """Return the uncompressed bytes and what is wrong with them, if anything."""
    try:
        with _opened(path) as file:
            found = file.read(LARGEST + 1)
    except (EOFError, OSError, zlib.error) as error:
        return b"", f"cannot be read ({error})"
    digest = hashlib.sha256(found).hexdigest()
    problem = f"is not MNIST's: uncompressed it has SHA-256 {digest[:16]}…, not {sha256[:16]}…"
    return found, "" if digest == sha256 else problem


def _opened(path: Path) -> BinaryIO:
    """Open a file uncompressed; its first bytes say how, not its name."""
    with path.open("rb") as file:
        compressed = file.read(2) == GZIP
    return cast(BinaryIO, gzip.open(path)) if compressed else path.open("rb")


def _urls(name: str) -> list[str]:
    return [f"{mirror}/{name}.gz" for mirror in MIRRORS]
