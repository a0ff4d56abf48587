"""Files that are either the old ones or the new ones, never half of each."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

TEMPORARY = ".writing-"
"""How the name of every unfinished file or folder begins."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write; on success it is synced and takes its name."""
    path = path.absolute()  # whose last part is a name, of `.` too
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill; on success all of it is synced and takes the name `path`.

    An existing empty folder is taken over; any other makes the rename fail with `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, suffix=f"-{path.name}", dir=path.parent))
    try:
        temporary.chmod(0o755)
        yield temporary
        for folder, _, names in os.walk(temporary, topdown=False):
            for name in names:
                sync(Path(folder, name))
            sync(Path(folder))
        temporary.rename(path)
        sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file; a full disk is an `OSError`, which its own writer hides."""
    from safetensors.torch import save

    host: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        storage = plain.untyped_storage().data_ptr()
        # Tied or joined weights are written once a name: safetensors refuses shared memory.
        host[name] = plain.clone() if storage in seen else plain
        seen.add(storage)
    path.write_bytes(save(host, dict(metadata) if metadata else None))


def sweep(folder: Path) -> None:
    """Remove what killed writers left unfinished in `folder`."""
    for leftover in folder.glob(f"{TEMPORARY}*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Ask the system to put a file or folder on the disk."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open a folder to sync it
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_full(error: OSError) -> bool:
    """Return whether a write failed because no space is left."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
