"""Put a packed model on the Hub: one commit, one tag, nothing when nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gantk_zoo.hub import api, ask
from gantk_zoo.names import is_commit
from gantk_zoo.pack import FILES


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

    The next free tag of v1, v2 … is put on the new commit. Raises `HubError`.
    """
    from huggingface_hub import CommitOperationAdd

    hub = api()
    ask(hub.whoami, repo)
    ask(lambda: hub.create_repo(repo, private=private, exist_ok=True), repo)
    if revision != "main" and not is_commit(revision):
        ask(lambda: hub.create_branch(repo, branch=revision, exist_ok=True), repo)
    before = ask(lambda: hub.model_info(repo, revision=revision), repo, revision).sha
    files = [
        CommitOperationAdd(name, (folder / name).read_bytes())
        for name in FILES
        if (folder / name).is_file()
    ]
    note(f"Uploading {len(files)} files to {repo} …")
    made = ask(
        lambda: hub.create_commit(
            repo, files, commit_message="Publish with gan-toolkit", revision=revision
        ),
        repo,
        revision,
    )
    url = f"{hub.endpoint}/{repo}"
    if made.oid == before:
        return Published(repo, url, made.oid, "")
    tag = _next_tag([ref.name for ref in ask(lambda: hub.list_repo_refs(repo), repo).tags])
    ask(lambda: hub.create_tag(repo, tag=tag, revision=made.oid), repo)
    return Published(repo, url, made.oid, tag)


def _next_tag(taken: list[str]) -> str:
    numbers = [int(tag[1:]) for tag in taken if tag[:1] == "v" and tag[1:].isdecimal()]
    return f"v{max(numbers, default=0) + 1}"
