"""Several processes on this machine: torchrun, called by `gantk train --processes`."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence

from gan_toolkit.errors import UsageError


def wanted(processes: int) -> bool:
    """Return whether so many processes have yet to be started; it is false inside one of them.

    Raises `UsageError` for a number that cannot be had.
    """
    able = getattr(os, "sched_getaffinity", None)
    most = len(able(0)) if able else os.cpu_count() or 1
    if not 1 <= processes <= most:
        raise UsageError(
            f"--processes {processes}: this machine has {most} processor{'s' * (most > 1)}, so "
            f"give a number from 1 to {most}. For several machines see `torchrun --help`."
        )
    started = os.environ.get("LOCAL_WORLD_SIZE")
    if started is None:
        return processes > 1
    if int(started) != processes:
        raise UsageError(
            f"--processes {processes}: torchrun has started {started} processes here already. "
            "Leave --processes out."
        )
    return False


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run `gantk` with the same arguments in so many processes; return the exit code of all."""
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    logging.disable(logging.ERROR)  # the processes say all that there is to say
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # until each knows its share of the processors
    many = ["--standalone", "--local-addr=localhost", f"--nproc-per-node={processes}"]
    try:
        run(parse_args([*many, "-m", "gan_toolkit", *arguments]))
    except ChildFailedError as error:
        killed = [rank for rank, failure in error.failures.items() if failure.exitcode < 0]
        if not killed:
            return error.get_first_failure()[1].exitcode
        number = -error.failures[killed[0]].exitcode
        name = signal.Signals(number).name
        print(f"gantk: process {killed[0]} was ended by {name}.", file=sys.stderr)
        return 128 + number
    except SignalException as error:
        return 128 + int(error.sigval)
    return 0
