"""Where things are kept: data, caches, runs; and who may write there."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gan_toolkit.errors import DataError
from gan_toolkit.files import is_full

_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return the folder for downloads and packed data; `GANTK_CACHE` overrides it."""
    if override := os.environ.get("GANTK_CACHE"):
        return Path(override).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("gantk", appauthor=False)


def config_folder() -> Path:
    """Return the folder for what the user decided for good; `GANTK_CONFIG` overrides it."""
    if override := os.environ.get("GANTK_CONFIG"):
        return Path(override).expanduser()
    from platformdirs import user_config_path

    return user_config_path("gantk", appauthor=False)


def data_folder() -> Path | None:
    """Return the user's own data folder, `GANTK_DATA`, where data sets are looked up first."""
    folder = os.environ.get("GANTK_DATA")
    return Path(folder).expanduser() if folder else None


def place_of(path: str) -> Path | None:
    """Return where `path` is: as it stands, else in the user's own data folder; None if nowhere."""
    asked, own = Path(path), data_folder()
    with suppress(RuntimeError):  # `~somebody` who is nobody here
        asked = asked.expanduser()
    places = [asked] if own is None else [asked, own / asked]
    return next((place for place in places if place.exists()), None)


@contextmanager
def locked(path: Path, doing: str) -> Iterator[None]:
    """Hold a lock between processes, saying so when it has to wait; it dies with its process."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _log.warning("Waiting for another process that is %s.", doing)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing(folder: Path, what: str, setting: str = "GANTK_CACHE") -> Iterator[None]:
    """Turn a failure to write `what` in a cache folder into a `DataError` that says what to do."""
    try:
        yield
    except OSError as error:
        problem = "no space is left" if is_full(error) else (error.strerror or str(error))
        advice = "Free some, or point" if is_full(error) else "Point"
        raise DataError(
            f"Cannot keep {what} in '{folder}': {problem}. {advice} {setting} to a folder "
            "that has room and that you may write in."
        ) from error
