"""Put a packed model on the Hub: one commit, one tag, nothing when nothing changed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gan_toolkit.errors import UsageError
from gantk_zoo.hub import TIMEOUT_S, HubError, api, ask, speaking
from gantk_zoo.names import branch
from gantk_zoo.pack import FILES

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi


class Published(NamedTuple):
    """What publishing did."""

    repo: str
    url: str
    commit: str
    tag: str
    """Empty when the Hub held the same bits already: no commit was made then."""


def publish(
    folder: Path,
    repo: str,
    *,
    private: bool = False,
    revision: str = "main",
    note: Callable[[str], None] = lambda _: None,
) -> Published:
    """Upload the files of a packed bundle to a repository, made when it is not there.

    What an earlier version had of `FILES` and this one has not is removed. A commit without a
    version gets the next free tag of v1, v2 … Raises `HubError`, or `UsageError` when it would not
    be what was asked for: a tag as branch, a public repository as private one.
    """
    branch(revision)
    check_login(repo)
    hub = api()
    url = f"{hub.endpoint}/{repo}"
    with speaking(repo):
        ask(lambda: hub.create_repo(repo, private=private, exist_ok=True), repo)
        refs = ask(lambda: hub.list_repo_refs(repo), repo)
        if revision in {tag.name for tag in refs.tags}:
            raise UsageError(f"'{revision}' is a tag of '{repo}', and tags stay. Name a branch.")
        if private and not ask(lambda: hub.model_info(repo), repo).private:
            raise UsageError(
                f"'{repo}' is public already. Make it private at {url}/settings, or leave "
                "--private out."
            )
        if revision not in {each.name for each in refs.branches}:
            ask(lambda: hub.create_branch(repo, branch=revision, exist_ok=True), repo)
        note(f"Uploading to {repo} …")
        upload = functools.partial(_upload, hub, folder, repo, revision)
        made = ask(upload, repo, revision, limited=False)  # as long as the line needs
        versions = {tag.name: tag.target_commit for tag in refs.tags if _number(tag.name)}
        if made.oid in versions.values():
            return Published(repo, url, made.oid, "")
        tag = f"v{max(map(_number, versions), default=0) + 1}"
        ask(lambda: hub.create_tag(repo, tag=tag, revision=made.oid, exist_ok=True), repo)
    return Published(repo, url, made.oid, tag)


def _upload(hub: HfApi, folder: Path, repo: str, revision: str) -> CommitInfo:
    """Make the commit; a try after one whose answer was lost finds nothing to change."""
    before = hub.model_info(repo, revision=revision, timeout=TIMEOUT_S)
    there = {each.rfilename for each in before.siblings or ()}
    try:
        return hub.create_commit(
            repo,
            _operations(folder, there),
            commit_message="Publish with gan-toolkit",
            revision=revision,
        )
    except ValueError as error:
        reason = str(error).strip()
        if "README.md" not in reason:
            raise
        told = reason.splitlines()[-1].removeprefix("- ")[:200].rstrip(".")
        raise HubError(
            f"The Hub does not take the card of '{repo}': {told}. Is --licence one that it knows?"
        ) from error


def _operations(folder: Path, there: set[str]) -> list[CommitOperationAdd | CommitOperationDelete]:
    """Return what makes a repository hold the files of a bundle and no stale one."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    here = [name for name in FILES if (folder / name).is_file()]
    stale = [name for name in FILES if name in there and name not in here]
    return [
        *(CommitOperationAdd(name, (folder / name).read_bytes()) for name in here),
        *(CommitOperationDelete(name) for name in stale),
    ]


def check_login(repo: str) -> None:
    """Raise `HubError` when nobody is logged in, before any work is done."""
    with speaking(repo):
        ask(api().whoami, repo)


def _number(tag: str) -> int:
    """Return the number of a version's tag: 3 of v3, 0 of any other."""
    return int(tag[1:]) if tag[:1] == "v" and tag[1:].isdecimal() else 0
