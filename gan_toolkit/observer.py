"""What a run tells whoever watches: the command line's display, a notebook, a test."""

from __future__ import annotations

from pathlib import Path

from gan_toolkit.run import Row


class Observer:
    """Hears everything, does nothing; override what you want to see."""

    def note(self, text: str) -> None:
        """One line about a choice that was made."""

    def warn(self, text: str) -> None:
        """One line about something that may surprise."""

    def progress(self, what: str, done: int, total: int | None) -> None:
        """How far a preparation (a download, a decoding) has come."""

    def began(self, path: Path, step: int, length: int) -> None:
        """Training goes on from `step`."""

    def advanced(self, step: int) -> None:
        """A step was made; called every step, so it must be quick."""

    def row(self, row: Row) -> None:
        """A row of metrics was written."""

    def drew(self, path: Path) -> None:
        """A sample grid was written."""

    def ended(self, path: Path, step: int) -> None:
        """The run reached its last step."""
