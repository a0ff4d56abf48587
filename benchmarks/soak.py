"""Kill a run at random instants and damage its checkpoints at random places.

    nox -s soak

Kills: a small DCGAN on the bundled digits writes a checkpoint after every step, so that most kills
land inside a save. Each child is killed with SIGKILL after a random time and the next one resumes;
the run that was killed all the time must end with the bits of the run that never was. Damage: bits
flipped, bytes replaced, files cut, emptied, removed or swapped; each must be detected and the
checkpoint before it used. Writes `benchmarks/soak.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

import gan_toolkit
from gan_toolkit.checkpoint import MANIFEST, TENSORS, listed, read
from gan_toolkit.errors import CheckpointError
from gan_toolkit.run import TIMES, Run
from gan_toolkit.system import versions

SETTINGS = {
    "arch.width": 4,
    "batch": 16,
    "steps": 1500,
    "log_every": 10,
    "sample_every": 50,
    "checkpoint_every": 1,
    "compute.threads": 1,
    "compute.device": "cpu",
}


def train(path: Path) -> None:
    """Start the run, or resume it where it exists."""
    if path.exists():
        gan_toolkit.train(resume=path)
    else:
        gan_toolkit.train(arch="dcgan", data="digits", settings=SETTINGS, out=path)


def in_child(path: Path, seconds: float | None) -> int:
    """Train in a forked child, killed after `seconds`; return its exit status."""
    child = os.fork()
    if child == 0:
        try:
            train(path)
        except BaseException as error:  # noqa: BLE001  # the child must say why and end here
            print(f"child failed: {error}", flush=True)
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        while not path.exists():  # before its folder appears there is nothing to lose
            time.sleep(0.001)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def kills(folder: Path, count: int, rng: random.Random) -> dict[str, object]:
    """Kill a run `count` times, resume it to its end, compare it with one that was left alone."""
    path = folder / "killed"
    done = inside = 0
    while done < count:
        status = in_child(path, rng.uniform(0.0, 0.6))
        if os.WIFEXITED(status):
            raise SystemExit(f"after {done} kills the run could not be resumed, or ended too soon")
        done += 1
        leftovers = [*path.rglob(".writing-*")]
        inside += bool(leftovers)
        if done % 10 == 0:
            print(f"{done} kills, {inside} inside a save", flush=True)
    step = read(list(listed(path / "checkpoints"))[-1]).step
    if in_child(path, None) or in_child(folder / "whole", None):
        raise SystemExit("the last resume failed")
    killed, whole = Run(path), Run(folder / "whole")
    a, b = (read(list(listed(run.path / "checkpoints"))[-1]).tensors for run in (killed, whole))
    rows = [
        [{key: value for key, value in row.items() if key not in TIMES} for row in run.rows()]
        for run in (killed, whole)
    ]
    return {
        "kills": done,
        "inside_a_save": inside,
        "step_after_last_kill": step,
        "steps": SETTINGS["steps"],
        "same_bits": a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a),
        "same_metrics": rows[0] == rows[1],
    }


def damage(folder: Path, count: int, rng: random.Random) -> dict[str, object]:
    """Damage the newest checkpoint `count` times; each time the one before must be used."""
    run = Run(folder / "whole")
    newest = list(listed(run.path / "checkpoints"))[-1]
    before = list(listed(run.path / "checkpoints"))[-2]
    spare = folder / "spare"
    shutil.copytree(newest, spare)
    tried: Counter[str] = Counter()
    missed = []
    while sum(tried.values()) < count:
        name = rng.choice(list(DAMAGES))
        target = newest / rng.choice([TENSORS, MANIFEST])
        DAMAGES[name](target, rng)
        tried[f"{name} {target.name}"] += 1
        try:
            read(newest)
            missed.append(f"{name} {target.name}")
        except CheckpointError:
            pass
        said: list[str] = []
        used = run.newest(said.append).path
        if used != before or not said or newest.name not in said[0]:
            missed.append(f"{name} {target.name}: {used.name} was used")
        shutil.rmtree(newest.with_name(f"broken-{newest.name}"), ignore_errors=True)
        shutil.rmtree(newest, ignore_errors=True)
        shutil.copytree(spare, newest)
    return {"damages": sum(tried.values()), "missed": missed, "kinds": dict(sorted(tried.items()))}


def _flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def _replace(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    place = rng.randrange(len(data))
    data[place] = (data[place] + rng.randrange(1, 256)) % 256
    path.write_bytes(data)


def _cut(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data))])


def _lengthen(path: Path, rng: random.Random) -> None:
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.randrange(1, 64)))


def _zero(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    start = rng.randrange(len(data) - 1)
    while not any(data[start : start + 512]):
        start = rng.randrange(len(data) - 1)
    data[start : start + 512] = bytes(len(data[start : start + 512]))
    path.write_bytes(data)


def _remove(path: Path, rng: random.Random) -> None:
    del rng
    path.unlink()


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "flip a bit of": _flip,
    "replace a byte of": _replace,
    "cut": _cut,
    "lengthen": _lengthen,
    "zero a block of": _zero,
    "remove": _remove,
}


def main() -> None:
    """Run both and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=120)
    parser.add_argument("--damages", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("soak.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = random.Random(arguments.seed)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "warm").mkdir()  # so that children fork with everything imported
        gan_toolkit.train(
            arch="dcgan", data="digits", settings={**SETTINGS, "steps": 1}, out=Path(folder, "warm")
        )
        result = {
            "kill": kills(Path(folder), arguments.kills, rng),
            "damage": damage(Path(folder), arguments.damages, rng),
            "seed": arguments.seed,
            "minutes": round((time.monotonic() - begun) / 60, 1),
            "versions": versions(),
        }
    text = json.dumps(result, indent=2)
    print(text)
    arguments.out.write_text(text + "\n", encoding="utf-8")
    if result["damage"]["missed"] or not result["kill"]["same_bits"]:
        raise SystemExit("a promise was broken; see above")


if __name__ == "__main__":
    main()
