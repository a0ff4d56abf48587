"""From image files to a pack: look at every header, settle the shape, decode each file once."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gan_toolkit import packed
from gan_toolkit.data import Progress
from gan_toolkit.errors import DataError
from gan_toolkit.images.decode import Header, Policy, Size, header, pixels, suggested_side
from gan_toolkit.images.files import Files, Unreadable, passed_over
from gan_toolkit.images.layout import Layout
from gan_toolkit.images.threads import in_order
from gan_toolkit.places import cache_folder, writing

if TYPE_CHECKING:
    from gantk_images.data import Folder

FILES_AT_ONCE = 256
BYTES_AT_ONCE = 16 << 20
"""Decoded bytes that one thread hands over together."""
LARGEST_UNASKED = 512
"""Images of a longer side are trained at full size only where that size is asked for."""

Shape = tuple[int, int, int]
"""Channels, height, width."""


def pack_images(
    key: str, files: Files, layout: Layout, asked: Folder, progress: Progress
) -> packed.Pack:
    """Return the images of `layout` as an open pack [N, C, H, W].

    Raises `DataError` naming every file that cannot be used, or when images differ in size and none
    is asked for.
    """
    headers, bad = survey(files, layout.names, progress)
    if not headers:
        raise _cannot_use(bad, layout, asked.path)
    shape = _shape(headers.values(), asked)
    _check_room(len(headers) * math.prod(shape))
    deep = sum(found.bits > 8 for found in headers.values())
    notes = []
    if deep:
        told = f"{deep} of {len(headers)} images have 16 bits a channel; the high 8 are kept."
        notes.append(f"{asked.path}: {told}")
    if told := passed_over(files):
        notes.append(f"{asked.path}: {told}")
    labels = dict(zip(layout.names, layout.labels, strict=True)) if layout.labels else {}

    def chunks() -> Iterator[packed.Chunk]:
        for rows, names in _decoded(files, list(headers), shape, asked.resize, bad, progress):
            yield rows, [labels[name] for name in names if labels]
        if bad and (asked.on_bad == "stop" or len(bad) == len(layout.names)):
            raise _cannot_use(bad, layout, asked.path)
        if bad:
            told = f"{len(bad)} of {len(layout.names)} images are left out:{_listed(bad)}"
            notes.append(f"{asked.path}: {told}")

    return packed.pack(key, chunks(), shape=shape, classes=layout.classes, notes=notes)


def survey(
    files: Files, names: Sequence[str], progress: Progress
) -> tuple[dict[str, Header], dict[str, str]]:
    """Return the headers of the sound files by name, and the reasons of the others."""

    def look(names: Sequence[str]) -> list[Header | str]:
        found: list[Header | str] = []
        for name in names:
            try:
                found.append(header(files.read(name)))
            except Unreadable as reason:
                found.append(str(reason))
        return found

    results: list[Header | str] = []
    for batch in in_order(look, names, FILES_AT_ONCE):
        results += batch
        progress("Looking at images", len(results), len(names))
    pairs = list(zip(names, results, strict=True))
    headers = {name: found for name, found in pairs if isinstance(found, Header)}
    return headers, {name: found for name, found in pairs if isinstance(found, str)}


def is_large(headers: Iterable[Header]) -> bool:
    """Return whether all images have one size, and too large a one to be trained at unasked."""
    sizes = {found.size for found in headers}
    return len(sizes) == 1 and max(*sizes.pop()) > LARGEST_UNASKED


def sizes_of(headers: Iterable[Header]) -> dict[str, int]:
    """Return how many images have which size, `HxW`, the commonest first."""
    return dict(Counter("{}x{}".format(*found.size) for found in headers).most_common())


def _decoded(
    files: Files,
    names: Sequence[str],
    shape: Shape,
    policy: Policy,
    bad: dict[str, str],
    progress: Progress,
) -> Iterator[tuple[NDArray[np.uint8], list[str]]]:
    """Yield rows [n, C, H, W] and their names, in order; what has none goes to `bad`."""

    def decode(names: Sequence[str]) -> list[NDArray[np.uint8] | str]:
        results: list[NDArray[np.uint8] | str] = []
        for name in names:
            try:
                results.append(pixels(files.read(name), shape[0], shape[1:], policy))
            except Unreadable as reason:
                results.append(str(reason))
        return results

    at_once = max(1, min(FILES_AT_ONCE, BYTES_AT_ONCE // math.prod(shape)))
    done = 0
    for results in in_order(decode, names, at_once):
        pairs = list(zip(names[done : done + len(results)], results, strict=True))
        bad.update({name: result for name, result in pairs if isinstance(result, str)})
        kept = {name: result for name, result in pairs if not isinstance(result, str)}
        if kept:
            yield np.stack(list(kept.values())), list(kept)
        done += len(results)
        progress("Packing images", done, len(names))


def _shape(headers: Iterable[Header], asked: Folder) -> Shape:
    headers = list(headers)
    size = asked.size or _common_size(headers, asked.path)
    needed = max(found.channels for found in headers)
    return (needed if asked.channels == "auto" else asked.channels, *size)


def _common_size(headers: Iterable[Header], place: str) -> Size:
    headers = list(headers)
    sizes = sizes_of(headers)
    choose = f"`--set data.resolution={suggested_side(headers)}`"
    if is_large(headers):
        raise DataError(
            f"The images in '{place}' are {next(iter(sizes))} (height x width), too many pixels to "
            f"train on by default. Choose a smaller size, {choose}, or name the full one."
        )
    if len(sizes) == 1:
        return headers[0].size
    shown = ", ".join(f"{count} of {size}" for size, count in list(sizes.items())[:4])
    more = ", …" if len(sizes) > 4 else ""
    raise DataError(
        f"The images in '{place}' have {len(sizes)} sizes (height x width): {shown}{more}. "
        f"Choose one for all: {choose}."
    )


def _check_room(needed: int) -> None:
    home = cache_folder()
    with writing(home, "packed data"):
        home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free
    if needed > free:
        raise DataError(
            f"The packed images need {needed / 1e9:.1f} GB in '{home}', which has "
            f"{free / 1e9:.1f} GB free. Choose a smaller `data.resolution`, or point GANTK_CACHE "
            "to a larger disk."
        )


def _cannot_use(bad: Mapping[str, str], layout: Layout, place: str) -> DataError:
    return DataError(
        f"{len(bad)} of {len(layout.names)} images in '{place}' cannot be used:{_listed(bad)}\n"
        "Mend or remove them, or leave them out with `--set data.on_bad=skip`."
    )


def _listed(bad: Mapping[str, str]) -> str:
    return "".join(f"\n  - {name}: {reason}" for name, reason in sorted(bad.items()))
