"""Two processes train what one does: rows shared out, gradients averaged, one that writes."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import gan_toolkit
from gan_toolkit import processes, shares
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import RecipeError, UsageError
from gan_toolkit.observer import Quiet
from gan_toolkit.run import TIMES, Run
from gan_toolkit.state import LASTING
from gan_toolkit.timing import Timing
from gan_toolkit.training import prepare

HERE = Path(__file__).parent
FAULTY = HERE / "faulty.py"
TOGETHER: dict[str, Any] = runpy.run_path(str(HERE / "together.py"), run_name="together")
EXACT, ALIKE, ROUNDED = (TOGETHER[name] for name in ("EXACT", "ALIKE", "ROUNDED"))
TORCHRUN = (sys.executable, "-m", "torch.distributed.run")
STEPS = 50
TRAIN = (
    *("train", "--recipe", "quadratic", "--steps", STEPS, "--plugin", FAULTY),
    *("--set", "log_every=7", "--set", "checkpoint_every=10", "--set", "sample_every=20"),
    *("--set", "terms.fault={name='faulty'}"),
)
needs_two = pytest.mark.skipif(
    processes.processors() < 2, reason="one processor has no two processes"
)


def call(*words: object, **variables: str) -> CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
    )


def gantk(*words: object, **variables: str) -> CompletedProcess[str]:
    return call(sys.executable, "-m", "gan_toolkit", *words, **variables)


def told(done: CompletedProcess[str]) -> list[str]:
    """Return what a command said for itself to stderr."""
    return [line for line in done.stderr.splitlines() if line.startswith("gantk:")]


def lasting(run: Path) -> dict[str, Tensor]:
    newest = max(run.glob("checkpoints/step-*"))
    found = load_file(newest / "state.safetensors")
    return {name: tensor for name, tensor in found.items() if name.startswith(LASTING)}


def rows(run: Path) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in row.items() if key not in TIMES} for row in Run(run).rows()
    ]


def furthest(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    assert a.keys() == b.keys()
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes held after training every system: a file of each."""
    folder = tmp_path_factory.mktemp("held")
    done = call(*TORCHRUN, "--nproc-per-node", "2", HERE / "together.py", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes that nothing stopped."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    scratch = tmp_path_factory.mktemp("scratch")
    done = gantk(*TRAIN, "--out", out, "--processes", "2", TMPDIR=str(scratch))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}\n"
    assert list(scratch.glob("*torchelastic*")) == list(scratch.glob("gantk-*")) == []
    return out


@pytest.mark.parametrize("name", EXACT | ALIKE | ROUNDED)
def test_all_processes_hold_the_same_bits(held: Path, name: str) -> None:
    first, second = (load_file(held / f"{name}-{rank}.safetensors") for rank in (0, 1))
    shared = [key for key in first if not key.startswith("vitals/")]
    assert len(shared) > 10
    assert all(torch.equal(first[key], second[key]) for key in shared)


@pytest.mark.parametrize("name", EXACT)
def test_two_processes_leave_the_bits_of_twice_as_many_micro_batches(held: Path, name: str) -> None:
    arch, settings = EXACT[name]
    halves = {**settings, "accumulate": 2 * settings.get("accumulate", 1)}
    alone = TOGETHER["trained"](arch, halves)
    found = load_file(held / f"{name}-0.safetensors")
    kept = [key for key in alone if key.startswith(LASTING)]
    assert kept
    assert all(torch.equal(found[key], alone[key]) for key in kept)


@pytest.mark.parametrize("name", ROUNDED)
def test_two_processes_train_as_one_does_on_the_whole_batch(held: Path, name: str) -> None:
    alone = TOGETHER["trained"](*ROUNDED[name])
    found = load_file(held / f"{name}-0.safetensors")
    kept = [key for key in alone if key.startswith(LASTING)]
    assert name == "accumulated" or any(key.endswith("running_var") for key in kept)
    assert furthest({k: found[k] for k in kept}, {k: alone[k] for k in kept}) < 1e-5


