"""What publishing does when it is asked for something else, or half of it fails."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from fake_hub import FakeHub, Fault
from huggingface_hub import HfApi

import gan_toolkit
from gan_toolkit.errors import UsageError
from gantk_zoo import hub as hub_module
from gantk_zoo import pack as pack_module
from gantk_zoo import publish as publish_module
from gantk_zoo.hub import HubError, Unreachable
from gantk_zoo.pack import FILES, NEIGHBOURS, README
from gantk_zoo.publish import Published, publish

Gantk = Callable[..., CompletedProcess[str]]
NAME = "owner/digits"
COMMIT, TAG = r"POST .*/commit/", r"POST .*/tag/"
ALWAYS = 99
NOT_LOGGED_IN = "You are not logged in to the Hub. Run `hf auth login`."


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of the one who is logged in."""
    monkeypatch.setenv("HF_TOKEN", "hf_owner")
    return "owner"


@pytest.fixture
def other(packed: Path, tmp_path: Path) -> Path:
    """Return a pack that differs from the first one in its card, and has no neighbours."""
    folder = shutil.copytree(packed, tmp_path / "other")
    (folder / NEIGHBOURS).unlink()
    with (folder / README).open("a", encoding="utf-8") as card:
        card.write("\nA second try.\n")
    return folder


@pytest.fixture
def published(hub: FakeHub, owner: str, packed: Path) -> Published:
    """Return what publishing the tiny model did; its owner stays logged in."""
    return publish(packed, NAME)


def state(hub: FakeHub) -> object:
    """Return all that publishing could change."""
    return {
        name: (sorted(repo.commits), dict(repo.branches), dict(repo.tags), repo.private)
        for name, repo in hub.repos.items()
    }


def test_a_public_repository_is_never_taken_for_a_private_one(
    published: Published, hub: FakeHub, other: Path
) -> None:
    before = state(hub)
    for revision in ("main", "trial"):
        with pytest.raises(UsageError, match=r"is public already.*/settings.*--private"):
            publish(other, NAME, private=True, revision=revision)
    assert state(hub) == before


def test_a_private_repository_is_published_to_again_and_stays_private(
    hub: FakeHub, owner: str, packed: Path, other: Path
) -> None:
    publish(packed, NAME, private=True)
    assert publish(other, NAME, private=True).tag == "v2"
    assert publish(packed, NAME).tag == "v3"
    assert hub.repos[NAME].private


@pytest.mark.parametrize("revision", ["v1", "{commit}", "", "a b", "../x", "a/../b", "-x", "a\n"])
def test_only_a_branch_can_be_published_to(
    published: Published, hub: FakeHub, other: Path, revision: str
) -> None:
    before = state(hub)
    with pytest.raises(UsageError, match="branch"):
        publish(other, NAME, revision=revision.format(commit=published.commit))
    assert state(hub) == before


def test_a_revision_that_is_no_branch_makes_no_repository(
    hub: FakeHub, owner: str, packed: Path
) -> None:
    with pytest.raises(UsageError, match="no branch"):
        publish(packed, NAME, revision="a b")
    assert hub.log == []


def test_a_branch_may_have_a_slash(published: Published, hub: FakeHub, other: Path) -> None:
    done = publish(other, NAME, revision="exp/1")
    assert hub.repos[NAME].branches["exp/1"] == done.commit
    assert gan_toolkit.load(f"{NAME}@exp/1").path.parent.name == done.commit


def test_a_file_that_a_new_version_lacks_is_removed_and_the_owner_s_own_stay(
    published: Published, hub: FakeHub, other: Path
) -> None:
    repo = hub.repos[NAME]
    repo.commit("main", {**repo.tree("main"), "demo.py": ("git", b"print()")}, "a demo")
    done = publish(other, NAME)
    kept = {".gitattributes", "demo.py", *FILES} - {NEIGHBOURS}
    assert set(repo.tree(done.commit)) == kept
    assert NEIGHBOURS in repo.tree("v1")


def test_a_tag_that_could_not_be_made_is_made_by_the_next_publish(
    hub: FakeHub, owner: str, packed: Path
) -> None:
    hub.faults.append(Fault(TAG, ALWAYS, status=500))
    with pytest.raises(Unreachable):
        publish(packed, NAME)
    hub.faults.clear()
    done = publish(packed, NAME)
    assert done.tag == "v1"
    assert hub.repos[NAME].tags == {"v1": done.commit}
    assert len(hub.repos[NAME].commits) == 2, "the Hub's own first one, and ours"


