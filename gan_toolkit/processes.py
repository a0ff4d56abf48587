"""The processes that train one run together: torch.distributed, started by torchrun.

Every process holds the whole state and computes the same inputs of a step for the whole batch, but
makes its moves on its own rows alone; gradients are averaged. One process is a group of one, which
costs nothing. `shares.py` says what of a step is shared out and averaged.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from gan_toolkit.errors import LostProcess, RunError, UsageError

JOINING = timedelta(minutes=5)
"""How long a process waits for the others to start …"""
WAITING = timedelta(minutes=30)
"""… for one that is busy alone, as the first one is that evaluates, draws and saves …"""
PACKING = timedelta(days=1)
"""… and for one that fetches and packs the data."""


def join() -> None:
    """Meet the processes that torchrun started with this one; without torchrun do nothing.

    A group that the caller made is taken as it is. Raises `RunError` when not all of them come.
    """
    if dist.is_initialized():
        _Group.all = _Group.all or dist.group.WORLD
        return
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    backend = "gloo"
    if torch.cuda.is_available() and dist.is_nccl_available():
        backend = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(here() % torch.cuda.device_count())
    try:
        store, number, total = next(rendezvous("env://", timeout=JOINING))
        dist.init_process_group(
            backend, store=store, rank=number, world_size=total, timeout=JOINING
        )
        _Group.all = dist.group.WORLD
        meet()
        _Group.all = dist.new_group(timeout=WAITING)
        _Group.patient = dist.new_group(timeout=PACKING, backend="gloo")
    except (RuntimeError, ValueError) as error:
        raise RunError(
            f"Not all of the processes met ({_first_line(error)}). Check that each machine runs "
            "the same torchrun command, and set GLOO_SOCKET_IFNAME to the network interface that "
            "joins them."
        ) from error
    _Group.store = store


def leave(code: int) -> None:
    """End this process with an exit code; one that belongs to no group returns.

    Torch's threads can abort a process that ends in the usual way, so a member of a group that is
    done waits for the others, says all that it has to say, and ends at once.
    """
    if not dist.is_initialized():
        return
    if code == 0:
        try:
            meet()
            dist.destroy_process_group()
        except LostProcess:  # it has said why
            code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class _Group:
    """What this process knows of its group beside torch."""

    all: dist.ProcessGroup | None = None
    patient: dist.ProcessGroup | None = None
    store: Any = None  # Any: torch types its stores nowhere that it exports


def count() -> int:
    """Return the number of processes that train together."""
    return 1 if _Group.all is None else _Group.all.size()


def rank() -> int:
    """Return which of them this is, from 0."""
    return 0 if _Group.all is None else _Group.all.rank()


def leads() -> bool:
    """Return whether this process writes the run's files and talks."""
    return rank() == 0


def here() -> int:
    """Return which of the processes on this machine this is, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def together_here() -> int:
    """Return the number of them on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if count() > 1 else 1


def processors() -> int:
    """Return the number of processors that this process may use."""
    able = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(able(0)) if able else os.cpu_count() or 1


def threads() -> int:
    """Return this process's share of the processors, at least one."""
    if count() == 1:
        return torch.get_num_threads()
    return max(1, processors() // together_here())


def summed(tensor: Tensor) -> Tensor:
    """Return the sum of the tensors that all processes give."""
    total = tensor.clone(memory_format=torch.contiguous_format)
    with _others():
        dist.all_reduce(total, group=_Group.all)
    return total


def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors by their means over all processes: one transfer for each type of number."""
    for kind in dict.fromkeys((tensor.dtype, tensor.device) for tensor in tensors):
        alike = [tensor for tensor in tensors if (tensor.dtype, tensor.device) == kind]
        flat = torch.cat([tensor.reshape(-1) for tensor in alike])
        with _others():
            dist.all_reduce(flat, group=_Group.all)
        flat /= count()
        pieces = flat.split([tensor.numel() for tensor in alike])
        for tensor, piece in zip(alike, pieces, strict=True):
            tensor.copy_(piece.view_as(tensor))


def spread(tensors: Sequence[Tensor]) -> None:
    """Replace tensors by those of the first process."""
    if count() == 1:
        return
    for tensor in tensors:
        sent = tensor.contiguous()
        with _others():
            dist.broadcast(sent, 0, group=_Group.all)
        if sent is not tensor:
            tensor.copy_(sent)


def highest(*numbers: int) -> list[int]:
    """Return the highest of each number that any process gives."""
    if count() == 1:
        return list(numbers)
    given = torch.tensor(numbers)
    with _others():
        dist.all_reduce(given, dist.ReduceOp.MAX, group=_Group.all)
    found: list[int] = given.tolist()
    return found


def meet() -> None:
    """Wait for all processes."""
    highest(0)


def text_of_first(text: str) -> str:
    """Return the text that the first process gives."""
    if count() == 1:
        return text
    written = text.encode()
    (size,) = highest(len(written) if leads() else 0)
    letters = torch.zeros(size, dtype=torch.uint8)
    if leads() and size:
        letters = torch.frombuffer(bytearray(written), dtype=torch.uint8)
    spread([letters])
    return bytes(letters.tolist()).decode()


def number_of_first(number: float) -> float:
    """Return the number that the first process gives."""
    return float(text_of_first(repr(number)))


@contextmanager
def first_here() -> Iterator[None]:
    """Let one process on each machine do something alone before the others there do it."""
    if here():
        _meet_patiently()
    yield
    if not here():
        _meet_patiently()


def _meet_patiently() -> None:
    """Wait for all processes, however long one of them is at work on the data."""
    if count() > 1:
        with _others():
            dist.barrier(group=_Group.patient)


def refuse_difference(what: str, text: str) -> None:
    """Raise `UsageError` on each process that was given another text than the first one."""
    if text_of_first(text) != text:
        raise UsageError(
            f"Process {rank()} was started with {what} than process 0. Give each machine the same "
            "command, versions, plugins and data."
        )


def say_once(message: str, say: Callable[[str], None], *, lost: bool = False) -> None:
    """Say why this process fails, unless another one said the same.

    One that `lost` another speaks only if nobody told a reason: what it lost was killed.
    """
    if _Group.store is not None:
        try:
            key = "" if lost else hashlib.sha256(message.encode()).hexdigest()
            others = _Group.store.add(f"said/{key}", 1) - 1
            if not lost:
                _Group.store.add("said/", 1)
        except RuntimeError:  # whoever keeps the store has gone too
            others = 0
        if others:
            return
    say(message)


@contextmanager
def _others() -> Iterator[None]:
    """Turn torch's word for an exchange that broke off into ours."""
    try:
        yield
    except RuntimeError as error:
        raise LostProcess(
            f"Process {rank()} lost another process of this run: it failed, was killed or cannot "
            "be reached."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200].rstrip(".") if str(error).strip() else "unknown"
