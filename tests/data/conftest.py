"""Folders of their own for every test, and the real data if it is here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL_DATA = os.environ.get("GANTK_DATA")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache and data folder out of it."""
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GANTK_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that GANTK_DATA names, an empty one."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("GANTK_DATA", str(folder))
    return folder


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that GANTK_DATA named when the tests were started."""
    if not REAL_DATA:
        pytest.skip("GANTK_DATA is not set: no real data to test with")
    monkeypatch.setenv("GANTK_DATA", REAL_DATA)
    return Path(REAL_DATA)
