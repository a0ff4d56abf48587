"""The models that come with the toolkit, one folder each below `models/`."""

from __future__ import annotations

from pathlib import Path

from gan_toolkit import bundle

MODELS = Path(__file__).parent / "models"


def names() -> list[str]:
    """Return the names of all shipped models, sorted."""
    return sorted(path.parent.name for path in MODELS.glob(f"*/{bundle.WEIGHTS}"))


def folder(name: str) -> Path | None:
    """Return the bundle of a shipped model, None when none has that name."""
    return MODELS / name if name in names() else None
