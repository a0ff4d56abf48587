"""From the rows that the Hub streams to a pack: each image is fetched and decoded once."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_toolkit import packed
from gan_toolkit.data import Progress
from gan_toolkit.errors import DataError
from gan_toolkit.images.decode import Header, header, pixels, suggested_side
from gan_toolkit.images.files import Unreadable
from gan_toolkit.images.threads import in_order
from gantk_hub.card import HUB
from gantk_hub.columns import Columns, chosen
from gantk_hub.library import datasets, imported, told

if TYPE_CHECKING:
    from gantk_hub.data import Hub

Row = Mapping[str, Any]  # Any: whatever the data set holds

AT_ONCE = 16
"""Images that one thread fetches and decodes together."""
BYTES_AT_ONCE = 16 << 20
"""Decoded bytes that are handed over together."""
MOST_AT_ONCE = 512
MOST_TOLD = 20
ON_THE_HUB = re.compile(r"(zip://[^:]*::)?hf://datasets/")
"""Where a row may say its image lies; anywhere else could be a file or server of the user's own."""
ADVICE = {
    "Dataset scripts": "Code of a data set is never run. Many have a copy without: "
    "`--set data.revision=refs/convert/parquet`.",
    "gated dataset": "Accept its terms on its page and log in: `hf auth login`.",
}
"""What to do, by a word of what the library says."""


class _Target(NamedTuple):
    """What every image becomes."""

    channels: int
    size: tuple[int, int]


