"""A call that may never answer, waited for as long as that is worth it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar, cast

Answer = TypeVar("Answer")


class Late(TimeoutError):
    """No answer came in time."""


def within(
    seconds: float,
    call: Callable[[], Answer],
    *,
    late: Callable[[Answer], object] = lambda _: None,
) -> Answer:
    """Return what `call` returns, or raise what it raises; `Late` when it takes longer.

    It goes on in a thread of its own, which does not keep the process alive; an answer that comes
    afterwards is handed to `late`.
    """
    answers: queue.SimpleQueue[tuple[Answer | None, Exception | None]] = queue.SimpleQueue()
    given_up = threading.Event()

    def work() -> None:
        try:
            found = call()
        except Exception as error:  # noqa: BLE001  # handed over, whatever it is
            answers.put((None, error))
            return
        answers.put((found, None))
        if given_up.is_set():
            late(found)

    threading.Thread(target=work, daemon=True).start()
    try:
        answer, error = answers.get(timeout=max(seconds, 0.0))
    except queue.Empty:
        given_up.set()
        raise Late(f"no whole answer within {seconds:g} s") from None
    if error is not None:
        try:
            raise error
        finally:
            del error  # or it would hold itself, and what is open, until there is a clean-up
    return cast(Answer, answer)