@pytest.mark.parametrize("where", [COMMIT, TAG, r"POST /api/repos/create", r"POST .*/preupload"])
@pytest.mark.parametrize("cut", [0, 5])
def test_an_answer_that_is_lost_leaves_one_commit_of_ours_and_one_tag(
    hub: FakeHub, owner: str, packed: Path, where: str, cut: int
) -> None:
    hub.faults.append(Fault(where, cut=cut))
    done = publish(packed, NAME)
    assert hub.faults[0].times == 0, "it was lost"
    assert len(hub.repos[NAME].commits) == 2
    assert hub.repos[NAME].tags == {done.tag: done.commit} == {"v1": done.commit}


def test_an_answer_that_is_lost_does_not_remove_a_stale_file_twice(
    published: Published, hub: FakeHub, other: Path
) -> None:
    hub.faults.append(Fault(COMMIT, cut=5))
    done = publish(other, NAME)
    assert hub.faults[0].times == 0, "it was lost"
    assert len(hub.repos[NAME].commits) == 3
    assert hub.repos[NAME].tags == {"v1": published.commit, "v2": done.commit}


def test_a_silent_question_for_the_user_is_given_up_within_the_deadline(
    hub: FakeHub, owner: str, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "DEADLINE_S", 0.3)
    hub.faults.append(Fault(r"GET /api/whoami", ALWAYS, silent_s=2.0))
    begun = time.monotonic()
    with pytest.raises(Unreachable, match=r"no whole answer within 0\.3 s"):
        publish(packed, NAME)
    assert time.monotonic() - begun < 1.5
    assert hub.repos == {}


def test_a_card_that_the_hub_refuses_is_told_as_such_with_its_reason(
    hub: FakeHub, owner: str, packed: Path
) -> None:
    reason = '"license" must be one of [apache-2.0, mit, …]'
    refusal = {"errors": [{"message": reason}], "warnings": []}
    body = json.dumps(refusal).encode()
    hub.faults.append(Fault(r"POST /api/validate-yaml", ALWAYS, status=400, swap=body))
    with pytest.raises(HubError, match=r"take the card of 'owner/digits': \"license\" must be one"):
        publish(packed, NAME)
    assert len(hub.repos[NAME].commits) == 1


def test_who_is_not_logged_in_is_told_so_and_nothing_else(hub: FakeHub, packed: Path) -> None:
    with pytest.raises(HubError) as caught:
        publish(packed, NAME)
    assert str(caught.value) == NOT_LOGGED_IN
    assert hub.log == []


def test_the_command_says_so_before_it_packs(
    hub: FakeHub, run: Path, gantk: Gantk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was packed")

    monkeypatch.setattr(pack_module, "pack", never)
    done = gantk("publish", run, NAME)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"gantk: {NOT_LOGGED_IN}\n"


@pytest.mark.parametrize("revision", ["", "a b", "../x", "c" * 40])
def test_the_command_refuses_what_is_no_branch_before_it_asks_anybody(
    hub: FakeHub, owner: str, run: Path, gantk: Gantk, revision: str
) -> None:
    done = gantk("publish", run, NAME, f"--revision={revision}")
    assert done.returncode == 2
    assert "is no branch" in done.stderr
    assert hub.log == []


def test_a_commit_of_the_owner_s_that_left_our_files_alone_is_no_new_version(
    published: Published, hub: FakeHub, packed: Path
) -> None:
    repo = hub.repos[NAME]
    theirs = repo.commit("main", {**repo.tree("main"), "demo.py": ("git", b"print()")}, "a demo")
    assert publish(packed, NAME) == published._replace(commit=theirs, tag="")
    assert repo.tags == {"v1": published.commit}


def test_a_version_that_another_process_takes_meanwhile_is_not_ours(
    published: Published, hub: FakeHub, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, create = hub.repos[NAME], HfApi.create_tag

    def raced(self: HfApi, *arguments: str, **options: Any) -> None:  # Any: as the client's
        repo.tags.setdefault("v2", published.commit)
        create(self, *arguments, **options)

    monkeypatch.setattr(HfApi, "create_tag", raced)
    done = publish(other, NAME)
    assert done.tag == "v3"
    assert repo.tags == {"v1": published.commit, "v2": published.commit, "v3": done.commit}


def test_a_hub_that_keeps_no_tag_is_told(
    hub: FakeHub, owner: str, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HfApi, "create_tag", lambda *_, **__: None)
    with pytest.raises(HubError, match="does not keep a tag"):
        publish(packed, NAME)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(r"POST .*/preupload", 99, status=429, headers={"Retry-After": "900"}),
        Fault(COMMIT, 99, silent_s=20),
    ],
    ids=["wait", "silence"],
)
def test_an_upload_that_a_hub_holds_up_is_given_up(
    hub: FakeHub, owner: str, packed: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(publish_module, "UPLOAD_S", 1.0)
    monkeypatch.setattr(publish_module, "SLOWEST", 10**9)
    hub.faults.append(fault)
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="no whole answer within"):
        publish(packed, NAME)
    assert time.monotonic() - begun < 10
