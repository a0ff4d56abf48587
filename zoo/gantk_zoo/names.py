"""How a model on the Hub is named: `owner/repo`, `owner/repo@revision`, `hf://owner/repo`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from gan_toolkit.errors import UsageError

SCHEME = "hf://"
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_REVISION = r"[A-Za-z0-9][\w.+/-]*"
_NAME = re.compile(rf"(?P<repo>{_PART}/{_PART})(?:@(?P<revision>{_REVISION}))?")
_COMMIT = re.compile("[0-9a-f]{40}")
_DIGEST = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


class HubName(NamedTuple):
    """A repository on the Hub at a branch, a tag or a commit."""

    repo: str
    revision: str = "main"

    def __str__(self) -> str:
        return self.repo if self.revision == "main" else f"{self.repo}@{self.revision}"

    @property
    def pinned(self) -> bool:
        """Whether the revision means the same for ever."""
        return is_commit(self.revision)


def is_commit(revision: str) -> bool:
    """Return whether a revision is a whole commit hash."""
    return _COMMIT.fullmatch(revision) is not None


def is_digest(text: str) -> bool:
    """Return whether a text is git's SHA-1 of a file, or its SHA-256."""
    return _DIGEST.fullmatch(text) is not None


def is_repository(text: str) -> bool:
    """Return whether a text is `owner/name` as the Hub has them."""
    found = _NAME.fullmatch(text)
    return found is not None and found["revision"] is None and _sound(text)


def hub_name(reference: str, *, or_path: bool = True) -> HubName | None:
    """Return the repository that a reference names, None when it looks like a path.

    `runs/x` is taken for a path where there is a folder `runs`: a slip must not ask a network.
    Where no path can be meant (`or_path`) it is a repository all the same.
    Raises `UsageError` for `hf://` with something else behind it.
    """
    plain = reference.removeprefix(SCHEME)
    found = _NAME.fullmatch(plain)
    if plain != reference:
        if found is None or not _sound(found["repo"]):
            raise UsageError(
                f"'{reference}' names no repository. Write hf://OWNER/NAME or "
                "hf://OWNER/NAME@REVISION."
            )
    elif (
        found is None
        or not _sound(found["repo"])
        or (or_path and Path(plain.partition("/")[0]).is_dir())
    ):
        return None
    return HubName(found["repo"], found["revision"] or "main")


def repository(reference: str) -> str:
    """Return `reference` when it is `owner/name`. Raises `UsageError` when the Hub has no such."""
    if not is_repository(reference):
        raise UsageError(
            f"'{reference}' is no name of a repository. Write OWNER/NAME, of letters, digits, "
            "'-', '_' and '.', 96 characters each at most."
        )
    return reference


def branch(revision: str) -> str:
    """Return `revision` when it can be a branch to publish to. Raises `UsageError`."""
    if re.fullmatch(_REVISION, revision) is None or ".." in revision or is_commit(revision):
        raise UsageError(
            f"'{revision}' is no branch. Write a name of letters, digits, '-', '_', '.', '+' and "
            "'/', or leave --revision out for main."
        )
    return revision


def _sound(repo: str) -> bool:
    """Return whether the Hub takes such a name: no '--', no '..', not '.git' at the end."""
    return not ("--" in repo or ".." in repo or repo.endswith((".git", ".safetensors")))
