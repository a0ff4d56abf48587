"""Animations: frames to a GIF, or to an MP4 where ffmpeg is at hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gan_toolkit.errors import UsageError
from gan_toolkit.files import replaced

MOST_FRAMES = 120
"""Frames of a run's animation; longer runs are thinned out evenly."""
SECONDS = 0.12
"""How long a frame stands."""
LAST = 10
"""Where an animation ends rather than goes round, its last frame stands so many times as long."""


def check_format(path: Path) -> None:
    """Raise `UsageError` unless frames can be written to `path`: a .gif, or an .mp4 with ffmpeg."""
    if path.suffix not in {".gif", ".mp4"}:
        raise UsageError(f"Cannot animate '{path}': name it .gif or .mp4.")
    if path.suffix == ".mp4":
        _ffmpeg()


def write_frames(
    path: Path,
    frames: Iterable[Image.Image],
    *,
    seconds: float = SECONDS,
    last: int = LAST,
    drawn: bool = False,
) -> None:
    """Write frames of one size as the suffix says, whole or not at all.

    Each stands for so many `seconds`, the last one `last` times as long. Of what is `drawn`, lines
    and dots in a few colours, a GIF is written in half the time.
    """
    check_format(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as temporary:
        if path.suffix == ".gif":
            _gif(temporary, frames, seconds, last, drawn=drawn)
        else:
            _mp4(temporary, frames, seconds, last)


def _gif(
    path: Path, frames: Iterable[Image.Image], seconds: float, last: int, *, drawn: bool
) -> None:
    # A median cut keeps levels of grey; an octree takes a tenth of the time.
    way = Image.Quantize.FASTOCTREE if drawn else Image.Quantize.MEDIANCUT
    first, *rest = (frame.convert("RGB").quantize(method=way) for frame in frames)
    held = round(1000 * seconds)
    durations = [held] * len(rest) + [held * last]
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=durations, loop=0)


def _mp4(path: Path, frames: Iterable[Image.Image], seconds: float, last: int) -> None:
    ffmpeg = _ffmpeg()
    writer = None
    for frame in frames:
        pixels = np.asarray(frame.convert("RGB"))
        pixels = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]  # H.264 wants even
        if writer is None:
            writer = ffmpeg.write_frames(
                str(path),
                pixels.shape[1::-1],
                fps=1 / seconds,
                macro_block_size=2,
                output_params=["-f", "mp4"],
            )
            writer.send(None)
        writer.send(np.ascontiguousarray(pixels))
    assert writer is not None
    for _ in range(last - 1):
        writer.send(np.ascontiguousarray(pixels))
    writer.close()


def _ffmpeg() -> Any:  # Any: the package is not typed
    try:
        import imageio_ffmpeg  # type: ignore[import-untyped]  # it ships no types
    except ImportError as error:
        raise UsageError(
            "An .mp4 needs ffmpeg: `pip install 'gan-toolkit[video]'`, or choose a .gif."
        ) from error
    return imageio_ffmpeg
