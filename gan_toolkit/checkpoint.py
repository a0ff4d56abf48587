"""Checkpoints: everything a run is, as safetensors and JSON, checksummed, written whole or not.

checkpoints/step-000000500/
    state.safetensors     every tensor of `TrainState`
    state.json            counters, recipe, data fingerprint, versions, SHA-256 of both files
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from gan_toolkit.errors import CheckpointError, RunError
from gan_toolkit.files import new_folder, sha256_of, write_tensors
from gan_toolkit.state import Tensors

FORMAT = 1
TENSORS, MANIFEST = "state.safetensors", "state.json"
BROKEN = "broken-"

Manifest = dict[str, Any]
"""The contents of state.json. Any: it carries the recipe's TOML values."""


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint."""

    path: Path
    tensors: Tensors
    manifest: Manifest

    @property
    def step(self) -> int:
        """Steps made."""
        return int(self.manifest["step"])

    @property
    def nimg(self) -> int:
        """Real images drawn."""
        return int(self.manifest["nimg"])


def save(folder: Path, tensors: Tensors, manifest: Manifest) -> Path:
    """Write one checkpoint below `folder`, complete or not at all, and return its path."""
    path = folder / f"step-{manifest['step']:09d}"
    with new_folder(path) as temporary:
        target = temporary / TENSORS
        write_tensors(target, tensors)
        body = {**manifest, "format": FORMAT, "sha256": sha256_of(target)}
        (temporary / MANIFEST).write_text(_render(body), encoding="utf-8")
    return path


def read(path: Path) -> Checkpoint:
    """Return a checkpoint after checking every byte. Raises `CheckpointError` with the fault."""
    manifest = _manifest(path)
    target = path / TENSORS
    try:
        if sha256_of(target) != manifest["sha256"]:
            raise CheckpointError(f"{TENSORS} does not match its checksum")
        tensors = load_file(target)
    except FileNotFoundError as error:
        raise CheckpointError(f"{TENSORS} is missing") from error
    except SafetensorError as error:
        raise CheckpointError(f"{TENSORS} cannot be read ({error})") from error
    return Checkpoint(path, tensors, manifest)


def newest(folder: Path, run: str, note: Callable[[str], None]) -> Checkpoint:
    """Return the newest usable checkpoint of a run.

    Each one that is torn or damaged is named through `note`, set aside as `broken-…`, and the one
    before it is tried; another run's is named and left where it is. Raises `CheckpointError` when
    none is left.
    """
    for path in reversed(list(listed(folder))):
        try:
            checkpoint = read(path)
        except CheckpointError as error:
            aside = path.with_name(f"{BROKEN}{path.name}")
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            note(
                f"Checkpoint {path.name} is unusable: {error}. Set aside; using the one before it."
            )
            continue
        if checkpoint.manifest.get("run") == run:
            return checkpoint
        note(f"Checkpoint {path.name} belongs to another run; using the one before it.")
    raise CheckpointError(
        f"No usable checkpoint in {folder}. Start again with "
        f"`gantk train --recipe {folder.parent / 'recipe.toml'}`."
    )


def owner(folder: Path) -> str:
    """Return the run that the newest intact checkpoint belongs to. Raises `CheckpointError`."""
    for path in reversed(list(listed(folder))):
        with suppress(CheckpointError):
            return str(_manifest(path)["run"])
    raise CheckpointError(f"No intact checkpoint in {folder}; nothing says whose it is.")


def manifests(folder: Path) -> Iterator[Manifest]:
    """Yield what the intact manifests of a folder say, newest first; nothing is moved for it."""
    for path in reversed(list(listed(folder))):
        with suppress(CheckpointError, RunError):
            yield _manifest(path)


def prune(folder: Path, keep: int, run: str) -> None:
    """Remove all but the `keep` newest checkpoints of a run; another run's are left alone."""
    for path in [path for path in listed(folder) if _owner(path) in {run, None}][:-keep]:
        shutil.rmtree(path, ignore_errors=True)


def _owner(path: Path) -> str | None:
    """Return the run that a checkpoint says it belongs to, None when it is damaged."""
    with suppress(CheckpointError, RunError):
        return str(_manifest(path)["run"])
    return None


def listed(folder: Path) -> Iterator[Path]:
    """Yield the checkpoints of a folder, oldest first."""
    yield from sorted(path for path in folder.glob("step-" + 9 * "[0-9]") if path.is_dir())


def _manifest(path: Path) -> Manifest:
    try:
        text = (path / MANIFEST).read_text(encoding="utf-8")
        body = {key: value for key, value in json.loads(text).items() if key != "self"}
        if text != _render(body):  # every byte counts, white space too
            raise CheckpointError(f"{MANIFEST} does not match its checksum")
        if body["format"] != FORMAT:
            raise RunError(  # not damage: nothing may be set aside for it
                f"'{path}' has checkpoint format {body['format']}, "
                f"this gan-toolkit reads {FORMAT}. "
                "Use the version that wrote it, or a newer one."
            )
    except FileNotFoundError as error:
        raise CheckpointError(f"{MANIFEST} is missing") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{MANIFEST} is damaged ({type(error).__name__})") from error
    return body


def _render(body: Manifest) -> str:
    digest = hashlib.sha256(json.dumps(body).encode()).hexdigest()
    return json.dumps({**body, "self": digest}, indent=1) + "\n"
