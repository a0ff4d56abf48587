"""Whose code failed: an exception that left a plugin's code says so, and stays what it is."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from gan_toolkit.errors import GantkError
from gan_toolkit.plugin import FILE_PREFIX, PROJECT


@contextmanager
def blaming() -> Iterator[None]:
    """Add a note to whatever a plugin raises: its name, its distribution, its line.

    The exception itself and its traceback are kept. A `GantkError` has its message already.
    """
    try:
        yield
    except GantkError:
        raise
    except Exception as error:
        note = _note(error)
        if note and note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        raise


def _note(error: Exception) -> str:
    """Return which plugin was at work, by the innermost frame of one; empty if none was."""
    owners = {
        point.module.partition(".")[0]: point for point in metadata.entry_points(group=PROJECT)
    }
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        place = f"{frame.f_code.co_filename}:{line}"
        if point := owners.get(package):
            owner = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
            return f"Plugin '{point.name}' ({owner}) was at work: {place}. Tell its authors."
        if package.startswith(FILE_PREFIX):
            name = package.removeprefix(FILE_PREFIX)
            return f"The single-file plugin '{name}' was at work: {place}."
    return ""
