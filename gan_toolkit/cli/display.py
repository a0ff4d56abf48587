"""What a person sees while something runs: a live display on a terminal, plain lines elsewhere.

All of it goes to stderr.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gan_toolkit.observer import Observer

if TYPE_CHECKING:
    from gan_toolkit.cli.live import Bars
    from gan_toolkit.doctor import Finding
    from gan_toolkit.generator import Generator
    from gan_toolkit.run import Row

QUIET_SECONDS = 10.0
"""Plain lines come at least this far apart."""
PATIENCE_SECONDS = 2.0
"""A preparation that ends sooner is not worth a plain line."""


class Display(Observer):
    """Shows a run."""

    def __init__(self) -> None:
        self._bars: Bars | None = None
        self._length = 0
        self._begun = (0, 0.0)
        self._said = 0.0
        self._preparing: dict[str, float] = {}

    def note(self, text: str) -> None:
        """Print a choice."""
        self._print(text)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._print(f"gantk: warning: {text}")

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Show a preparation."""
        bars = self._start()
        begun = self._preparing.setdefault(what, time.monotonic())
        if bars is not None:
            bars.move(what, done, total)
        elif time.monotonic() - begun >= PATIENCE_SECONDS and self._due():
            self._print(f"{what}: {done} of {total}" if total else f"{what}: {done}")

    def began(self, path: Path, step: int, length: int) -> None:
        """Print where the run is and start its bar."""
        self._print(f"Run: {path}" + (f" (from step {step})" if step else ""))
        self._length = length
        self._begun = (step, time.monotonic())
        self._start()
        self.advanced(step)

    def advanced(self, step: int) -> None:
        """Move the bar."""
        if self._bars is not None:
            self._bars.move("Training", step, self._length)

    def row(self, row: Row) -> None:
        """Show the newest figures."""
        if self._bars is not None:
            self._bars.tell(_figures(row))
        elif self._due() or row["step"] == self._length:
            told = [f"step {row['step']}/{self._length}", _figures(row), self._left(row["step"])]
            self._print("  ".join(filter(None, told)))

    def found(self, finding: Finding) -> None:
        """Print what the doctor found, with the first thing to try."""
        advice = f" Try {finding.advice[0]}." if finding.advice else ""
        self._print(f"Doctor: {finding}.{advice}")

    def ended(self, path: Path, step: int) -> None:
        """Say what to do with the result."""
        self.close()
        self._print(f"Done: {step} steps. See {path / 'samples'}, or `gantk sample {path}`.")

    def close(self) -> None:
        """Take the live display down."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _start(self) -> Bars | None:
        if self._bars is None and sys.stderr.isatty():
            from gan_toolkit.cli.live import Bars

            self._bars = Bars()
        return self._bars

    def _print(self, text: str) -> None:
        if self._bars is not None:
            self._bars.print(text)
        else:
            with suppress(OSError):  # whoever read stderr has gone; the run goes on
                print(text, file=sys.stderr, flush=True)

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._said < QUIET_SECONDS:
            return False
        self._said = now
        return True

    def _left(self, step: int) -> str:
        if step >= self._length:
            return ""
        first, begun = self._begun
        seconds = (time.monotonic() - begun) / max(step - first, 1) * (self._length - step)
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d} left"


def open_model(reference: str, plugins: Iterable[Path], *, offline: bool) -> Generator:
    """Return the generator that a reference means, showing what has to be fetched."""
    from gan_toolkit.generator import load

    display = Display()
    try:
        return load(reference, plugins=plugins, offline=offline, progress=display.progress)
    finally:
        display.close()


@contextmanager
def task(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that shows how far a task is."""
    display = Display()
    try:
        yield lambda done: display.progress(what, done, total) if total > 1000 else None
    finally:
        display.close()


def _figures(row: Row) -> str:
    losses = [
        f"{name.partition('.')[0][0].upper()} {name.rpartition('.')[2]} {value:.3f}"
        for name, value in row.items()
        if name.count(".") == 2
    ]
    accuracy = [
        f"{100 * row[f'accuracy.{side}']:.0f} % of {side}s"
        for side in ("real", "fake")
        if f"accuracy.{side}" in row
    ]
    speed = f"{row['images_per_second'] / 1000:.2f} kimg/s"
    scores = [
        f"{name.removeprefix('score.')} {value:.4g}"
        for name, value in row.items()
        if name.startswith("score.")
    ]
    told = f"D is right on {' and '.join(accuracy)}" if accuracy else ""
    return "  ".join(filter(None, [speed, *losses, told, *scores]))
