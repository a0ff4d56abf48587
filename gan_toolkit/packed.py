"""The packed cache: decoded samples and labels on disk, mapped when opened.

    <cache>/packed/<key>/samples.u8    uint8 [N, …], rows one after another
    <cache>/packed/<key>/labels.i64    int64 [N], little-endian, only for labelled data
    <cache>/packed/<key>/pack.json     shape, count, classes, fingerprint, notes
    <cache>/packed/seen/<stamp>        the key that files of this name, size and time led to

A key names content and options, so a pack is never wrong, only absent or damaged. A stamp names
paths, sizes and times, so that a file seen before need not be read again to find its key.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gan_toolkit.data import LABEL, SAMPLE, DataSpec, FieldSpec, Stored
from gan_toolkit.files import new_folder, replaced, sweep
from gan_toolkit.options import Field, Options
from gan_toolkit.places import cache_folder, locked, writing

if TYPE_CHECKING:
    from torch import Tensor

Chunk = tuple[NDArray[np.uint8], Sequence[int]]
"""Rows [n, …] and their n labels; no labels for unlabelled data."""

FORMAT = 1
SAMPLES, LABELS, ABOUT = "samples.u8", "labels.i64", "pack.json"

_log = logging.getLogger(__name__)


class About(Options):
    """What `pack.json` says."""

    format: int = Field(description="version of this layout")
    shape: tuple[int, ...] = Field(description="shape of one row")
    count: int = Field(ge=1, description="number of rows")
    classes: tuple[str, ...] = Field(description="class names, none for unlabelled data")
    fingerprint: str = Field(description="SHA-256 of the content")
    times_ns: tuple[int, ...] = Field(
        description="when the files were written; what somebody touched is read whole before use"
    )
    notes: tuple[str, ...] = Field(description="what to tell whoever opens the pack")


@dataclass(frozen=True)
class Pack:
    """An open pack: mapped samples [N, …], labels [N] or None, and what is known of them."""

    samples: Tensor
    labels: Tensor | None
    about: About

    def images(
        self, name: str, *, licence: str = "", source: str = "", flip: bool = False
    ) -> Stored:
        """Return the rows as images in -1 … 1 of the data set `name`, labelled if they are."""
        fields = {SAMPLE: FieldSpec(shape=self.about.shape, low=-1.0, high=1.0)}
        rows = {SAMPLE: self.samples}
        if self.labels is not None:
            fields[LABEL] = FieldSpec(shape=(), classes=self.about.classes)
            rows[LABEL] = self.labels
        spec = DataSpec(
            name=name,
            fields=fields,
            fingerprint=self.about.fingerprint,
            licence=licence,
            source=source,
        )
        return Stored(spec, rows, flip=flip)


def name_of(**parts: object) -> str:
    """Return a key or stamp: a short hash of everything that tells one pack from another."""
    text = json.dumps([FORMAT, parts], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def seen(stamp: str) -> str | None:
    """Return the key that was remembered for `stamp`."""
    path = _home() / "seen" / stamp
    return path.read_text(encoding="ascii") if path.is_file() else None


def remember(stamp: str, key: str) -> None:
    """Note that files with this `stamp` lead to the pack `key`."""
    path = _home() / "seen" / stamp
    with writing(path.parent, "an index"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as temporary:
            temporary.write_text(key, encoding="ascii")


def open_pack(key: str) -> Pack | None:
    """Return the mapped pack, or None when there is none that can be trusted.

    The samples are mapped copy-on-write: rows are read from disk when used, and writing to the
    tensor never reaches the file.
    """
    import torch

    folder = _home() / key
    if not folder.exists():
        return None
    about = _checked(folder)
    if about is None:
        _log.warning("The packed data in '%s' is damaged; it is built again.", folder)
        return None
    rows = np.memmap(folder / SAMPLES, np.uint8, "c", shape=(about.count, *about.shape))
    labels = None
    if about.classes:
        labels = torch.from_numpy(np.fromfile(folder / LABELS, "<i8").astype(np.int64, copy=False))
    return Pack(torch.from_numpy(rows), labels, about)


def pack(
    key: str,
    chunks: Iterable[Chunk],
    *,
    shape: tuple[int, ...],
    classes: tuple[str, ...] = (),
    notes: Iterable[str] = (),
) -> Pack:
    """Write `chunks` of rows of `shape` as the pack `key` and open it; labelled with `classes`.

    Chunks are written as they come, so a pack may be larger than memory; `notes` is read last.
    Nothing is left behind when `chunks` raises. Raises `DataError` when it cannot be written.
    """
    home = _home()
    with writing(home, "packed data"), locked(home / "lock", "packing data"):
        ready = open_pack(key)  # another process may have built it meanwhile
        if ready is None:
            sweep(home)
            shutil.rmtree(home / key, ignore_errors=True)
            with new_folder(home / key) as folder:
                _fill(folder, chunks, shape, classes, notes)
            ready = open_pack(key)
    assert ready is not None
    return ready


def fingerprint(shape: Sequence[int], classes: Sequence[str], samples: str, labels: str) -> str:
    """Return the SHA-256 of stored content, given the SHA-256 of its samples and its labels."""
    content = [list(shape), list(classes), samples, labels]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _home() -> Path:
    return cache_folder() / "packed"


def _fill(
    folder: Path,
    chunks: Iterable[Chunk],
    shape: tuple[int, ...],
    classes: tuple[str, ...],
    notes: Iterable[str],
) -> None:
    digest, count, labels = hashlib.sha256(), 0, [np.empty(0, "<i8")]
    with (folder / SAMPLES).open("wb") as file:
        for rows, row_labels in chunks:
            assert rows.shape[1:] == shape
            assert rows.dtype == np.uint8
            data = np.ascontiguousarray(rows).data
            digest.update(data)
            file.write(data)
            count += len(rows)
            labels.append(np.asarray(row_labels, "<i8"))
    written = np.concatenate(labels).tobytes()
    if classes:
        (folder / LABELS).write_bytes(written)
    about = About(
        format=FORMAT,
        shape=shape,
        count=count,
        classes=classes,
        fingerprint=fingerprint(
            shape, classes, digest.hexdigest(), hashlib.sha256(written).hexdigest()
        ),
        times_ns=_times(folder),
        notes=tuple(notes),
    )
    (folder / ABOUT).write_text(about.model_dump_json(indent=1), encoding="utf-8")


def _checked(folder: Path) -> About | None:
    """Return what a sound pack says; None when it is torn, foreign or changed."""
    try:
        about = About.model_validate_json((folder / ABOUT).read_bytes())
        if about.format != FORMAT:
            return None
        if (folder / SAMPLES).stat().st_size != about.count * math.prod(about.shape):
            return None
        if about.classes and (folder / LABELS).stat().st_size != about.count * 8:
            return None
        if about.times_ns == _times(folder):
            return about
        return _reread(folder, about)
    except (OSError, ValueError):
        return None


def _reread(folder: Path, about: About) -> About | None:
    """Return `about` with new times when the content is still the one it names, as after a copy."""
    hashes = []
    for name in (SAMPLES, LABELS):
        digest = hashlib.sha256()
        if (folder / name).exists():
            with (folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
        hashes.append(digest.hexdigest())
    if fingerprint(about.shape, about.classes, *hashes) != about.fingerprint:
        return None
    moved = about.model_copy(update={"times_ns": _times(folder)})
    with suppress(OSError), replaced(folder / ABOUT) as temporary:  # a cache may be read-only
        temporary.write_text(moved.model_dump_json(indent=1), encoding="utf-8")
    return moved


def _times(folder: Path) -> tuple[int, ...]:
    return tuple(
        (folder / name).stat().st_mtime_ns for name in (SAMPLES, LABELS) if (folder / name).exists()
    )
