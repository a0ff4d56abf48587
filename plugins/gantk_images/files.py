"""The files of a folder or an archive, by name, without ever unpacking one to disk by its name."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from gan_toolkit.data import Progress
from gan_toolkit.errors import DataError, did_you_mean
from gan_toolkit.places import data_folder
from gantk_images.layout import SUFFIXES, is_hidden

LARGEST = 1 << 30
"""Bytes of one file beyond which it is refused."""


class Unreadable(Exception):
    """Why one file cannot be used."""


@dataclass(frozen=True)
class Files:
    """The image files in one place."""

    names: tuple[str, ...]
    """Sorted, relative to the place, with `/`."""
    ignored: dict[str, int]
    """How many files of which suffix are no images."""
    read: Callable[[str], bytes]
    """Content by name, from any thread. Raises `Unreadable`."""


def chosen(names: Iterable[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the image names, sorted, and how many others of which suffix there are."""
    images, ignored = [], Counter[str]()
    for name in names:
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122  # pathlib is slow on 60,000 names
        if is_hidden(name):
            continue
        if suffix in SUFFIXES:
            images.append(name)
        else:
            ignored[suffix or "no suffix"] += 1
    return tuple(sorted(images)), dict(ignored)


@contextmanager
def opened(place: Path, progress: Progress) -> Iterator[Files]:
    """Yield the image files at `place`. Raises `DataError` when there are none to be had."""
    from gantk_images.archives import opened_archive

    with (
        nullcontext(_in_folder(place))
        if place.is_dir()
        else opened_archive(place, progress) as files
    ):
        _require_images(files, place)
        yield files


def located(path: str) -> Path:
    """Return where `path` is: as it stands, else in the user's data folder. Raises `DataError`."""
    asked, own = Path(path).expanduser(), data_folder()
    for place in [asked] if own is None else [asked, own / asked]:
        if place.exists():
            return place
    near = [entry.name for entry in asked.parent.iterdir()] if asked.parent.is_dir() else []
    also = "GANTK_DATA is not set" if own is None else "nor below GANTK_DATA"
    raise DataError(
        f"No folder or archive '{path}' here ({also}).{did_you_mean(asked.name, near)} "
        "Give a folder of images, a .zip or a .tar: `--data PATH`."
    )


def printable(name: str) -> str:
    """Return a file name that is valid text, even where the system's bytes are not."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def stamp(place: Path) -> list[tuple[str, int, int]]:
    """Return names, sizes and times: the same as long as nobody touched `place`."""
    with readable(place):
        if place.is_dir():
            found = _scan(place)
            entries = [(name, s.st_size, s.st_mtime_ns) for name, (_, s) in found.items()]
            return [(str(place.resolve()), 0, 0), *sorted(entries)]
        status = place.stat()
        return [(str(place.resolve()), status.st_size, status.st_mtime_ns)]


def digest(place: Path, progress: Progress) -> str:
    """Return a SHA-256 that changes with any name or content. Reads everything."""
    with readable(place):
        if not place.is_dir():
            with place.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        files, total = _in_folder(place), hashlib.sha256()
        for done, name in enumerate(files.names):
            try:
                content = hashlib.sha256(files.read(name)).hexdigest()
            except Unreadable as reason:
                content = str(reason)
            total.update(f"{name}\0{content}\0".encode())
            progress("Looking for changes", done + 1, len(files.names))
        return total.hexdigest()


@contextmanager
def readable(place: Path) -> Iterator[None]:
    """Turn a failure to read `place` into a `DataError`."""
    try:
        yield
    except PermissionError as error:
        raise DataError(
            f"'{error.filename or place}' may not be read by you. Change its permissions "
            "(`chmod u+rX`), or copy the images to a folder of yours."
        ) from error
    except OSError as error:
        raise DataError(f"'{error.filename or place}' cannot be read: {error.strerror}.") from error


def _in_folder(place: Path) -> Files:
    with readable(place):
        found = _scan(place)
    names, ignored = chosen(found)

    def read(name: str) -> bytes:
        path, status = found[name]
        if status.st_size > LARGEST:
            raise Unreadable(f"it is larger than {LARGEST >> 20} MiB")
        try:
            return path.read_bytes()
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from error

    return Files(names, ignored, read)


def _scan(place: Path) -> dict[str, tuple[Path, os.stat_result]]:
    """Return every file below `place` by relative name; links are followed, but not in circles."""
    found: dict[str, tuple[Path, os.stat_result]] = {}
    pending, visited = [(place, "")], set[str]()
    while pending:
        folder, prefix = pending.pop()
        real = os.path.realpath(folder)
        if real in visited:
            continue
        visited.add(real)
        with os.scandir(folder) as entries:
            for entry in entries:
                name = f"{prefix}{printable(entry.name)}"
                if entry.is_dir():
                    if not is_hidden(entry.name):
                        pending.append((Path(entry.path), f"{name}/"))
                elif entry.is_file():
                    found[name] = (Path(entry.path), entry.stat())
    return found


def _require_images(files: Files, place: Path) -> None:
    if files.names:
        return
    if not files.ignored:
        raise DataError(f"'{place}' is empty. Put images in it, or give another path.")
    others = ", ".join(f"{count} {suffix}" for suffix, count in sorted(files.ignored.items()))
    raise DataError(
        f"'{place}' holds no images, only other files ({others}). "
        f"Images end in {', '.join(sorted(SUFFIXES))}; convert them, or give another path."
    )
