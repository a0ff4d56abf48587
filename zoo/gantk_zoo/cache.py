"""The Hub's own cache on this machine, laid out as its client lays it out.

    models--OWNER--NAME/refs/main                    the commit that a revision meant last
    models--OWNER--NAME/blobs/HASH                   the content of a file
    models--OWNER--NAME/snapshots/COMMIT/FILE        a link to it

A file takes its name only when its hash is right, so nothing partial is ever loaded.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gan_toolkit.files import replaced, sync
from gan_toolkit.places import locked, writing
from gantk_zoo.names import is_commit, is_digest

SETTING = "HF_HOME"
"""The variable that says where the cache lies."""
NO_LINKS = {errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
"""What a file system without links answers, and Windows to a user who may not make any."""


def folder() -> Path:
    """Return the cache; `HF_HOME` and `HF_HUB_CACHE` move it."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def git_sha1(size: int) -> hashlib._Hash:
    """Return what hashes a file of `size` bytes as git does."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def hashing(digest: str, size: int) -> Callable[[], hashlib._Hash]:
    """Return what makes a hash of the kind of `digest`, for a file of `size` bytes."""
    return hashlib.sha256 if len(digest) == 64 else functools.partial(git_sha1, size)


class Repository:
    """What is cached of one repository."""

    def __init__(self, repo: str) -> None:
        self.repo = repo
        self.path = folder() / f"models--{repo.replace('/', '--')}"

    def commit(self, revision: str) -> str | None:
        """Return the commit that a revision is, or meant when the Hub was last asked."""
        if is_commit(revision):
            return revision
        with suppress(OSError):
            found = self._ref(revision).read_text(encoding="utf-8").strip()
            return found if is_commit(found) else None
        return None

    def remember(self, revision: str, commit: str) -> None:
        """Write down what a revision means now."""
        ref = self._ref(revision)
        if not is_commit(revision) and self.commit(revision) != commit:
            with suppress(OSError):  # `a` was a branch, and `a/b` is one now: it is asked for again
                ref.parent.mkdir(parents=True, exist_ok=True)
                with replaced(ref) as temporary:
                    temporary.write_text(commit, encoding="utf-8")

    def snapshot(self, commit: str) -> Path:
        """Return the folder of a commit, there or not."""
        return self.path / "snapshots" / commit

    def has(self, commit: str, name: str, digest: str = "") -> bool:
        """Return whether a file of a commit is here and intact; a damaged one is removed.

        A copy, where there are no links, is compared with `digest` if that is known: its own name
        does not tell. Raises `DataError` when the damaged one cannot be removed.
        """
        link = self.snapshot(commit) / name
        if not link.is_file():
            return False
        if link.is_symlink():
            blob = link.resolve()
            if blob.parent != self.blob("").resolve() or not is_digest(blob.name):
                return False  # somebody else's: neither trusted nor touched
            digest = blob.name
        if not digest or _is_intact(link, digest):
            return True
        blob = self.blob(digest)
        lock = blob.with_name(f"{digest}.lock")
        with writing(self.path, name, SETTING), locked(lock, f"mending {name}"):
            if _is_intact(link, digest):  # by now: another process had the lock
                return True
            if not _is_intact(blob, digest):
                blob.unlink(missing_ok=True)
            link.unlink(missing_ok=True)
        return False

    def blob(self, digest: str) -> Path:
        """Return where content of a hash lies, there or not."""
        return self.path / "blobs" / digest

    def link(self, commit: str, name: str, digest: str) -> None:
        """Give content its name in a commit."""
        link, blob = self.snapshot(commit) / name, self.blob(digest)
        link.parent.mkdir(parents=True, exist_ok=True)
        temporary = link.with_name(f".{uuid.uuid4().hex}")  # threads and containers share names
        try:
            try:
                temporary.symlink_to(os.path.relpath(blob, link.parent))
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                shutil.copyfile(blob, temporary)
                sync(temporary)
            temporary.replace(link)
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self) -> int:
        """Remove all that is cached of it; return the number of bytes that were freed."""
        freed = sum(
            file.stat().st_size
            for file in self.path.rglob("*")
            if file.is_file() and not file.is_symlink()
        )
        shutil.rmtree(self.path)
        return freed

    def _ref(self, revision: str) -> Path:
        return self.path.joinpath("refs", *(part for part in revision.split("/") if part != ".."))


def _is_intact(file: Path, digest: str) -> bool:
    """Return whether a file is there and has the hash."""
    try:
        with file.open("rb") as content:
            found = hashlib.file_digest(content, hashing(digest, file.stat().st_size))
    except FileNotFoundError:  # another process removes it just now
        return False
    return found.hexdigest() == digest


def repositories() -> list[Repository]:
    """Return every model repository that holds something, sorted."""
    names = sorted(path.name for path in folder().glob("models--*--*") if path.is_dir())
    return [Repository("/".join(name.split("--", 2)[1:])) for name in names]
