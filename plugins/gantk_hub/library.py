"""The optional libraries: imported when used, and what they raise told in one line."""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import Any

from gan_toolkit.errors import DataError

OLDEST = (5, 2)
"""The oldest `datasets` known to run no code of a data set and to unpickle none of its files."""
INSTALL = "Install it: `pip install 'gan-toolkit[data]'`."


def imported(name: str) -> Any:  # Any: a library that need not be installed
    """Return an optional library. Raises `DataError` that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DataError(
            f"Data sets of the Hub need the library '{name}': {error}. {INSTALL}"
        ) from error


def is_installed() -> bool:
    """Return whether `datasets` is there, without importing it, which takes seconds."""
    return importlib.util.find_spec("datasets") is not None


def datasets() -> Any:  # Any: as above
    """Return the library `datasets`. Raises `DataError` when it is missing or too old."""
    library = imported("datasets")
    version = tuple(int(part) for part in re.findall(r"\d+", library.__version__)[:2])
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise DataError(
            f"The library 'datasets' is {library.__version__}; versions before {oldest} can run "
            "or unpickle what a data set holds. Update it: `pip install -U 'gan-toolkit[data]'`."
        )
    return library


def told(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
