"""Zip and tar archives, read member by member; whatever no honest archive holds is refused."""

from __future__ import annotations

import gzip
import lzma
import re
import stat
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import IO, BinaryIO, cast

from gan_toolkit.data import Progress
from gan_toolkit.errors import DataError
from gan_toolkit.images.files import (
    LARGEST,
    Files,
    Unreadable,
    chosen,
    printable,
    readable,
    require_images,
)
from gan_toolkit.places import cache_folder, writing

MOST_MEMBERS = 10_000_000
LARGEST_RATIO = 200
"""How many times its own size an archive may unpack to …"""
SMALL = 256 << 20
"""… unless it stays below so many bytes."""
CHUNK = 1 << 20
BLOCK = 512
OPENERS: dict[bytes, Callable[[Path], BufferedIOBase]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
BY_HAND = "If you trust it, unpack it yourself and give the folder."


@contextmanager
def opened_archive(place: Path, progress: Progress) -> Iterator[Files]:
    """Yield the image files of an archive. Raises `DataError` when it is none, unsafe or empty."""
    with _opened(place, progress) as files:
        require_images(files, place)
        yield files


@contextmanager
def _opened(place: Path, progress: Progress) -> Iterator[Files]:
    with readable(place), place.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PK"):  # a tar may end in a zip, which is not what it is
        if not zipfile.is_zipfile(place):
            raise _damaged(place, "its list of contents is missing")
        with _zip(place) as files:
            yield files
        return
    opener = next((opener for magic, opener in OPENERS.items() if head.startswith(magic)), None)
    if opener is None:
        with place.open("rb") as file, _tar(place, file) as files:
            yield files
        return
    # A compressed archive can only be read from its start: it is unpacked once into a nameless
    # file, so that members can be read in any order.
    with _spool() as spool:
        _unpack(place, opener, spool, progress)
        with _tar(place, spool) as files:
            yield files


def _spool() -> IO[bytes]:
    home = cache_folder()
    with writing(home, "an unpacked archive"):
        home.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=home)  # the caller closes it


def _unpack(
    place: Path, opener: Callable[[Path], BufferedIOBase], spool: IO[bytes], progress: Progress
) -> None:
    allowed = max(SMALL, place.stat().st_size * LARGEST_RATIO)
    done = 0
    with _told(place), opener(place) as source:
        while chunk := source.read(CHUNK):
            done += len(chunk)
            if done > allowed:
                raise _bomb(place)
            with writing(cache_folder(), "an unpacked archive"):
                spool.write(chunk)
            progress(f"Unpacking {place.name}", done, None)
    spool.seek(0)


@contextmanager
def _tar(place: Path, file: IO[bytes]) -> Iterator[Files]:
    lock = threading.Lock()
    with _as_tar(place, file) as archive, _told(place):
        members = _tar_members(place, archive)
        file.seek(archive.offset)
        if file.read(BLOCK) != bytes(BLOCK):
            raise _damaged(place, "it has no end mark")

    def read(name: str) -> bytes:
        offset, size = members[name]
        with lock:
            file.seek(offset)
            return file.read(size)

    names, ignored = chosen(members)
    yield Files(names, ignored, read)


def _as_tar(place: Path, file: IO[bytes]) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=cast(BinaryIO, file), mode="r:")
    except Exception as error:
        raise DataError(
            f"'{place}' is no archive of images: neither zip nor tar, nor tar.gz, nor tar.xz, or "
            "its start is damaged. Give a folder of images or such an archive."
        ) from error


def _tar_members(place: Path, archive: tarfile.TarFile) -> dict[str, tuple[int, int]]:
    """Return offset and size of every regular file by name."""
    members: dict[str, tuple[int, int]] = {}
    for count, member in enumerate(archive):
        name = _safe_name(place, member.name)
        _check_count(place, count)
        if member.isdir():
            continue
        if not member.isreg() or member.issparse():
            raise _unsafe(place, name, "is a link, a device or a sparse file")
        if member.size < 0:
            raise _unsafe(place, name, "has a size below 0")
        if member.size > LARGEST:
            raise _unsafe(place, name, f"is larger than {LARGEST >> 20} MiB")
        members[name] = (member.offset_data, member.size)
    return members


@contextmanager
def _zip(place: Path) -> Iterator[Files]:
    with _told(place):
        archive = zipfile.ZipFile(place)
    with archive:
        members = _zip_members(place, archive)

        def read(name: str) -> bytes:
            try:
                with archive.open(members[name]) as member:
                    return member.read(members[name].file_size)  # never more than was declared
            except Exception as error:  # damage makes zipfile raise nearly anything
                raise Unreadable(f"it is damaged within the archive ({error})") from error

        names, ignored = chosen(members)
        yield Files(names, ignored, read)


def _zip_members(place: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return every regular file by name."""
    members: dict[str, zipfile.ZipInfo] = {}
    for count, member in enumerate(archive.infolist()):
        name = _safe_name(place, member.filename)
        _check_count(place, count)
        if member.is_dir():
            continue
        if stat.S_IFMT(member.external_attr >> 16) not in {0, stat.S_IFREG}:
            raise _unsafe(place, name, "is a link or a device")
        if member.flag_bits & 1:
            raise DataError(
                f"'{place}' is encrypted ('{name}'). Unpack it with its password and give the "
                "folder."
            )
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise _unsafe(place, name, "is packed in another way than zip's usual two")
        if member.file_size > LARGEST:
            raise _unsafe(place, name, f"is larger than {LARGEST >> 20} MiB")
        members[name] = member
    total = sum(member.file_size for member in members.values())
    if total > max(SMALL, place.stat().st_size * LARGEST_RATIO):
        raise _bomb(place)
    return members


@contextmanager
def _told(place: Path) -> Iterator[None]:
    """Turn whatever a damaged archive makes its reader raise into a `DataError`."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise _damaged(place, str(error) or type(error).__name__) from error


def _safe_name(place: Path, name: str) -> str:
    """Return a member's name with `/`. Raises `DataError` when it points out of the archive."""
    plain = name.replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in {"", "."}]
    if plain.startswith("/") or ".." in parts or re.match("[A-Za-z]:/", plain):
        raise _unsafe(place, name, "points out of the archive")
    return printable("/".join(parts))


def _check_count(place: Path, count: int) -> None:
    if count >= MOST_MEMBERS:
        raise DataError(f"'{place}' holds more than {MOST_MEMBERS} files. {BY_HAND}")


def _damaged(place: Path, why: str) -> DataError:
    return DataError(
        f"'{place}' is damaged or cut short ({why}). Fetch or build it again; "
        "what can be saved of it can be unpacked by hand and given as a folder."
    )


def _unsafe(place: Path, name: str, why: str) -> DataError:
    return DataError(f"'{place}' is refused: '{name}' {why}. {BY_HAND}")


def _bomb(place: Path) -> DataError:
    return DataError(
        f"'{place}' is refused: it unpacks to more than {LARGEST_RATIO} times its size. {BY_HAND}"
    )
