"""A plugin that does nothing, until it sends a signal to its own process of several.

`FAULT=9:1:30` is SIGKILL to process 1 when it computes the term for the 30th time. `FULL=2` lets
checkpoints fail after two seconds.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable
from typing import Any

from gan_toolkit import Component, hookimpl
from gan_toolkit.architecture import Scalars
from gan_toolkit.data import Batch
from gan_toolkit.play import Play
from gan_toolkit.run import Run
from gan_toolkit.terms import Parts, State, Term

calls = 0


def full(run: Run, *_: Any) -> None:
    time.sleep(float(os.environ["FULL"]))
    raise OSError(errno.ENOSPC, "no space left", str(run.path))


if "FULL" in os.environ:
    Run.save = full  # type: ignore[method-assign,assignment]  # that is the fault


class Faulty(Term):
    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        global calls  # noqa: PLW0603  # of a process that is about to end
        calls += 1
        number, rank, call = map(int, os.environ.get("FAULT", "0:0:0").split(":"))
        if os.environ.get("RANK") == str(rank) and calls == call:
            os.kill(os.getpid(), number)
        return {}, state


@hookimpl
def gantk_components() -> Iterable[Component]:
    return [Component("penalty", "faulty", Faulty, "A signal at a chosen moment")]