def test_nan_ends_every_process_with_the_same_message(held: Path) -> None:
    first, second = ((held / f"diverged-{rank}.txt").read_text() for rank in (0, 1))
    assert "first at step 11 in discriminator.bad.bad" in first
    assert first == second
    assert Run(held / "diverged").rows()[-1]["diverged"] == "discriminator.bad.bad"


@needs_two
def test_after_50_steps_the_weights_are_those_of_one_process(whole: Path, tmp_path: Path) -> None:
    settings = {"steps": STEPS, "log_every": 7, "compute.engine": "eager"}
    alone = gan_toolkit.train(recipe="quadratic", settings=settings, out=tmp_path / "one")
    two, one = lasting(whole), lasting(alone.path)
    weights = [name for name in one if name.startswith(("networks/", "ema/"))]
    assert furthest({k: two[k] for k in weights}, {k: one[k] for k in weights}) < 1e-5
    losses = [key for key in rows(whole)[0] if "adversarial" in key]
    assert len(losses) == 3
    for told, expected in zip(rows(whole), rows(alone.path), strict=True):
        assert [told[key] for key in losses] == pytest.approx([expected[k] for k in losses], 1e-4)


@needs_two
def test_a_signal_to_one_process_stops_all_and_the_resumed_run_has_the_same_bits(
    whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = gantk(*TRAIN, "--out", run, "--processes", "2", FAULT="15:1:30")
    assert done.returncode == 143
    (said,) = told(done)
    again = f"gantk train --resume {run} --plugin {FAULTY} --processes 2"
    assert said == f"gantk: Stopped at step 14 of {STEPS}; saved. Go on with `{again}`."
    done = gantk("train", "--resume", run, "--plugin", FAULTY, "--processes", "2")
    assert done.returncode == 0, done.stderr
    a, b = lasting(whole), lasting(run)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert rows(whole) == rows(run)


@needs_two
def test_nobody_says_saved_before_it_is(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = (*TRAIN, "--set", "checkpoint_every=1000", "--out", run, "--processes", "2")
    done = gantk(*words, FAULT="15:1:30", FULL="2")
    assert done.returncode != 0
    (said,) = told(done)
    assert "is full" in said
    assert "; saved" not in said


def test_machines_with_other_commands_are_told_before_the_first_step(
    whole: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)

    def node(number: int, *more: object) -> subprocess.Popen[str]:
        address = ("--master-addr", "127.0.0.1", "--master-port", port)
        nodes = ("--nnodes", 2, "--node-rank", number, "--nproc-per-node", 1, *address)
        words = (*TORCHRUN, *nodes, "-m", "gan_toolkit", *more)
        return subprocess.Popen([str(word) for word in words], stderr=subprocess.PIPE, text=True)

    resume = ("train", "--resume", run, "--plugin", FAULTY, "--steps", STEPS + 10)
    train = (*TRAIN, "--out", tmp_path / "new")
    for command, other in ((train, ("--set", "batch=64")), (resume, ("--set", "sample_every=7"))):
        port = free_port()
        both = [node(0, *command), node(1, *command, *other)]
        said = "".join(each.communicate(timeout=200)[1] for each in both)
        assert "Process 1 was started with another recipe than process 0" in said
        assert all(each.returncode for each in both)
    assert not (tmp_path / "new").exists()
    assert Run(run).recipe()["steps"] == STEPS


def test_what_one_process_times_all_do(monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[int] = []

    def measured(timing: Timing) -> float:
        del timing
        timed.append(torch.get_num_threads())
        return 1.0

    settings = {"compute.threads": 1, "steps": 100}
    catalogue = Catalogue.discover([HERE / "sketches.py"])
    ready = prepare(TOGETHER["request"]("plain", settings), catalogue, Quiet())
    monkeypatch.setattr(Timing, "a_step", measured)
    monkeypatch.setattr(processes, "highest", lambda *_: [4])
    ready.threaded(Quiet())

    assert timed == [1, 1]


@needs_two
def test_a_killed_process_ends_all_and_one_process_goes_on_within_rounding(
    whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = gantk(*TRAIN, "--out", run, "--processes", "2", FAULT="9:1:50")
    assert done.returncode == 137
    said = told(done)
    assert len(said) == 2
    assert "gantk: process 1 was ended by SIGKILL." in said
    assert any("lost another process" in line and f"--resume {run}" in line for line in said)

    class Warned(Quiet):
        said: str = ""

        def warn(self, text: str) -> None:
            self.said += text

    observer = Warned()
    gan_toolkit.train(resume=run, plugins=[FAULTY], observer=observer)
    assert "Resuming with 1 process instead of 2: the same run within rounding" in observer.said
    assert furthest(lasting(whole), lasting(run)) < 1e-5


def test_a_folder_that_the_first_process_cannot_make_ends_all_with_one_message(
    tmp_path: Path,
) -> None:
    parent = tmp_path / "file"
    parent.write_text("no folder")
    words = (*TRAIN, "--out", parent / "run", "--processes", "2")
    done = gantk(*words)
    assert done.returncode == 1
    said = told(done)
    assert len(said) == 1
    assert "Nothing was started" in said[0]


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process believe that it is the second of two."""
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "rank", lambda: 1)


def test_rows_are_shared_out_of_every_part_of_a_batch(two: None) -> None:
    assert shares.own(torch.arange(8), parts=1).tolist() == [4, 5, 6, 7]
    assert shares.own(torch.arange(8), parts=2).tolist() == [2, 3, 6, 7]
    assert shares.own(torch.arange(16).view(8, 2), parts=4)[:, 0].tolist() == [2, 6, 10, 14]


def test_a_batch_that_cannot_be_shared_equally_is_refused(two: None) -> None:
    request = TOGETHER["request"]
    catalogue = Catalogue.discover([HERE / "sketches.py"])
    with pytest.raises(UsageError, match="2 processes cannot share a batch of 15 equally"):
        prepare(request("plain", {"batch": 15}), catalogue, Quiet())
    with pytest.raises(UsageError, match=r"12 in accumulate = 4 micro-batches .* multiple of 8"):
        prepare(request("plain", {"batch": 12, "accumulate": 4}), catalogue, Quiet())


def test_local_batch_norm_of_a_single_row_is_refused(
    two: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_meet_patiently", lambda: None)
    arch, settings = ROUNDED["synchronised"]
    settings = {**settings, "batch": 2, "compute.batch_norm": "local"}
    catalogue = Catalogue.discover([HERE / "sketches.py"])
    with pytest.raises(RecipeError, match="accumulate = 1 in 2 processes leaves one of a batch"):
        prepare(TOGETHER["request"](arch, settings), catalogue, Quiet())


def test_a_group_that_the_caller_made_is_taken_as_it_is(tmp_path: Path) -> None:
    program = (
        "import sys, torch.distributed as dist\n"
        "from gan_toolkit import processes\n"
        "place, rank = sys.argv[1], int(sys.argv[2])\n"
        "dist.init_process_group('gloo', init_method=place, rank=rank, world_size=2)\n"
        "processes.join()\n"
        "print(processes.count(), processes.rank(), *processes.highest(rank), flush=True)\n"
        "processes.leave(0)\n"
    )
    place = (tmp_path / "meeting").as_uri()
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, place, str(rank)], stdout=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    assert [process.communicate(timeout=120)[0] for process in both] == ["2 0 1\n", "2 1 1\n"]


@pytest.mark.parametrize("number", [0, -1, 4096])
def test_an_impossible_number_of_processes_is_refused(
    gantk: Callable[..., CompletedProcess[str]], number: int
) -> None:
    done = gantk("train", "--arch", "mlp", "--processes", number)
    assert done.returncode == 2
    assert f"--processes {number}: this machine has" in done.stderr


def test_processes_that_torchrun_started_are_not_multiplied(
    gantk: Callable[..., CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    done = gantk("train", "--arch", "mlp", "--processes", 1)
    assert done.returncode == 2
    assert "torchrun has started 2 processes here already" in done.stderr
