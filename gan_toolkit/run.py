"""The run folder: where a run's files are, and how they come to be there."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock

from gan_toolkit import checkpoint
from gan_toolkit.checkpoint import Checkpoint, Manifest
from gan_toolkit.errors import RunError
from gan_toolkit.files import new_folder, replaced, sweep, sync
from gan_toolkit.recipe import Values
from gan_toolkit.resolve import read_recipe
from gan_toolkit.state import Tensors

RECIPE, IDENTITY, METRICS, SCORES = "recipe.toml", "run.json", "metrics.jsonl", "scores.jsonl"
CHECKPOINTS, SAMPLES, TRACES, PLOTS, BEST = "checkpoints", "samples", "traces", "plots", "best"
BEST_SCORE = "score.json"
"""Beside the weights in `best`: the score that they were chosen by, and its step."""
TIMES = ("seconds", "images_per_second")
"""Fields of a metrics row that depend on the clock; all others are the same on every replay."""

Row = dict[str, Any]
"""One line of metrics.jsonl. Any: JSON values."""
Evaluations = list[dict[str, Any]]
"""The lines of scores.jsonl: `step` and plain `scores`. Any: as above."""


class Run:
    """An existing run folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        identity = path / IDENTITY
        if not identity.is_file():
            raise RunError(
                f"'{path}' is no run: it has no {IDENTITY}. "
                "Name the folder that `gantk train` printed as its run."
            )
        self.id = _read_identity(identity)
        """What every checkpoint of this run carries; none when the file was damaged."""
        self._metrics: Appended | None = None

    @classmethod
    def create(cls, path: Path, recipe: str, tensors: Tensors, manifest: Manifest) -> Run:
        """Make a run folder that holds its recipe and its checkpoint of step 0, all at once."""
        cls.refuse_existing(path)
        identity = uuid.uuid4().hex
        with new_folder(path) as folder:
            (folder / RECIPE).write_text(recipe, encoding="utf-8")
            (folder / IDENTITY).write_text(_identity(identity), encoding="utf-8")
            (folder / METRICS).touch()
            (folder / SAMPLES).mkdir()
            (folder / CHECKPOINTS).mkdir()
            checkpoint.save(folder / CHECKPOINTS, tensors, {**manifest, "run": identity})
        return cls(path)

    @staticmethod
    def refuse_existing(path: Path) -> None:
        """Raise `RunError` unless a run can be made at `path`."""
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunError(
                f"'{path}' exists already and is never overwritten. Choose another --out, or go on "
                f"with `gantk train --resume {path}`."
            )

    @staticmethod
    def fresh_path(parent: Path, stem: str) -> Path:
        """Return `parent/stem`, or the first of `stem-2`, `stem-3` … that is free."""
        path, number = parent / stem, 1
        while path.exists():
            number += 1
            path = parent / f"{stem}-{number}"
        return path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run against a second trainer. Raises `RunError` when another process has it."""
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise RunError(f"Another process is training '{self.path}'. Stop it first.") from error
        try:
            yield
        finally:
            lock.release()

    @property
    def recipe_path(self) -> Path:
        """The resolved recipe."""
        return self.path / RECIPE

    def recipe(self) -> Values:
        """Return the recipe's values as they stand in the folder."""
        try:
            text = self.recipe_path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(
                f"{self.recipe_path} cannot be read: {error}. The newest checkpoint's state.json "
                "holds the recipe too."
            ) from error
        return read_recipe(text, str(self.recipe_path))

    def rewrite_recipe(self, text: str) -> None:
        """Replace the recipe: a run was extended."""
        with replaced(self.recipe_path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def save(self, tensors: Tensors, manifest: Manifest, keep: int) -> Path:
        """Write a checkpoint, then remove those beyond the `keep` newest."""
        for file in (self.path / METRICS, self.path / SCORES):
            if file.exists():
                sync(file)
        folder = self.path / CHECKPOINTS
        path = checkpoint.save(folder, tensors, {**manifest, "run": self.id})
        checkpoint.prune(folder, keep, str(self.id))
        return path

    def newest(self, note: Callable[[str], None]) -> Checkpoint:
        """Return the newest usable checkpoint; see `checkpoint.newest`."""
        sweep(self.path)
        sweep(self.path / CHECKPOINTS)
        for folder in (SAMPLES, TRACES, PLOTS):
            sweep(self.path / folder)
        if self.id is None:
            self.id = checkpoint.owner(self.path / CHECKPOINTS)
            with replaced(self.path / IDENTITY) as temporary:
                temporary.write_text(_identity(self.id), encoding="utf-8")
            note(f"{IDENTITY} was damaged; restored from the newest intact checkpoint.")
        return checkpoint.newest(self.path / CHECKPOINTS, self.id, note)

    def append(self, row: Row) -> None:
        """Add one row to the metrics; the system has it when this returns."""
        if self._metrics is None:
            self._metrics = Appended(self.path / METRICS)
        self._metrics.add(row)

    def close(self) -> None:
        """Close the metrics; the next row opens them again."""
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None

    def rows(self) -> list[Row]:
        """Return the metrics so far; lines that a kill tore or the disk damaged are left out."""
        return _lines(self.path / METRICS)

    def append_evaluation(self, evaluation: Row) -> None:
        """Add the scores of one evaluation."""
        file = Appended(self.path / SCORES)
        file.add(evaluation)
        file.close()

    def evaluations(self) -> Evaluations:
        """Return the evaluations so far, as plain values; damaged lines are left out."""
        return [line for line in _lines(self.path / SCORES) if isinstance(line.get("scores"), list)]

    @property
    def best(self) -> Path:
        """Return where the weights of the best evaluation lie, if there was any."""
        return self.path / BEST

    def cut_back(self, step: int) -> None:
        """Drop metrics and scores of steps after `step`; replaying writes them again."""
        self.close()
        for file in (self.path / METRICS, self.path / SCORES):
            if file.exists():
                kept = [json.dumps(row) + "\n" for row in _lines(file) if row["step"] <= step]
                with replaced(file) as temporary:
                    temporary.write_text("".join(kept), encoding="utf-8")

    def sample_path(self, step: int) -> Path:
        """Return where the sample grid of a step lies."""
        return self.path / SAMPLES / f"step-{step:09d}.png"

    def trace_path(self, step: int) -> Path:
        """Return where the trace of a step lies, for data that are points."""
        return self.path / TRACES / f"step-{step:09d}.safetensors"

    def sample_paths(self) -> list[Path]:
        """Return the sample grids in order."""
        return sorted((self.path / SAMPLES).glob("step-*.png"))

    def trace_paths(self) -> list[Path]:
        """Return the traces in order."""
        return sorted((self.path / TRACES).glob("step-*.safetensors"))


def step_of(path: Path) -> int:
    """Return the step of a sample grid or a trace, from its name."""
    return int(path.stem.rpartition("-")[2])


class Appended:
    """A file that is open for lines to come, with no buffer that a kill could lose."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._handle = os.open(path, flags, 0o644)
        self.close = weakref.finalize(self, os.close, self._handle)
        """Closes the file, which happens by itself when nobody holds it any more."""

    def add(self, row: Row) -> None:
        """Add a line."""
        line = (json.dumps(row) + "\n").encode()
        if os.write(self._handle, line) != len(line):
            raise OSError(28, os.strerror(28))


def _lines(path: Path) -> list[Row]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    rows = []
    for line in text.splitlines():
        with suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict) and isinstance(row.get("step"), int):
                rows.append(row)
    return rows


def _identity(run: str) -> str:
    check = hashlib.sha256(run.encode()).hexdigest()[:16]
    return json.dumps({"id": run, "check": check}) + "\n"


def _read_identity(path: Path) -> str | None:
    with suppress(ValueError, KeyError, TypeError):
        text = path.read_text(encoding="utf-8")
        run = str(json.loads(text)["id"])
        if text == _identity(run):
            return run
    return None


def find_run(reference: str | Path) -> Run:
    """Return the run at a path. Raises `RunError` with what to type instead."""
    path = Path(reference)
    if not path.exists():
        raise RunError(f"No run at '{path}'. Runs lie below runs/ unless --out said otherwise.")
    return Run(path)
