"""What benchmarks of several seeds share: train a shipped recipe, time it, keep the row."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gan_toolkit.system import processor, versions

Row = dict[str, Any]
"""What JSON holds of one run. Any: JSON nests freely."""
Scorer = Callable[[Path], Row]
"""Scores the run in a folder."""


def parser(description: str, seeds: int) -> argparse.ArgumentParser:
    """Return the command line that every such benchmark has."""
    made = argparse.ArgumentParser(description=description.splitlines()[0])
    made.add_argument("--seeds", type=int, default=seeds, help="seeds 0 … N - 1 of each recipe")
    made.add_argument("--threads", type=int, default=1, help="CPU threads of a run")
    made.add_argument("--keep", type=Path, help="folder for the runs; what it holds is not redone")
    made.add_argument("--out", type=Path, help="the JSON file, else one beside this script")
    return made


@contextmanager
def folder(keep: Path | None) -> Iterator[Path]:
    """Give the folder to keep runs in, else one that is removed afterwards."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


def row(
    recipe: str,
    seed: int,
    runs: Path,
    scorer: Scorer,
    threads: int,
    *,
    variant: str = "",
    sets: Sequence[str] = (),
) -> Row:
    """Train a recipe on one seed and score its last checkpoint, unless `runs` holds the row.

    The run finds an empty cache, so that its time is a new user's: programs are compiled in it.
    `sets` are changes of the recipe as `--set` takes them, `variant` the name they go by.
    """
    name = "-".join([recipe, *variant.split(), f"seed{seed}"])
    kept = runs / f"{name}.json"
    if kept.exists():
        known: Row = json.loads(kept.read_text(encoding="utf-8"))
        return known
    run = runs / name
    words = ["train", "--recipe", recipe, "--seed", str(seed), "--out", str(run)]
    for each in (f"compute.threads={threads}", *sets):
        words += ["--set", each]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-m", "gan_toolkit", *words]
        subprocess.run(command, env=with_cache(cache), check=True)
    wall = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    made = {
        "seed": seed,
        **scorer(run),
        "wall_seconds": round(wall, 1),
        "core_seconds": round(cpu, 1),
    }
    kept.write_text(json.dumps(made), encoding="utf-8")
    return made


def with_cache(folder: str) -> dict[str, str]:
    """Return the environment of a run that keeps programs and packed data in a folder."""
    environment = {**os.environ, "GANTK_CACHE": folder}
    environment.pop("TORCHINDUCTOR_CACHE_DIR", None)  # this process's own, set by what it imported
    return environment


def write(out: Path, tables: Mapping[str, Sequence[Row]], threads: int, facts: Row) -> None:
    """Write the rows of every recipe, with what they cost and what ran them."""
    rows = [each for table in tables.values() for each in table]
    result = {
        **facts,
        "runs": tables,
        "threads": threads,
        "cores": os.cpu_count(),
        "processor": processor(),
        "core_minutes": round(sum(each["core_seconds"] for each in rows) / 60, 1),
        "versions": versions(),
    }
    out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def show(recipe: str, rows: Sequence[Row]) -> None:
    """Print one line a run, values in columns."""
    names = [name for name in rows[0] if name != "seed"]
    print(f"{recipe:<12}" + "".join(f"{name:>14}" for name in names))
    for each in rows:
        print(f"  seed {each['seed']:<5}" + "".join(f"{each[name]!s:>14}" for name in names))
