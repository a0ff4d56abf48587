"""The first reference system's whole job, start and compiling included, beside a plain loop's.

    nox -s bench

In turn: ours, the loop, ours again, the loop again, and so on, each alone on an idle machine, as
whoever waits for one of them runs it, on one thread. Ours is `gantk train` with an empty cache, so
that it compiles, and writes rows, pictures and checkpoints; the loop of `plain_loops.py` keeps
nothing. The ratio is taken within a turn, and its median counts. Writes `whole_job` into
`benchmarks/speed.json` and, through `speed.py`, `docs/benchmarks.md`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import seeds
import speed
import torch

from gan_toolkit.run import Run
from gan_toolkit.system import machine

JOB = ("train", "--recipe", "quadratic", "--set", "compute.threads=1")


def plain(steps: int) -> None:
    """Make the steps of the plain loop and print the seconds that they took, without its start."""
    torch.set_num_threads(1)
    loop = speed.plain_curve(speed.Ours({"recipe": "quadratic"}, "eager", "cpu").trainer)
    begun = time.perf_counter()
    loop.run(steps)
    print(time.perf_counter() - begun)


def told(command: Sequence[str], cache: str) -> str:
    """Return what a command of Python prints."""
    environment = {**seeds.with_cache(cache), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *command], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def turn(steps: int) -> dict[str, float]:
    """Return the seconds of our job, of its training alone, and of the plain loop after it."""
    with tempfile.TemporaryDirectory() as folder:
        cache, run = f"{folder}/cache", f"{folder}/run"
        begun = time.perf_counter()
        told(["-m", "gan_toolkit", *JOB, "--out", run], cache)
        ours_s = time.perf_counter() - begun
        training_s = float(Run(Path(run)).rows()[-1]["seconds"])
        plain_s = float(told([__file__, "--plain", str(steps)], cache))
    return {"ours_s": ours_s, "training_s": training_s, "plain_s": plain_s}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--plain", type=int, metavar="STEPS", help="only the plain loop")
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.plain:
        plain(arguments.plain)
        return
    steps = speed.Ours({"recipe": "quadratic"}, "eager", "cpu").trainer.recipe.plan.length
    turns = []
    for _ in range(arguments.turns):
        turns.append(turn(steps))
        print(json.dumps(turns[-1]), flush=True)
    path = speed.HERE / speed.FILES["cpu"]
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept["whole_job"] = {
        "steps": steps,
        "turns": [{name: round(seconds, 1) for name, seconds in one.items()} for one in turns],
        "times": round(statistics.median(one["plain_s"] / one["ours_s"] for one in turns), 2),
        "machine": machine(torch.device("cpu")),
        "command": shlex.join(["gantk", *JOB]),
    }
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    speed.write_page()
    print(json.dumps(kept["whole_job"], indent=1))


if __name__ == "__main__":
    main()
