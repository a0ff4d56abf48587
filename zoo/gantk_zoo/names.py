"""How a model on the Hub is named: `owner/repo`, `owner/repo@revision`, `hf://owner/repo`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from gan_toolkit.errors import UsageError

SCHEME = "hf://"
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_NAME = re.compile(rf"(?P<repo>{_PART}/{_PART})(?:@(?P<revision>[^\s@]+))?")
_COMMIT = re.compile("[0-9a-f]{40}")


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


def hub_name(reference: str) -> HubName | None:
    """Return the repository that a reference names, None when it looks like a path.

    `runs/x` is taken for a path where there is a folder `runs`: a slip must not ask a network.
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
    elif found is None or not _sound(found["repo"]) or Path(plain.partition("/")[0]).is_dir():
        return None
    return HubName(found["repo"], found["revision"] or "main")


def repository(reference: str) -> str:
    """Return `reference` when it is `owner/name`. Raises `UsageError` when the Hub has no such."""
    if _NAME.fullmatch(reference) is None or "@" in reference or not _sound(reference):
        raise UsageError(
            f"'{reference}' is no name of a repository. Write OWNER/NAME, of letters, digits, "
            "'-', '_' and '.', 96 characters each at most."
        )
    return reference


def _sound(repo: str) -> bool:
    """Return whether the Hub takes such a name: no '--', no '..', not '.git' at the end."""
    return not ("--" in repo or ".." in repo or repo.endswith((".git", ".safetensors")))
