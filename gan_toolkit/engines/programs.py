"""The engines `compiled` and `captured`: each kind of step becomes one program.

A kind is a stage of growth and the terms that are due. Its program is made when it is first met,
and proved there and then: a copy of the state makes the same step eagerly, and unless both agree
within rounding the eager engine goes on instead, as it does when there can be no program at all.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gan_toolkit.engines import Eager
from gan_toolkit.engines.arithmetic import prepare_slots
from gan_toolkit.engines.backends import Backend
from gan_toolkit.engines.program import Program
from gan_toolkit.signals import children_spared
from gan_toolkit.state import LASTING, Tensors, TrainState
from gan_toolkit.step import Move, minibatch_count

ROUNDING = {"fp32": 1e-2, "tf32": 1e-1, "bf16": 1e-1}
"""How far, relative to its size, all that is linear in one network's gradient may be off."""
ALONE = {"fp32": 0.3, "tf32": 0.3, "bf16": 0.5}
"""The same of one tensor: that of a bias is a sum that may nearly cancel."""
NOISE = {"fp32": 1e-3, "tf32": 1e-2, "bf16": 1e-1}
"""What is smaller than this share of the largest of its kind is noise around zero."""
SQUARES = ("exp_avg_sq", "square_avg")
"""What optimisers remember of gradients' squares."""
GENTLE = 1e-3
"""Factor of the rates: one move's rounding is not to show in the gradients of the next."""


class Programs:
    """Programs by kind of step; none for a kind that is made eagerly."""

    def __init__(self, warn: Callable[[str], None], backend: Backend) -> None:
        self._warn = warn
        self._backend = backend
        self._programs: dict[Hashable, Program | None] = {}
        self._eager = Eager()

    def ready(self, state: TrainState, moves: Sequence[Move], new_images: int) -> bool:
        """Make the program of such a step; return whether there is one."""
        return self._program(state, moves, new_images) is not None

    def step(self, state: TrainState, moves: Sequence[Move], new_images: int) -> None:
        """Make the step by its program, made on the way if need be.

        A step whose updates are measured is made eagerly: it is one of a hundred.
        """
        measured = state.vitals.measured(state.step)
        program = None if measured else self._program(state, moves, new_images)
        (program or self._eager).step(state, moves, new_images)

    def _program(self, state: TrainState, moves: Sequence[Move], new_images: int) -> Program | None:
        kind = (state.stage, minibatch_count(state), *((m.name, *m.terms) for m in moves))
        found = self._programs.get(kind)
        if kind not in self._programs or (found is not None and not found.fits(state)):
            found = self._programs[kind] = self._proved(state, moves, new_images)
        return found

    def _proved(self, state: TrainState, moves: Sequence[Move], new_images: int) -> Program | None:
        """Return the program of a step after trying it, None with a warning when there is none."""
        expected = state.copied()
        gentle = [replace(move, lr=move.lr * GENTLE) for move in moves]
        self._eager.step(expected, gentle, new_images)
        try:
            for name, optimiser in state.optimisers.items():
                prepare_slots(optimiser, expected.optimisers[name])
            with children_spared():
                program = Program(state, moves, self._backend)
            found = state.copied()
            program.step(found, gentle, new_images)
            off = disagreements(state, expected, found)
        except Exception as error:  # noqa: BLE001  # whatever a compiler throws, training goes on
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            self._warn(f"Not {self._backend.done}, the eager engine goes on instead: {reason}.")
            return None
        if off:
            self._warn(
                f"{self._backend.done.capitalize()} wrongly, the eager engine goes on instead: "
                f"{', '.join(off[:3])} came out otherwise."
            )
            return None
        return program


def disagreements(before: TrainState, expected: TrainState, found: TrainState) -> list[str]:
    """Return the names of what two engines left in different states after the same step.

    Adaptive optimisers turn gradients around zero, which are noise, into steps of full size. So
    weights are compared by the step that a network made as a whole, and optimisers' memories, which
    are linear in gradients, or whose roots are, more closely. Terms' memories are compared by what
    they hold, whole numbers to the bit.
    """
    precision = before.recipe.plan.compute.precision
    old, right, other = (_linear(_lasting(state.tensors())) for state in (before, expected, found))
    if right.keys() != other.keys():
        return sorted(right.keys() ^ other.keys())
    learned = {
        f"{owner}/{key}"
        for owner, network in before.networks.items()
        for key, _ in network.named_parameters(remove_duplicate=False)
    }
    wrong = []
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, tensor in right.items():
        kind, owner, *inner = name.split("/")
        if not tensor.is_floating_point():
            wrong += [] if torch.equal(tensor, other[name]) else [name]
        elif kind == "terms":
            far = _norm(other[name].double() - tensor)
            wrong += [] if far <= ROUNDING[precision] * _norm(tensor) else [name]
        elif kind == "optimisers":
            groups[f"{kind}/{owner}/{inner[-1]}"].append(name)
        else:
            part = "weights" if f"{owner}/{inner[0]}" in learned else "buffers"
            groups[f"{kind}/{owner}/{part}"].append(name)
    for group, names in groups.items():
        off = [other[name].double() - right[name] for name in names]
        moved = [right[name].double() - old[name] for name in names]
        exact = group.startswith("optimisers")
        limit = ROUNDING[precision] if exact else 0.5
        if not math.hypot(*map(_norm, off)) <= limit * math.hypot(*map(_norm, moved)):
            wrong.append(group)
        noise = NOISE[precision] * max(map(_size, moved))
        wrong += [
            name
            for name, far, way in zip(names, off, moved, strict=True)
            if exact and not _size(far) <= ALONE[precision] * max(_size(way), noise)
        ]
    return wrong


def _lasting(tensors: Tensors) -> Tensors:
    """Return what later steps build on: all but what is only told."""
    return {name: kept for name, kept in tensors.items() if name.startswith(LASTING)}


def _linear(tensors: Tensors) -> Tensors:
    """Return tensors with the roots of squares in their place."""
    return {name: kept.sqrt() if name.endswith(SQUARES) else kept for name, kept in tensors.items()}


def _norm(tensor: Tensor) -> float:
    return float(tensor.norm())


def _size(tensor: Tensor) -> float:
    """Return the root mean square."""
    return _norm(tensor) / math.sqrt(max(tensor.numel(), 1))
