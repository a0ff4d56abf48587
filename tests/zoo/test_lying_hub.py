"""A Hub that lies in its answers: one clear error, and nothing outside the cache is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx2
import pytest
import torch
from evidence import held
from fake_hub import FakeHub, Fault, Json
from huggingface_hub import HfApi, constants

import gan_toolkit
from gan_toolkit import bundle
from gantk_zoo.hub import HubError
from gantk_zoo.publish import publish

NAME = "owner/digits"
INFO = r"GET /api/models/"
ALWAYS = 99

Gantk = Callable[..., CompletedProcess[str]]


@pytest.fixture(autouse=True)
def _published(hub: FakeHub, packed: Path) -> None:
    hub.hold(NAME, packed)


def truth(hub: FakeHub, revision: str = "main") -> Json:
    """Return what an honest Hub says of the model."""
    return hub.info(hub.repos[NAME], revision)


def lie(hub: FakeHub, answer: object) -> None:
    """Let the Hub give this answer from now on."""
    hub.faults.append(Fault(INFO, ALWAYS, swap=json.dumps(answer).encode()))


def entry(answer: Json, name: str) -> Any:  # Any: JSON
    """Return what an answer says of a file."""
    return next(each for each in answer["siblings"] if each["rfilename"] == name)


def says_sha(answer: Json, word: object) -> None:
    answer["sha"] = word


def says_name(answer: Json, word: object) -> None:
    answer["id"] = word


def says_git_hash(answer: Json, word: object) -> None:
    entry(answer, bundle.CONFIG)["blobId"] = word


def says_large_hash(answer: Json, word: object) -> None:
    entry(answer, bundle.WEIGHTS)["lfs"]["sha256"] = word


@pytest.mark.parametrize("says", [says_sha, says_name, says_git_hash, says_large_hash])
@pytest.mark.parametrize(
    "word",
    [
        "{victim}",
        "{climbing}",
        "../../x",
        "..",
        "",
        "A" * 40,
        "a" * 41,
        "a" * 39 + "\n",
        5,
        ["a"],
        {},
    ],
    ids=repr,
)
def test_a_word_that_is_no_hash_or_name_is_refused_and_nothing_is_written_or_removed(
    hub: FakeHub, tmp_path: Path, says: Callable[[Json, object], None], word: object
) -> None:
    victim = tmp_path / "outside" / "config.json"
    victim.parent.mkdir()
    victim.write_text("precious", encoding="utf-8")
    blobs = Path(constants.HF_HUB_CACHE) / "models--owner--digits" / "blobs"
    blobs.mkdir(parents=True)
    if isinstance(word, str):
        word = word.format(victim=victim, climbing=os.path.relpath(victim, blobs))
    answer = truth(hub)
    says(answer, word)
    lie(hub, answer)
    before = held(tmp_path)
    for _ in range(2):  # the second time something would have been in the cache
        with pytest.raises(HubError, match="does not speak as the Hub does"):
            gan_toolkit.load(NAME)
    assert held(tmp_path) == before
    assert not [path for path in hub.asked() if "/resolve/" in path]


def test_a_commit_that_was_asked_for_is_never_answered_with_another(
    hub: FakeHub, packed: Path, tmp_path: Path
) -> None:
    first = truth(hub)["sha"]
    shutil.copytree(packed, tmp_path / "other")
    (tmp_path / "other" / "README.md").write_text("---\nlicense: mit\n---\nOther.\n", "utf-8")
    hub.hold(NAME, tmp_path / "other")
    lie(hub, truth(hub))
    assert gan_toolkit.load(NAME).architecture == "cdcgan", "a branch may mean anything"
    with pytest.raises(HubError, match=f"it answered with commit .*, not {first[:12]}"):
        gan_toolkit.load(f"{NAME}@{first}")


@pytest.mark.parametrize("size", [-5, 10**30, "many", 1.5, float("nan"), float("inf"), [1]])
@pytest.mark.parametrize("name", [bundle.CONFIG, bundle.WEIGHTS])
def test_a_size_that_cannot_be_is_refused_before_a_byte_is_asked_for(
    hub: FakeHub, name: str, size: object
) -> None:
    answer = truth(hub)
    entry(answer, name)["size"] = size
    lie(hub, answer)
    with pytest.raises(HubError):
        gan_toolkit.load(NAME)
    assert not [path for path in hub.asked() if "/resolve/" in path and name in path]


@pytest.mark.parametrize("size", [None, 0, 7])
def test_more_than_was_announced_is_not_taken(hub: FakeHub, size: int | None) -> None:
    answer = truth(hub)
    entry(answer, bundle.WEIGHTS)["size"] = size
    lie(hub, answer)
    with pytest.raises(HubError, match=f"more than the {size or 0} expected"):
        gan_toolkit.load(NAME)


def test_a_file_whose_name_climbs_out_is_never_asked_for(
    hub: FakeHub, packed: Path, tmp_path: Path
) -> None:
    answer = truth(hub)
    answer["siblings"] += [
        {"rfilename": name, "size": 3, "blobId": "a" * 40}
        for name in ("../../../victim", "/etc/passwd", "metrics.json/../../x")
    ]
    lie(hub, answer)
    loaded = gan_toolkit.load(NAME)
    assert torch.equal(loaded.sample(2), gan_toolkit.load(packed).sample(2))
    asked = [path.rpartition("/")[2] for path in hub.asked() if "/resolve/" in path]
    assert asked == [bundle.CONFIG, bundle.WEIGHTS]
    assert {path.name for path in tmp_path.iterdir()} == {"hub"}


@pytest.mark.parametrize(
    "answer",
    [
        b"[" * 100_000,
        b"7",
        b'{"siblings": 7}',
        b'{"siblings": [7]}',
        b'{"siblings": [{}]}',
        b'{"siblings": [{"rfilename": {}}]}',
        b'{"siblings": [{"rfilename": "config.json", "lfs": [1]}]}',
        b'{"id": "owner/digits", "sha": null, "siblings": null}',
        b'{"id": "owner/digits", "createdAt": "yesterday"}',
        b"\xff\xfe",
    ],
    ids=lambda answer: str(answer[:50]),
)
def test_an_answer_of_another_form_is_one_message(hub: FakeHub, answer: bytes) -> None:
    hub.faults.append(Fault(INFO, ALWAYS, swap=answer))
    with pytest.raises(HubError, match="does not speak as the Hub does"):
        gan_toolkit.load(NAME)


@pytest.mark.parametrize(
    "models",
    [
        [{"id": "a/b", "tags": ["gan", 5, {}], "sha": "0" * 40}],
        [{"id": "a/b", "tags": 7}],
        [{"id": "a/b", "sha": 5}],
        [{"id": 5}],
        [7],
        {"error": "none today"},
        7,
        "<html>log in</html>",
    ],
    ids=repr,
)
def test_a_list_of_another_form_is_one_message(hub: FakeHub, gantk: Gantk, models: object) -> None:
    hub.faults.append(Fault(r"GET /api/models\?", ALWAYS, swap=json.dumps(models).encode()))
    done = gantk("zoo", "search", "digits")
    assert done.returncode == 1
    assert "does not speak as the Hub does" in done.stderr


def test_names_in_a_list_cannot_steer_a_terminal(hub: FakeHub, gantk: Gantk) -> None:
    hostile = "x\x1b[31m\x07\x9b2J\r\u202e"
    models = [{"id": f"a/{hostile}", "tags": ["gan", hostile, hostile], "sha": hostile}]
    hub.faults.append(Fault(r"GET /api/models\?", ALWAYS, swap=json.dumps(models).encode()))
    done = gantk("zoo", "search", "x")
    assert all(each.isprintable() or each == "\n" for each in done.stdout + done.stderr)


PAGE = b"<html>log in</html>"


@pytest.mark.parametrize(
    ("where", "answer"),
    [
        (r"GET /api/whoami", PAGE),
        (r"POST /api/repos/create", PAGE),
        (r"POST /api/repos/create", b"[7]"),
        (r"GET .*/refs", PAGE),
        (r"GET .*/refs", b"[7]"),
        (r"GET .*/refs", b'{"branches": 7}'),
        (r"GET /api/models/owner/new/revision", b"[7]"),
        (r"POST .*/preupload", PAGE),
        (r"POST .*/preupload", b"{}"),
        (r"POST .*/lfs/objects/batch", PAGE),
    ],
)
def test_publishing_through_a_portal_is_one_message(
    hub: FakeHub,
    packed: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    answer: bytes,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_owner")
    hub.faults.append(Fault(where, ALWAYS, swap=answer))
    with pytest.raises(HubError, match="does not speak as the Hub does"):
        publish(packed, "owner/new")
    assert "owner/new" not in hub.repos or len(hub.repos["owner/new"].commits) == 1


@pytest.mark.parametrize(("command", "code"), [(("list",), 0), (("pull", "o/d"), 1)])
def test_an_address_that_is_none_is_one_message(command: tuple[str, ...], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gan_toolkit", "zoo", *command],
        env={**os.environ, "HF_ENDPOINT": "http://localhost:abc"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert "HF_ENDPOINT is no web address" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_next_page_that_has_no_address_is_one_message(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def astray(*_: object, **__: object) -> None:
        raise httpx2.InvalidURL("Invalid port: 'abc'")

    monkeypatch.setattr(HfApi, "model_info", astray)
    with pytest.raises(HubError, match="Check HF_ENDPOINT"):
        gan_toolkit.load("owner/digits")
