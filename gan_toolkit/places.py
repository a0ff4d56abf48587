"""Where things are kept: data, caches, runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder for downloads and packed data; `GANTK_CACHE` overrides it."""
    if override := os.environ.get("GANTK_CACHE"):
        return Path(override).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("gantk", appauthor=False)


def data_folder() -> Path | None:
    """Return the user's own data folder, `GANTK_DATA`, where data sets are looked up first."""
    folder = os.environ.get("GANTK_DATA")
    return Path(folder).expanduser() if folder else None
