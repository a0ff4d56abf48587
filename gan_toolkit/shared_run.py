"""The run folder of several processes: the first one writes and holds it, all of them see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from gan_toolkit import checkpoint, processes
from gan_toolkit.checkpoint import Checkpoint
from gan_toolkit.errors import LostProcess, RunError
from gan_toolkit.run import Run


def seen(path: Path) -> Run:
    """Return the run that the first process made at its `path`.

    Raises `RunError` where it cannot be seen.
    """
    path = Path(processes.text_of_first(str(path)))
    try:
        return Run(path)
    except RunError as error:
        raise RunError(
            f"Process {processes.rank()} does not see the run's folder '{path}'. Name one with "
            "--out that all of the machines share."
        ) from error


def held(run: Run) -> AbstractContextManager[None]:
    """Hold the run against other trainers; the first process does so for all."""
    return run.locked() if processes.leads() else nullcontext()


def newest(run: Run, warn: Callable[[str], None]) -> Checkpoint:
    """Return the newest usable checkpoint, the same to each process; the first one looks."""
    found = run.newest(warn) if processes.leads() else None
    path = Path(processes.text_of_first(str(found.path) if found else ""))
    return found or checkpoint.read(path)


@contextmanager
def lost(again: str) -> Iterator[None]:
    """Say how to go on after another process of the run was lost."""
    try:
        yield
    except LostProcess as error:
        raise LostProcess(f"{error} The last checkpoint is intact: go on with {again}.") from error
