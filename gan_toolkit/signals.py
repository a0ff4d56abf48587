"""SIGINT and SIGTERM as a question that the training loop asks after each step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

NOTED = (signal.SIGINT, signal.SIGTERM)
UNNOTED = (signal.default_int_handler, signal.SIG_DFL, signal.SIG_IGN, None)


class Signals:
    """Notes the first SIGINT or SIGTERM; a second one acts as if nobody listened.

    Unless somebody `insists`: torchrun passes on to its processes what they have heard already, and
    ends those that do not stop.
    """

    def __init__(self, *, insists: bool = False) -> None:
        self.caught = 0
        self._insists = insists
        self._before: dict[int, signal.Handlers] = {}

    def __enter__(self) -> Self:
        """Listen; only the main thread can."""
        if threading.current_thread() is threading.main_thread():
            for number in NOTED:
                self._before[number] = signal.signal(number, self._note)  # type: ignore[assignment]  # handlers come in three types
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the handlers back."""
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.caught = number
        if not self._insists:
            self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


@contextmanager
def children_spared() -> Iterator[None]:
    """Keep programs that are started meanwhile from signals that this one only notes.

    Ctrl-C goes to all of them: a compiler would die of it, and its step would be made otherwise
    than a run makes it that nobody stopped. It is noted at the end of the block.
    """
    noted = [each for each in NOTED if signal.getsignal(each) not in UNNOTED]
    mask = getattr(signal, "pthread_sigmask", None)  # Windows has none
    if not noted or mask is None:
        yield
        return
    before = mask(signal.SIG_BLOCK, noted)
    try:
        yield
    finally:
        mask(signal.SIG_SETMASK, before)
