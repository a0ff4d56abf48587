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
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

UPLOAD_S = 60.0
"""How long an upload may take …"""
SLOWEST = 32_768
"""… beside a second for every so many bytes."""
RACES = 5
"""How often another process may take the next version before ours."""


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
        size = sum((folder / name).stat().st_size for name in _held(folder))
        commit, new = ask(upload, repo, revision, seconds=UPLOAD_S + size / SLOWEST)
        tag = _tagged(hub, repo, commit, new=new)
    return Published(repo, url, commit, tag)


def _tagged(hub: HfApi, repo: str, commit: str, *, new: bool) -> str:
    """Give a commit the next free version and return it; empty when it needs none.

    That is one with a version, or somebody else's that left the files of the last one as they were.
    """
    tag = ""
    for _ in range(RACES):
        refs = ask(lambda: hub.list_repo_refs(repo), repo)
        versions = {_number(each.name): each for each in refs.tags if _number(each.name)}
        if commit in {each.target_commit for each in versions.values()}:
            return tag
        last = max(versions, default=0)
        if not (new or tag) and last and _same(hub, repo, versions[last].name, commit):
            return ""
        tag = f"v{last + 1}"  # if another process takes it meanwhile, the next turn sees that
        create = functools.partial(hub.create_tag, repo, tag=tag, revision=commit, exist_ok=True)
        ask(create, repo)
    raise HubError(
        f"Commit {commit[:12]} of '{repo}' is there, but the Hub does not keep a tag for it. "
        "Publish again later: nothing is uploaded twice."
    )


def _same(hub: HfApi, repo: str, *revisions: str) -> bool:
    """Return whether revisions hold the same `FILES`, by git's hashes."""
    about = functools.partial(hub.model_info, repo, files_metadata=True, timeout=TIMEOUT_S)
    held = []
    for revision in revisions:
        siblings = ask(functools.partial(about, revision=revision), repo, revision).siblings or ()
        held.append({each.rfilename: each.blob_id for each in siblings if each.rfilename in FILES})
    return all(each == held[0] for each in held)


def _upload(hub: HfApi, folder: Path, repo: str, revision: str) -> tuple[str, bool]:
    """Make the commit; return it and whether it is new.

    A try after one whose answer was lost finds nothing to change.
    """
    before = hub.model_info(repo, revision=revision, timeout=TIMEOUT_S)
    there = {each.rfilename for each in before.siblings or ()}
    try:
        made = hub.create_commit(
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
    return made.oid, made.oid != before.sha


def _operations(folder: Path, there: set[str]) -> list[CommitOperationAdd | CommitOperationDelete]:
    """Return what makes a repository hold the files of a bundle and no stale one."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    here = _held(folder)
    stale = [name for name in FILES if name in there and name not in here]
    return [
        *(CommitOperationAdd(name, (folder / name).read_bytes()) for name in here),
        *(CommitOperationDelete(name) for name in stale),
    ]


def _held(folder: Path) -> list[str]:
    """Return which of `FILES` a packed bundle holds."""
    return [name for name in FILES if (folder / name).is_file()]


def check_login(repo: str) -> None:
    """Raise `HubError` when nobody is logged in, before any work is done."""
    with speaking(repo):
        ask(api().whoami, repo)


def _number(tag: str) -> int:
    """Return the number of a version's tag: 3 of v3, 0 of any other."""
    return int(tag[1:]) if tag[:1] == "v" and tag[1:].isdecimal() else 0
