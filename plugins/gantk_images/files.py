"""Where images are: a folder or an archive, and whether anybody touched it."""

from __future__ import annotations

import hashlib
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from gan_toolkit.data import Progress
from gan_toolkit.errors import DataError, did_you_mean
from gan_toolkit.images.archives import opened_archive
from gan_toolkit.images.files import (
    LARGEST,
    Files,
    Unreadable,
    chosen,
    printable,
    readable,
    require_images,
)
from gan_toolkit.images.layout import is_hidden
from gan_toolkit.places import data_folder, place_of


def opened(place: Path, progress: Progress) -> AbstractContextManager[Files]:
    """Open the image files at `place`. Raises `DataError` when there are none to be had."""
    if not place.is_dir():
        return opened_archive(place, progress)
    files = _in_folder(place)
    require_images(files, place)
    return nullcontext(files)


def located(path: str) -> Path:
    """Return where `path` is: as it stands, else in the user's data folder. Raises `DataError`."""
    if (place := place_of(path)) is not None:
        return place
    asked = Path(path)
    near = [entry.name for entry in asked.parent.iterdir()] if asked.parent.is_dir() else []
    also = "GANTK_DATA is not set" if data_folder() is None else "nor below GANTK_DATA"
    raise DataError(
        f"No folder or archive '{path}' here ({also}).{did_you_mean(asked.name, near)} "
        "Give a folder of images, a .zip or a .tar: `--data PATH`."
    )


def stamp(place: Path) -> list[tuple[str, int, int]]:
    """Return names, sizes and times: the same as long as nobody touched `place`.

    Times are of the last change, that of who may read a file included.
    """

    def told(name: str, status: os.stat_result) -> tuple[str, int, int]:
        return name, status.st_size, max(status.st_mtime_ns, status.st_ctime_ns)

    whole = str(place.resolve())
    with readable(place):
        if place.is_dir():
            entries = [told(name, status) for name, (_, status) in _scan(place).items()]
            return [(whole, 0, 0), *sorted(entries)]
        return [told(whole, place.stat())]


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
