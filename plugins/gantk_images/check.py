"""What is in a folder or archive of images, before anything is trained on it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from gan_toolkit.data import Progress, silent
from gan_toolkit.errors import DataError
from gan_toolkit.images.decode import Header, header, pixels, suggested_side
from gan_toolkit.images.files import Files, Unreadable, passed_over
from gan_toolkit.images.layout import Layout, lay_out
from gan_toolkit.images.threads import in_order
from gantk_images.files import located, opened
from gantk_images.packing import is_large, sizes_of

FILES_AT_ONCE = 64


@dataclass(frozen=True)
class Report:
    """What `gantk data check` prints."""

    path: str
    images: int
    """Those that can be decoded."""
    classes: dict[str, int]
    sizes: dict[str, int]
    """Images by height x width."""
    channels: dict[str, int]
    bits: dict[str, int]
    formats: dict[str, int]
    corrupt: dict[str, str]
    """Reason by name."""
    duplicates: list[list[str]]
    """Names of images whose decoded pixels are all equal."""
    ignored: dict[str, int]
    """Files that are no images, by suffix."""
    advice: list[str]

    def values(self) -> dict[str, object]:
        """Return the report as plain values."""
        return asdict(self)


def check(path: str, split: str = "", progress: Progress = silent) -> Report:
    """Decode every image at `path` and return what was found. Raises `DataError` if nothing was."""
    advice = []
    with opened(located(path), progress) as files:
        try:
            layout = lay_out(files.names, split, path)
        except DataError as problem:
            if split:
                raise
            layout = Layout(files.names)
            advice.append(str(problem))
        headers, digests, corrupt = _decoded(files, layout.names, progress)
    same = defaultdict(list)
    for name, digest in digests.items():
        same[digest].append(name)
    per_class = Counter(
        layout.classes[label]
        for name, label in zip(layout.names, layout.labels, strict=False)  # none without classes
        if name in headers
    )
    found = headers.values()
    sizes = sizes_of(found)
    if len(sizes) > 1:
        advice.append(f"Sizes differ: add `--set data.resolution={suggested_side(found)}`.")
    if is_large(found):
        side = suggested_side(found)
        advice.append(f"Images are large: add `--set data.resolution={side}` to train on a laptop.")
    if told := passed_over(files):
        advice.append(told)
    if corrupt:
        advice.append("Mend or remove corrupt files, or add `--set data.on_bad=skip`.")
    return Report(
        path=path,
        images=len(headers),
        classes={name: per_class[name] for name in layout.classes},
        sizes=sizes,
        channels=_counted(str(header.channels) for header in found),
        bits=_counted(str(header.bits) for header in found),
        formats=_counted(header.format for header in found),
        corrupt=corrupt,
        duplicates=[names for names in same.values() if len(names) > 1],
        ignored=files.ignored,
        advice=advice,
    )


def _decoded(
    files: Files, names: Sequence[str], progress: Progress
) -> tuple[dict[str, Header], dict[str, str], dict[str, str]]:
    """Return headers and pixel digests of the sound files, and the reasons of the others."""

    def decode(names: Sequence[str]) -> list[tuple[Header, str] | str]:
        results: list[tuple[Header, str] | str] = []
        for name in names:
            try:
                content = files.read(name)
                head = header(content)
                rows = pixels(content, head.channels)
            except Unreadable as reason:
                results.append(str(reason))
            else:
                digest = hashlib.sha256(f"{rows.shape}".encode() + rows.tobytes()).hexdigest()
                results.append((head, digest))
        return results

    headers, digests, corrupt = {}, {}, {}
    done = 0
    for results in in_order(decode, names, FILES_AT_ONCE):
        for name, result in zip(names[done:], results, strict=False):
            if isinstance(result, str):
                corrupt[name] = result
            else:
                headers[name], digests[name] = result
        done += len(results)
        progress("Checking images", done, len(names))
    return headers, digests, corrupt


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
