"""Several processes on this machine: torchrun, called by `gantk train --processes`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence

from gan_toolkit.errors import UsageError
from gan_toolkit.processes import processors

SAVING_S = "600"
"""Seconds that torchrun, told to stop, leaves the processes for the step and for saving."""


def wanted(processes: int) -> bool:
    """Return whether so many processes have yet to be started; it is false inside one of them.

    Raises `UsageError` for a number that cannot be had.
    """
    most = processors()
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
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", SAVING_S)
    many = ["--standalone", "--local-addr=localhost", f"--nproc-per-node={processes}"]
    try:
        with tempfile.TemporaryDirectory(prefix="gantk-") as logs:  # torchrun leaves its own behind
            run(parse_args([*many, f"--log-dir={logs}", "-m", "gan_toolkit", *arguments]))
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        # torchrun ends what is left by SIGTERM.
        killed = [rank for rank, code in codes.items() if code < 0 and code != -signal.SIGTERM]
        if not killed:
            return max(*codes.values(), 1)
        number = -codes[killed[0]]
        print(
            f"gantk: process {killed[0]} was ended by {signal.Signals(number).name}.",
            file=sys.stderr,
        )
        return 128 + number
    except SignalException as error:
        return 128 + int(error.sigval)
    return 0
