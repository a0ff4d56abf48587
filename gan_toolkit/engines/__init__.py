"""How steps are executed. Every engine leaves the state that `eager`, the reference, leaves.

`eager` is `gan_toolkit/step.py`, operation by operation. `compiled` and `captured` make one program
of the whole step, of machine code or of the same operations; on a GPU both are recorded and
launched as one. See `programs.py` for how, and `choice.py` for when it is worth its while.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gan_toolkit import processes
from gan_toolkit.state import TrainState
from gan_toolkit.step import Move, step
from gan_toolkit.streams import seed_own_draws


class Engine(Protocol):
    """What makes a step."""

    def ready(self, state: TrainState, moves: Sequence[Move], new_images: int) -> bool:
        """Prepare for such a step, changing no number; return whether this engine can make it."""

    def step(self, state: TrainState, moves: Sequence[Move], new_images: int) -> None:
        """Make the moves and let the averages follow; `state` counts a step and the images."""


class Eager:
    """The reference: one operation after another."""

    def ready(self, state: TrainState, moves: Sequence[Move], new_images: int) -> bool:
        """Return that it can."""
        del state, moves, new_images
        return True

    def step(self, state: TrainState, moves: Sequence[Move], new_images: int) -> None:
        """Seed what networks may draw for themselves, then make the step."""
        own = [processes.rank()] if processes.rank() else []  # other rows, other draws
        seed_own_draws(state.device, state.recipe.plan.seed, "step", state.step, *own)
        step(state, moves, new_images)


def engine_named(name: str, warn: Callable[[str], None]) -> Engine:
    """Return the engine; `warn` hears one line when it has to fall back to the eager one."""
    if name in {"eager", "auto"}:
        return Eager()
    from gan_toolkit.engines.backends import CAPTURED, COMPILED
    from gan_toolkit.engines.programs import Programs

    return Programs(warn, COMPILED if name == "compiled" else CAPTURED)
