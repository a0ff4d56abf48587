"""Four files of the same names in two data sets: where they lie, come from, how to tell them."""

from __future__ import annotations

import gzip
import hashlib
import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from gan_toolkit.data import Progress
from gan_toolkit.download import Remote, fetch, reachable
from gan_toolkit.errors import DataError
from gan_toolkit.places import cache_folder, data_folder

GZIP = b"\x1f\x8b"
"""How a compressed file begins."""
LARGEST = 48_000_000
"""Bytes no file exceeds, compressed or not."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Collection:
    """The four files of one data set."""

    name: str
    """In the registry; also of its folder in the cache."""
    title: str
    sha256: Mapping[str, str]
    """Of the uncompressed files; mirrors compress them differently."""
    mirrors: tuple[str, ...]
    folders: tuple[str, ...]
    """Where people keep them below GANTK_DATA."""
    installed: Path | None
    """Where a package of the system puts them."""
    advice: str

    def find(self, name: str) -> Path | None:
        """Return where `name` lies: the user's data folder first, the cache last."""
        own = data_folder()
        folders = [] if own is None else [own / folder for folder in self.folders]
        if self.installed is not None:
            folders.append(self.installed)
        folders.append(self._cache)
        candidates = [folder / f"{name}{suffix}" for folder in folders for suffix in (".gz", "")]
        return next((path for path in candidates if path.is_file()), None)

    def where(self, names: tuple[str, ...], timeout_s: float) -> str:
        """Return where the files are or would come from. Raises `DataError` within `timeout_s`."""
        paths = [self.find(name) for name in names]
        if None not in paths:
            return f"in '{cast(Path, paths[0]).parent}'"
        missing = names[paths.index(None)]
        urls = self._urls(missing)
        answer = reachable(urls, timeout_s, begins=GZIP)
        if answer is None:
            raise DataError(
                f"{missing} is not in GANTK_DATA or the cache, and none of its {len(urls)} "
                f"mirrors answered within {timeout_s:.1f} s. {self.advice}"
            )
        return f"to be downloaded from {answer.split('/')[2]}"

    def obtain(self, name: str, progress: Progress) -> Path:
        """Return the path of `name`, downloaded into the cache when it lies nowhere."""
        if (path := self.find(name)) is not None:
            return path
        destination = self._cache / f"{name}.gz"
        remote = Remote(self._urls(name), self.sha256[name], LARGEST, _opened)
        fetch(remote, destination, advice=self.advice, progress=progress)
        return destination

    def content(self, name: str, progress: Progress) -> bytes:
        """Return the uncompressed bytes of `name`, checked.

        A damaged file in the cache is fetched again. Raises `DataError` for one of the user's.
        """
        path = self.obtain(name, progress)
        found, problem = self._read(path, name)
        if problem and path.parent == self._cache:
            _log.warning("'%s' %s; it is downloaded again.", path, problem)
            path.unlink()
            path = self.obtain(name, progress)
            found, problem = self._read(path, name)
        if problem:
            raise DataError(
                f"'{path}' {problem}. Several data sets use the same file names. Move it away to "
                "have the real one downloaded, point GANTK_DATA elsewhere, or use `--data digits`."
            )
        return found

    def _read(self, path: Path, name: str) -> tuple[bytes, str]:
        """Return the uncompressed bytes and what is wrong with them, if anything."""
        try:
            with _opened(path) as file:
                found = file.read(LARGEST + 1)
        except (EOFError, OSError, zlib.error) as error:
            return b"", f"cannot be read ({error})"
        digest, wanted = hashlib.sha256(found).hexdigest(), self.sha256[name]
        if digest == wanted:
            return found, ""
        for other in (MNIST, FASHION):
            if digest == other.sha256[name]:
                return found, f"is {other.title}'s, not {self.title}'s"
        problem = f"is not {self.title}'s: uncompressed it has SHA-256 {digest[:16]}…, not"
        return found, f"{problem} {wanted[:16]}…"

    @property
    def _cache(self) -> Path:
        return cache_folder() / self.name

    def _urls(self, name: str) -> list[str]:
        return [f"{mirror}/{name}.gz" for mirror in self.mirrors]


def _opened(path: Path) -> BinaryIO:
    """Open a file uncompressed; its first bytes say how, not its name."""
    with path.open("rb") as file:
        compressed = file.read(2) == GZIP
    return cast(BinaryIO, gzip.open(path)) if compressed else path.open("rb")


MNIST = Collection(
    name="mnist",
    title="MNIST",
    sha256={
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    },
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
        "https://raw.githubusercontent.com/fgnt/mnist/master",
    ),
    folders=("", "mnist", "MNIST/raw"),
    installed=None,
    advice=(
        "Download it by hand into the folder that GANTK_DATA names, compressed or not, "
        "or use `--data digits`, which needs no download."
    ),
)
FASHION = Collection(
    name="fashion-mnist",
    title="Fashion-MNIST",
    sha256={
        "train-images-idx3-ubyte": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    },
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    ),
    folders=("fashion-mnist", "FashionMNIST/raw"),
    installed=Path("/usr/share/datasets/fashion-mnist"),
    advice=(
        "Download it by hand into the folder fashion-mnist below the one that GANTK_DATA names, "
        "compressed or not, install Debian's package dataset-fashion-mnist, or use "
        "`--data digits`, which needs no download."
    ),
)
