"""What the names of image files say: which to take, in which order, of which class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gan_toolkit.errors import DataError, did_you_mean

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
UNREAD = frozenset(
    {".heic", ".heif", ".avif", ".jxl", ".jp2", ".psd", ".svg", ".dng", ".cr2", ".cr3", ".nef"}
    | {".arw", ".orf", ".raf", ".rw2"}
)
"""Pictures too, but not of a format that is read."""
SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})


@dataclass(frozen=True)
class Layout:
    """Image names in their order, with a class each or none at all."""

    names: tuple[str, ...]
    labels: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()


def is_hidden(name: str) -> bool:
    """Return whether a file is the system's, not the user's: `.DS_Store`, `__MACOSX/…`."""
    return any(p.startswith(".") or p in {"__MACOSX", "Thumbs.db"} for p in name.split("/"))


def lay_out(names: Iterable[str], split: str, place: str) -> Layout:
    """Return the images of `split`, sorted by name, and their classes.

    Folders that hold everything are looked through; the first that differ are the classes. Raises
    `DataError` when there is no such split, when splits would pass for classes, and when some
    images lie in class folders and some beside them.
    """
    images = sorted(tuple(name.split("/")) for name in names)
    wanted, depth = split, 0
    while True:
        folders = sorted({image[depth] for image in images if len(image) > depth + 1})
        loose = [image for image in images if len(image) == depth + 1]
        if wanted and wanted in folders:
            images = [i for i in images if len(i) > depth + 1 and i[depth] == wanted]
            wanted = ""
        elif loose or len(folders) != 1:
            break
        depth += 1
    if wanted:
        there = f"It has: {_listed(folders)}." if folders else "It has no folders."
        raise DataError(
            f"'{place}' has no split '{wanted}'.{did_you_mean(wanted, folders)} {there} "
            "Choose with `--set data.split=NAME`, or leave it out."
        )
    if folders and loose:
        raise DataError(
            f"'{place}' holds images ('{'/'.join(loose[0])}', {len(loose)} in all) beside the "
            f"class folders {_listed(folders)}. Move them into a class folder, or all images into "
            "one."
        )
    if not split and folders and SPLITS.issuperset(name.lower() for name in folders):
        likely = next((name for name in folders if name.lower() == "train"), folders[0])
        raise DataError(
            f"'{place}' holds the splits {_listed(folders)}, which are no classes. "
            f"Choose one: `--set data.split={likely}`."
        )
    index = {name: number for number, name in enumerate(folders)}
    return Layout(
        names=tuple("/".join(image) for image in images),
        labels=tuple(index[image[depth]] for image in images) if folders else (),
        classes=tuple(folders),
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
