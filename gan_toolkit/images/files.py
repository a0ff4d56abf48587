"""The image files of a folder or an archive, by name; none is ever unpacked to disk by it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gan_toolkit.errors import DataError
from gan_toolkit.images.layout import SUFFIXES, UNREAD, is_hidden

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


def passed_over(files: Files) -> str:
    """Return what to do about pictures of formats that are not read, nothing if there are none."""
    found = {suffix: count for suffix, count in files.ignored.items() if suffix in UNREAD}
    if not found:
        return ""
    told = ", ".join(f"{count} {suffix}" for suffix, count in sorted(found.items()))
    return f"Pictures were passed over ({told}); convert them to JPEG or PNG to train on them too."


def require_images(files: Files, place: Path) -> None:
    """Raise `DataError` that says what there is instead when a place holds no images."""
    if files.names:
        return
    if not files.ignored:
        raise DataError(f"'{place}' is empty. Put images in it, or give another path.")
    others = ", ".join(f"{count} {suffix}" for suffix, count in sorted(files.ignored.items()))
    raise DataError(
        f"'{place}' holds no images, only other files ({others}). "
        f"Images end in {', '.join(sorted(SUFFIXES))}; convert them, or give another path."
    )


def printable(name: str) -> str:
    """Return a file name that is valid text, even where the system's bytes are not."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


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
