"""Torn, flipped, foreign, full, interrupted, NaN: named, survived, nothing lost."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

import gan_toolkit
from gan_toolkit import checkpoint, files
from gan_toolkit.checkpoint import MANIFEST, TENSORS, listed, newest, prune, read, save
from gan_toolkit.errors import CheckpointError, Diverged, Interrupted, RunError
from gan_toolkit.run import Run

Sketch = Callable[..., Run]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Three checkpoints of the run `r`."""
    for step in (1, 2, 3):
        tensors = {"networks/a/w": torch.randn(64, generator=torch.Generator().manual_seed(step))}
        save(tmp_path, tensors, {"step": step, "nimg": 10 * step, "run": "r"})
    return tmp_path


def test_a_checkpoint_reads_back_as_it_was_written(saved: Path) -> None:
    found = newest(saved, "r", pytest.fail)
    assert (found.step, found.nimg) == (3, 30)
    expected = torch.randn(64, generator=torch.Generator().manual_seed(3))
    assert torch.equal(found.tensors["networks/a/w"], expected)


@pytest.mark.parametrize("name", [TENSORS, MANIFEST])
def test_every_flipped_bit_is_found(saved: Path, name: str) -> None:
    target = saved / "step-000000003" / name
    good = target.read_bytes()
    rng = random.Random(1)
    for place in rng.sample(range(8 * len(good)), 150):
        data = bytearray(good)
        data[place // 8] ^= 1 << place % 8
        target.write_bytes(data)
        with pytest.raises(CheckpointError):
            read(target.parent)


@pytest.mark.parametrize("name", [TENSORS, MANIFEST])
def test_every_truncation_is_found(saved: Path, name: str) -> None:
    target = saved / "step-000000003" / name
    good = target.read_bytes()
    for length in range(0, len(good), 7):
        target.write_bytes(good[:length])
        with pytest.raises(CheckpointError):
            read(target.parent)


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(saved: Path) -> None:
    target = saved / "step-000000003" / TENSORS
    target.write_bytes(target.read_bytes()[:-1])
    said: list[str] = []
    assert newest(saved, "r", said.append).step == 2
    assert said == [
        (
            "Checkpoint step-000000003 is unusable: state.safetensors does not match its checksum. "
            "Set aside; using the one before it."
        )
    ]
    assert (saved / "broken-step-000000003").is_dir()


def test_another_runs_checkpoint_is_named_and_passed_over(saved: Path) -> None:
    save(saved, {"x": torch.zeros(1)}, {"step": 9, "nimg": 0, "run": "other"})
    said: list[str] = []
    assert newest(saved, "r", said.append).step == 3
    assert said == ["Checkpoint step-000000009 belongs to another run; using the one before it."]
    assert (saved / "step-000000009").is_dir()


def test_another_runs_checkpoints_push_none_of_ours_out(saved: Path) -> None:
    for step in (7, 8, 9):
        save(saved, {"x": torch.zeros(1)}, {"step": step, "nimg": 0, "run": "other"})
    prune(saved, 2, "r")
    assert [path.name[-1] for path in listed(saved)] == ["2", "3", "7", "8", "9"]


def test_a_run_without_a_name_takes_another_when_one_is_taken_meanwhile(
    vectors: tuple[Tensor, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    free = Run.fresh_path

    def raced(parent: Path, stem: str) -> Path:
        path = free(parent, stem)
        if path.name == stem:
            path.mkdir(parents=True)
            (path / "somebody").touch()
        return path

    monkeypatch.setattr(Run, "fresh_path", staticmethod(raced))
    small = {"steps": 1, "batch": 12}
    run = gan_toolkit.train(arch="mlp", data=vectors[0], settings=small)
    assert run.path == Path("runs/mlp-tensor-2")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ],
)
def test_a_full_memory_is_one_message(
    sketch: Sketch, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr("gan_toolkit.step.objective", full)
    with pytest.raises(RunError, match=r"memory is full.*accumulate"):
        sketch(settings={"steps": 1})


def test_no_usable_checkpoint_is_an_error_that_says_how_to_start_again(saved: Path) -> None:
    for path in listed(saved):
        (path / TENSORS).unlink()
    with pytest.raises(CheckpointError, match=r"No usable checkpoint .* Start again with"):
        newest(saved, "r", lambda _: None)


def test_another_format_is_named_and_nothing_is_set_aside(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    with pytest.raises(RunError, match="has checkpoint format 1, this gan-toolkit reads 2"):
        newest(saved, "r", pytest.fail)
    with pytest.raises(RunError, match="has checkpoint format 1, this gan-toolkit reads 2"):
        checkpoint.owner(saved)
    assert not list(saved.glob("broken-*"))


def test_a_run_resumes_exactly_from_the_checkpoint_before_a_broken_one(
    sketch: Sketch, last_tensors: Any, untimed: Any, stop_at: Any
) -> None:
    whole = sketch(out="whole")
    with pytest.raises(Interrupted):
        sketch(out="stopped", observer=stop_at(13))
    path = whole.path.with_name("stopped")
    broken = list(listed(path / "checkpoints"))[-1]
    (broken / TENSORS).write_bytes(b"torn")
    observer = stop_at(-1)
    resumed = sketch(resume=path, observer=observer)
    assert f"{broken.name} is unusable" in observer.warnings[0]
    a, b = last_tensors(whole), last_tensors(resumed)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert untimed(whole) == untimed(resumed)


def test_a_torn_last_line_of_metrics_is_cut(sketch: Sketch, stop_at: Any, untimed: Any) -> None:
    whole = sketch(out="whole")
    with pytest.raises(Interrupted):
        sketch(out="stopped", observer=stop_at(13))
    path = whole.path.with_name("stopped")
    with (path / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 15, "nimg": 1')
    assert untimed(sketch(resume=path)) == untimed(whole)


def test_only_the_newest_checkpoints_are_kept(sketch: Sketch) -> None:
    run = sketch(settings={"keep": 2})
    assert [path.name for path in listed(run.path / "checkpoints")] == [
        "step-000000015",
        "step-000000020",
    ]


def test_a_signal_in_the_last_moment_of_a_step_is_saved_after_the_next(
    sketch: Sketch, stop_at: Any, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted, match="Stopped at step 14 of 20; saved"):
        sketch(observer=stop_at(13))
    assert Run(tmp_path / "run").newest(pytest.fail).step == 14


def test_a_run_starts_with_a_checkpoint_of_step_zero(sketch: Sketch) -> None:
    run = sketch(settings={"keep": 9})
    assert read(next(listed(run.path / "checkpoints"))).step == 0


class TestDiskFull:
    @staticmethod
    def _full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def test_during_a_checkpoint_leaves_the_last_one_and_says_so(
        self, sketch: Sketch, monkeypatch: pytest.MonkeyPatch, last_tensors: Any
    ) -> None:
        whole = sketch(out="whole")
        real, calls = files.write_tensors, []

        def write_tensors(*args: Any, **kwargs: Any) -> None:
            calls.append(1)
            if len(calls) == 4:
                real(*args, **kwargs)
                self._full()
            real(*args, **kwargs)

        monkeypatch.setattr(checkpoint, "write_tensors", write_tensors)
        with pytest.raises(
            RunError, match=r"disk under .* is full\. The last checkpoint is intact"
        ):
            sketch(out="full")
        monkeypatch.undo()
        path = whole.path.with_name("full")
        assert [p.name for p in listed(path / "checkpoints")][-1] == "step-000000010"
        assert not list(path.rglob(".writing-*"))
        a, b = last_tensors(whole), last_tensors(sketch(resume=path))
        assert all(torch.equal(a[name], b[name]) for name in a)

    def test_during_metrics_or_samples_says_how_to_go_on(
        self, sketch: Sketch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, target in (
            ("append", "gan_toolkit.run.os.write"),
            ("draw", "PIL.Image.Image.save"),
        ):
            monkeypatch.setattr(target, self._full)
            with pytest.raises(RunError, match="gantk train --resume"):
                sketch(out=name)
            monkeypatch.undo()

    def test_at_the_start_leaves_no_run_behind(
        self, sketch: Sketch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(checkpoint, "write_tensors", self._full)
        with pytest.raises(RunError, match="Nothing was started"):
            sketch(out="never")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounts a small disk")
    def test_a_really_full_disk(self, tmp_path: Path, pictures: Tensor) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)],
            capture_output=True,
            check=False,
        )
        if mounted.returncode:
            pytest.skip("this machine lets nobody mount")
        try:
            settings = {"steps": 40, "batch": 8, "arch.width": 8, "checkpoint_every": 2, "keep": 99}
            with pytest.raises(RunError, match="is full"):
                gan_toolkit.train(arch="dcgan", data=pictures, settings=settings, out=disk / "run")
            found = Run(disk / "run").newest(pytest.fail)
            assert found.step >= 2
            assert gan_toolkit.load(disk / "run").sample(1).isfinite().all()
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)


class TestNotANumber:
    SETTINGS: ClassVar[dict[str, Any]] = {"terms.bad": {"name": "exploding", "after": 27}}

    def test_the_run_goes_back_and_names_step_and_tensor(
        self, sketch: Sketch, tmp_path: Path
    ) -> None:
        with pytest.raises(Diverged) as told:
            sketch(settings=self.SETTINGS)
        # Two moves a step: the 28th is G's of step 14.
        assert "first at step 14 in generator.bad.bad" in str(told.value)
        assert "last good checkpoint, step 10" in str(told.value)
        assert "--set updates.discriminator.optimiser.lr=" in str(told.value)
        run = Run(tmp_path / "run")
        *rows, last = run.rows()
        assert [row["step"] for row in rows] == [3, 6, 9]
        assert last == {"step": 14, "diverged": "generator.bad.bad"}
        assert run.newest(pytest.fail).step == 10

    def test_nothing_bad_becomes_a_checkpoint_between_two_rows(
        self, sketch: Sketch, tmp_path: Path
    ) -> None:
        settings = {**self.SETTINGS, "log_every": 100, "checkpoint_every": 1, "keep": 99}
        with pytest.raises(Diverged, match="first at step 14"):
            sketch(settings=settings)
        for path in listed(tmp_path / "run" / "checkpoints"):
            assert all(t.isfinite().all() for t in read(path).tensors.values())


class TestSignals:
    @pytest.mark.usefixtures("interruptible")
    def test_a_second_signal_is_not_swallowed(self, sketch: Sketch) -> None:
        class Twice(gan_toolkit.Observer):
            def advanced(self, step: int) -> None:
                for _ in range(2 if step == 2 else 0):
                    os.kill(os.getpid(), signal.SIGINT)
                    time.sleep(0.1)  # two at once may be delivered as one

        with pytest.raises(KeyboardInterrupt):
            sketch(observer=Twice())

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_the_command_saves_says_how_to_go_on_and_exits(
        self, number: int, code: int, tmp_path: Path
    ) -> None:
        command = [sys.executable, "-m", "gan_toolkit", "train", "--arch", "dcgan", "--data"]
        command += ["digits", "--set", "arch.width=4", "--steps", "100000", "--out", "run"]
        child = subprocess.Popen(
            command,
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "GANTK_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"},
            text=True,
        )
        metrics = tmp_path / "run" / "metrics.jsonl"
        deadline = time.monotonic() + 90
        while not (metrics.exists() and metrics.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
        assert child.returncode == code
        assert "`gantk train --resume run`" in err
        assert "Traceback" not in err
        assert out == ""
        assert Run(tmp_path / "run").newest(pytest.fail).step >= 50


class TestDamageOutsideCheckpoints:
    """One damaged byte anywhere in a run folder must not cost the run."""

    @pytest.mark.parametrize("damage", [b"x", b"\xff", b'{"id": "0", "check": "0"}\n', b""])
    def test_a_damaged_identity_is_restored(
        self, damage: bytes, sketch: Sketch, stop_at: Any
    ) -> None:
        run = sketch()
        good = (run.path / "run.json").read_bytes()
        (run.path / "run.json").write_bytes(damage)
        observer = stop_at(-1)
        sketch(resume=run.path, settings={"steps": 24}, observer=observer)
        assert observer.warnings[0].startswith("run.json was damaged; restored")
        assert (run.path / "run.json").read_bytes() == good

    def test_a_damaged_line_of_metrics_costs_that_line(self, sketch: Sketch) -> None:
        run = sketch()
        lines = (run.path / "metrics.jsonl").read_bytes().splitlines(keepends=True)
        lines[2] = b"\xff" + lines[2]
        lines[3] = b"[1]\n"
        (run.path / "metrics.jsonl").write_bytes(b"".join(lines))
        sketch(resume=run.path, settings={"steps": 24})
        assert [row["step"] for row in run.rows()] == [3, 6, 15, 18, 20, 21, 24]

    def test_a_damaged_recipe_says_where_it_stands_too(self, sketch: Sketch) -> None:
        run = sketch()
        run.recipe_path.write_bytes(b"\xff\xfe")
        with pytest.raises(RunError, match=r"state\.json holds the recipe too"):
            sketch(resume=run.path)

    def test_a_disk_that_is_still_full_is_told_on_resume(
        self, sketch: Sketch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = sketch()
        monkeypatch.setattr(Run, "cut_back", TestDiskFull._full)
        with pytest.raises(RunError, match="is full"):
            sketch(resume=run.path, settings={"steps": 30})

    def test_a_users_own_file_among_checkpoints_is_left_alone(self, sketch: Sketch) -> None:
        run = sketch()
        notes = run.path / "checkpoints" / "step-notes.txt"
        notes.write_text("mine", encoding="utf-8")
        sketch(resume=run.path, settings={"steps": 24})
        assert notes.read_text(encoding="utf-8") == "mine"
