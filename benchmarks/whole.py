"""The first reference system's whole job, start and compiling included, beside a plain loop's.

    nox -s bench

Both make all the steps at the same time, each in a process of its own on one thread: `gantk train`
with an empty cache, so that it compiles, writes rows, pictures and checkpoints; and the loop of
`plain_loops.py`, which keeps nothing. Wants two idle processors. Writes `whole_job` into
`benchmarks/speed.json` and, through `speed.py`, `docs/benchmarks.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import speed
import torch

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.observer import Observer
from gan_toolkit.resolve import Request
from gan_toolkit.run import Run
from gan_toolkit.training import prepare

JOB = ("train", "--recipe", "quadratic", "--set", "compute.threads=1")


def plain(steps: int) -> None:
    """Make the steps of the plain loop and print the seconds that it took, its start included."""
    begun = time.perf_counter()
    torch.set_num_threads(1)
    settings = {"compute.threads": 1, "compute.engine": "eager"}
    request = Request(recipe="quadratic", settings=settings)
    trainer = prepare(request, Catalogue.discover(), Observer()).trainer(Observer())
    speed.plain_curve(trainer).run(steps)
    print(time.perf_counter() - begun)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--plain", type=int, metavar="STEPS", help="only the plain loop")
    arguments = parser.parse_args()
    if arguments.plain:
        plain(arguments.plain)
        return
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        environment = {**os.environ, "GANTK_CACHE": f"{folder}/cache", "OMP_NUM_THREADS": "1"}
        environment.pop("TORCHINDUCTOR_CACHE_DIR", None)
        steps = speed.Ours({"recipe": "quadratic"}, "eager", "cpu").trainer.recipe.plan.length
        loop = subprocess.Popen(
            [sys.executable, __file__, "--plain", str(steps)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        begun = time.perf_counter()
        command = [sys.executable, "-m", "gan_toolkit", *JOB, "--out", str(run)]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        seconds = time.perf_counter() - begun
        training_s = float(Run(run).rows()[-1]["seconds"])
        plain_s = float(loop.communicate()[0])
    path = speed.HERE / speed.FILES["cpu"]
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept["whole_job"] = {
        "steps": steps,
        "seconds": round(seconds),
        "training_s": round(training_s),
        "plain_s": round(plain_s),
        "command": shlex.join(["gantk", *JOB]),
    }
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    speed.write_page()
    print(json.dumps(kept["whole_job"], indent=1))


if __name__ == "__main__":
    main()
