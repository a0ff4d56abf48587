"""The live display of a terminal: a bar for each job, the newest figures below them."""

from __future__ import annotations

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class Bars:
    """Bars on stderr, shown until they are stopped."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
        )
        self._figures = Text()  # below the bars: they would squeeze them out of a narrow terminal
        self._live = Live(Group(self._progress, self._figures), console=console)
        self._tasks: dict[str, TaskID] = {}
        self._live.start()

    def move(self, what: str, done: int, total: int | None) -> None:
        """Show how far a job is; its bar appears when it is first heard of."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total, completed=done)
        self._progress.update(self._tasks[what], completed=done, total=total)

    def tell(self, figures: str) -> None:
        """Replace the figures."""
        self._figures.plain = figures

    def print(self, text: str) -> None:
        """Print a line above the bars."""
        self._live.console.print(text, markup=False, highlight=False)

    def stop(self) -> None:
        """Leave the bars as they stand."""
        self._live.stop()
