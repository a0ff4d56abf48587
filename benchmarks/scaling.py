"""Images a second of one process and of two, in one run: the same recipe, batch and steps.

    nox -s bench

Runs of one process with one thread, one with two threads and two with one thread each take turns;
each is a `gantk train` of its own, and its speed the median over its rows of metrics but the first.
What counts is the median of the ratios within a turn. Wants two idle processors.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from gan_toolkit.run import Run
from gan_toolkit.system import machine, versions

WORKLOADS = {
    "dcgan on MNIST, 28×28, batch 64": ("--arch", "dcgan", "--data", "mnist", "--steps", "40"),
    "mlp on the ring, batch 128": ("--arch", "mlp", "--data", "ring", "--steps", "600"),
}
ROWS = 8
CONTESTANTS = {
    "1 process, 1 thread": ("--set", "compute.threads=1"),
    "1 process, 2 threads": ("--set", "compute.threads=2"),
    "2 processes, 1 thread each": ("--processes", "2"),
}
BASE = "1 process, 1 thread"


def speed(words: tuple[str, ...], contestant: tuple[str, ...], folder: Path) -> float:
    """Return images a second of a run."""
    every = int(words[-1]) // ROWS
    command = ["train", *words, "--engine", "eager", "--set", f"log_every={every}"]
    run = [sys.executable, "-m", "gan_toolkit", *command, *contestant, "--out", str(folder)]
    subprocess.run(run, check=True, capture_output=True)
    return statistics.median(float(row["images_per_second"]) for row in Run(folder).rows()[1:])


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description="Images a second of one process and of two.")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/scaling.json"))
    options = parser.parse_args()
    figures = {}
    for workload, words in WORKLOADS.items():
        turns = []
        for turn in range(options.turns):
            with tempfile.TemporaryDirectory() as folder:
                found = {
                    name: speed(words, contestant, Path(folder) / f"{number}")
                    for number, (name, contestant) in enumerate(CONTESTANTS.items())
                }
            turns.append(found)
            print(workload, turn, found, flush=True)
        figures[workload] = {
            name: {
                "images_per_second": round(statistics.median(t[name] for t in turns), 1),
                "ratio": round(statistics.median(t[name] / t[BASE] for t in turns), 3),
                "ratios": [round(t[name] / t[BASE], 3) for t in turns],
            }
            for name in CONTESTANTS
        }
    about = {"machine": machine(torch.device("cpu")).partition(",")[0], "versions": versions()}
    text = json.dumps({**about, "base": BASE, "workloads": figures}, indent=2, ensure_ascii=False)
    options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
