from __future__ import annotations

from pathlib import Path

import pytest

from gan_toolkit.errors import UsageError
from gantk_zoo.names import HubName, hub_name, is_commit, repository

COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("owner/digits", HubName("owner/digits", "main")),
        ("hf://owner/digits", HubName("owner/digits", "main")),
        ("owner/digits@v2", HubName("owner/digits", "v2")),
        ("hf://owner/digits@exp/1", HubName("owner/digits", "exp/1")),
        (f"o/d@{COMMIT}", HubName("o/d", COMMIT)),
        ("o.w-n_er/d.i-g", HubName("o.w-n_er/d.i-g", "main")),
    ],
)
def test_a_repository_is_named_by_owner_and_name_with_or_without_scheme_and_revision(
    reference: str, name: HubName
) -> None:
    assert hub_name(reference) == name


@pytest.mark.parametrize(
    "reference",
    [
        "digits",
        "/owner/digits",
        "./digits",
        "../digits",
        "owner/digits/more",
        "owner/digits.safetensors",
        "owner/..",
        "own--er/digits",
        "owner/digits.git",
        "-owner/digits",
        "owner/digits@",
        "owner/ digits",
        "C:\\runs\\x",
        "",
    ],
)
def test_what_looks_like_a_path_or_has_a_forbidden_name_is_no_repository(reference: str) -> None:
    assert hub_name(reference) is None


def test_a_slip_below_a_folder_that_is_here_never_becomes_a_question_to_the_hub(
    tmp_path: Path,
) -> None:
    (tmp_path / "runs").mkdir()
    assert hub_name("runs/dcgan-mnits") is None
    assert hub_name("hf://runs/dcgan-mnits") == HubName("runs/dcgan-mnits")
    assert hub_name("runs/dcgan-mnits", or_path=False) == HubName("runs/dcgan-mnits")


@pytest.mark.parametrize("reference", ["hf://", "hf://digits", "hf://a/b/c", "hf:///etc/passwd"])
def test_the_scheme_with_something_else_behind_it_is_refused_with_the_form_to_use(
    reference: str,
) -> None:
    with pytest.raises(UsageError, match="Write hf://OWNER/NAME"):
        hub_name(reference)


@pytest.mark.parametrize("reference", ["digits", "a/b@v1", "a/b/c", "a/b c", "a/", "/b", "a/b--c"])
def test_only_owner_and_name_can_be_published_to(reference: str) -> None:
    with pytest.raises(UsageError, match="OWNER/NAME"):
        repository(reference)
    assert repository("owner/digits") == "owner/digits"


def test_only_forty_hexadecimal_digits_pin_a_revision() -> None:
    assert is_commit(COMMIT)
    assert not is_commit(COMMIT[:39])
    assert not is_commit("v1")
    assert HubName("o/d", COMMIT).pinned
    assert not HubName("o/d").pinned


def test_the_default_revision_is_left_out_when_a_name_is_shown() -> None:
    assert str(HubName("o/d")) == "o/d"
    assert str(HubName("o/d", "v1")) == "o/d@v1"