def pack_stream(key: str, asked: Hub, commit: str, progress: Progress) -> packed.Pack:
    """Return the images of `asked` at `commit` as an open pack [N, C, H, W]. Raises `DataError`."""
    library = datasets()
    rows = _opened(library, asked, commit)
    columns = chosen(library, rows.features, asked.image, asked.label, asked.path)
    numbered = enumerate(_read(rows, asked))
    first, target = _first(numbered, columns, asked)
    bad: dict[int, str] = {}
    notes = list(columns.notes)

    def chunks() -> Iterator[packed.Chunk]:
        done = 0
        at_once = max(AT_ONCE, min(MOST_AT_ONCE, BYTES_AT_ONCE // math.prod((3, *target.size))))
        everything = itertools.chain(first, numbered)
        while block := list(itertools.islice(everything, at_once)):
            images, labels = _decoded(block, columns, target, asked, bad)
            if images:
                yield np.stack(images), labels
            done += len(block)
            progress(f"Streaming {asked.path}", done, asked.limit)
        if len(bad) == done:
            raise _unusable(asked, bad)
        if bad:
            known = f"{len(bad)} of {done} images are left out:{_listed(bad)}"
            notes.append(f"{asked.path}: {known}")

    shape = (target.channels, *target.size)
    return packed.pack(key, chunks(), shape=shape, classes=columns.classes, notes=notes)


def _opened(library: Any, asked: Hub, commit: str) -> Any:  # Any: of the optional library
    """Return the rows, images as their files' bytes."""
    try:
        rows = library.load_dataset(
            asked.path,
            asked.config or None,
            split=asked.split,
            streaming=True,
            revision=commit,
        )
    except Exception as error:  # the library raises nearly anything
        known = (advice for word, advice in ADVICE.items() if word in str(error))
        advice = next(known, f"See {HUB}/{asked.path}.")
        raise DataError(f"'{asked.path}' cannot be opened ({told(error)}). {advice}") from error
    if rows.features is None:
        raise DataError(
            f"'{asked.path}' does not say what its columns hold, as data sets of images do. "
            f"See {HUB}/{asked.path}."
        )
    rows = rows.decode(False)
    return rows if asked.limit is None else rows.take(asked.limit)


def _read(rows: Iterable[Row], asked: Hub) -> Iterator[Row]:
    """Yield the rows; whatever breaks the stream is a `DataError`, never a failure to write."""
    read = 0
    try:
        for row in rows:
            yield row
            read += 1
    except Exception as error:  # as above
        raise DataError(
            f"'{asked.path}' broke off after {read} rows ({told(error)}). Try again, or take "
            f"fewer: `--set data.limit={max(read, 1)}`."
        ) from error


def _first(
    rows: Iterator[tuple[int, Row]], columns: Columns, asked: Hub
) -> tuple[list[tuple[int, Row]], _Target]:
    """Return the rows up to the first sound image, and what that makes of all the others."""
    looked_at = []
    for number, row in itertools.islice(rows, MOST_AT_ONCE):
        looked_at.append((number, row))
        try:
            found = header(_content(row[columns.image]))
        except Unreadable as reason:
            if asked.on_bad == "stop":
                raise _unusable(asked, {number: str(reason)}) from reason
            continue
        size = found.size if asked.resolution is None else (asked.resolution, asked.resolution)
        channels = found.channels if asked.channels == "auto" else asked.channels
        return looked_at, _Target(channels, size)
    raise DataError(
        f"The split '{asked.split}' of '{asked.path}' holds no images that can be used "
        f"({len(looked_at)} rows). See {HUB}/{asked.path}."
    )


def _decoded(
    block: Sequence[tuple[int, Row]],
    columns: Columns,
    target: _Target,
    asked: Hub,
    bad: dict[int, str],
) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """Return the images [C, H, W] and labels of a block; what cannot be used goes to `bad`."""

    def decode(part: Sequence[tuple[int, Row]]) -> list[NDArray[np.uint8] | str]:
        results: list[NDArray[np.uint8] | str] = []
        for number, row in part:
            try:
                content = _content(row[columns.image])
                _check(number, header(content), target, asked)
                results.append(pixels(content, target.channels, target.size, asked.resize))
            except Unreadable as reason:
                results.append(str(reason))
        return results

    images, labels = [], []
    results = itertools.chain.from_iterable(in_order(decode, block, AT_ONCE))
    for (number, row), result in zip(block, results, strict=True):
        if isinstance(result, str):
            bad[number] = result
            continue
        images.append(result)
        if columns.label is not None:
            labels.append(_label(number, row[columns.label], columns, asked))
    if bad and asked.on_bad == "stop":
        raise _unusable(asked, bad)
    return images, labels


def _content(value: object) -> bytes:
    """Return the bytes of an image file. Raises `Unreadable`, or `DataError` for the network."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, Mapping):
        raise Unreadable(f"it is no image file but {type(value).__name__}")
    content, path = value.get("bytes"), value.get("path")
    if isinstance(content, bytes):
        return content
    if not isinstance(path, str) or not ON_THE_HUB.match(path):
        raise Unreadable("it has no content")
    try:
        with imported("fsspec").open(path, "rb") as file:
            return bytes(file.read())
    except Exception as error:  # whatever a network does: no fault of the image's to skip it for
        raise DataError(f"'{path}' cannot be fetched ({told(error)}). Try again.") from error


def _check(number: int, found: Header, target: _Target, asked: Hub) -> None:
    """Raise `DataError` when an image would have to be changed in a way nobody asked for."""
    if asked.resolution is None and found.size != target.size:
        here, first = ("{}x{}".format(*size) for size in (found.size, target.size))
        side = suggested_side([found, replace(found, size=target.size)])
        raise DataError(
            f"The images of '{asked.path}' differ in size: the first has {first} pixels, row "
            f"{number} {here}. Choose one for all: `--set data.resolution={side}`."
        )
    if asked.channels == "auto" and target.channels == 1 and found.channels > 1:
        raise DataError(
            f"The first image of '{asked.path}' is grey, but row {number} is in colour. Choose: "
            "`--set data.channels=3` or 1."
        )


def _label(number: int, value: object, columns: Columns, asked: Hub) -> int:
    if isinstance(value, int) and 0 <= value < len(columns.classes):
        return value
    raise DataError(
        f"Row {number} of '{asked.path}' has no label (its '{columns.label}' is {value!r}). Choose "
        "another split, or train without labels: `--set data.label=none`."
    )


def _unusable(asked: Hub, bad: Mapping[int, str]) -> DataError:
    return DataError(
        f"Images of '{asked.path}' cannot be used:{_listed(bad)}\n"
        "Leave such out with `--set data.on_bad=skip`."
    )


def _listed(bad: Mapping[int, str]) -> str:
    lines = [f"\n  - row {number}: {reason}" for number, reason in bad.items()]
    more = f"\n  - and {len(lines) - MOST_TOLD} more" if len(lines) > MOST_TOLD else ""
    return "".join(lines[:MOST_TOLD]) + more
