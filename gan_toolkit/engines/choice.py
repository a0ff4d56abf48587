"""What `auto` decides: the engine with which a whole run, compiling included, ends sooner.

What a program saves is the time between operations. That hardly depends on their size, so small
dense networks gain most. Where convolutions do the work a step gained an eighth at most in float32
(`benchmarks/speed.json`), and nobody knows beforehand how long a step takes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from gan_toolkit.recipe import EngineName
from gan_toolkit.state import TrainState

SAVED_US = 50.0
"""Microseconds a step that a program saves for each weight tensor; 50 to 80 were seen."""
COMPILING_S = 15.0
"""Seconds that a program of a dense step takes to compile; 7 to 20 were seen."""


def decided(
    asked: EngineName, state: TrainState, steps: int, note: Callable[[str], None]
) -> EngineName:
    """Return the engine asked for; `auto` decides for `steps` more steps, and `note` hears why."""
    if asked != "auto":
        return asked
    name, why = chosen(state, steps)
    note(f"Engine: {name}, {why}.")
    return name


def chosen(state: TrainState, steps: int) -> tuple[EngineName, str]:
    """Return the engine for `steps` more steps, and why, as the end of a sentence."""
    if state.device.type == "cuda":
        return "captured", "which launches a whole step at once"
    if state.device.type != "cpu":
        return "eager", f"as nothing else was measured on {state.device.type} yet"
    if not (shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")):
        return "eager", "as there is no C++ compiler here"
    weights = [weight for weights in state.weights.values() for weight in weights]
    if any(weight.dim() > 2 for weight in weights):
        return "eager", "as convolutions may gain less than compiling takes"
    saved = SAVED_US * 1e-6 * len(weights) * steps
    if saved < COMPILING_S:
        return "eager", f"as compiling takes longer than the {saved:.0f} s that it would save"
    return "compiled", f"which saves about {saved:.0f} s of {steps:,} steps between operations"
