"""How a step is shared out among processes, and what of it is averaged.

A step of K processes is one of `accumulate` times K micro-batches: each process makes its own. The
rows of the whole batch and all draws for them are the same for any K.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor

from gan_toolkit import processes
from gan_toolkit.state import Readings, TrainState


def own(rows: Tensor, parts: int) -> Tensor:
    """Return this process's rows [N / processes, …] of a batch [N, …]: as many of each part.

    A batch is cut into `parts` equal ones, minibatches and their micro-batches.
    """
    count = processes.count()
    if count == 1:
        return rows
    found: Tensor = rows.unflatten(0, (parts, count, -1))[:, processes.rank()].flatten(0, 1)
    return found


@contextmanager
def averaged(state: TrainState, terms: Mapping[str, object]) -> Iterator[None]:
    """Make what a move finds on this process's rows the mean over the rows of all of them.

    That holds for gradients, readings, running statistics and the terms' memories, where these are
    single numbers; other memories become those of the first process. All means are one transfer.
    """
    if processes.count() == 1:
        yield
        return
    kept, state.readings = state.readings, Readings()
    statistics = _statistics(state)
    before = [tensor.clone() for tensor in statistics]
    yield
    told = state.readings.kept()
    state.readings = kept
    # Changes, not values: a buffer that nothing changes keeps its bits.
    changes = [now - old for now, old in zip(statistics, before, strict=True)]
    numbers = [value.clone() for _, value in told]
    memories = [memory for name in terms for memory in state.terms[name].values()]
    single = [memory for memory in memories if memory.dim() == 0 and memory.is_floating_point()]
    processes.average([*_gradients(state), *changes, *numbers, *single])
    processes.spread([memory for memory in memories if not any(memory is one for one in single)])
    for now, old, change in zip(statistics, before, changes, strict=True):
        # Through `data`: a gradient that is still to come through lent fakes minds no change there.
        now.data.copy_(old + change)
    for (name, _), number in zip(told, numbers, strict=True):
        kept.add(name, number)


def _gradients(state: TrainState) -> list[Tensor]:
    return [
        weight.grad
        for weights in state.weights.values()
        for weight in weights
        if weight.grad is not None and weight.requires_grad
    ]


def _statistics(state: TrainState) -> list[Tensor]:
    return [
        buffer
        for network in state.networks.values()
        for buffer in network.buffers()
        if buffer.is_floating_point()
    ]
