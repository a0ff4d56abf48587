"""The life of a model on the Hub, by the real client against a Hub of ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from evidence import held, traces
from fake_hub import FakeHub
from huggingface_hub import HfApi, constants

import gan_toolkit
from gan_toolkit.errors import BundleError
from gantk_zoo import listing
from gantk_zoo.hub import HubError
from gantk_zoo.pack import FILES, Packing, pack
from gantk_zoo.publish import Published, publish

Login = Callable[[str | None], None]
Gantk = Callable[..., CompletedProcess[str]]
NAME = "owner/digits"


@pytest.fixture
def published(hub: FakeHub, login: Login, packed: Path) -> Published:
    """Return what publishing the tiny model did; its owner stays logged in."""
    login("hf_owner")
    return publish(packed, NAME)


def other_pack(run: Path, folder: Path) -> Path:
    """Return a pack that differs from the first one in its note alone."""
    return pack(run, folder / "other", Packing(NAME, samples=200, note="A second try."))


def test_a_published_model_loads_in_one_line_and_makes_the_same_samples(
    published: Published, packed: Path
) -> None:
    assert published.tag == "v1"
    loaded = gan_toolkit.load(NAME)
    assert torch.equal(loaded.sample(5, seed=3), gan_toolkit.load(packed).sample(5, seed=3))


@pytest.mark.parametrize("reference", [f"hf://{NAME}", f"{NAME}@v1", f"{NAME}@main"])
def test_scheme_tag_and_branch_all_name_it(published: Published, reference: str) -> None:
    assert gan_toolkit.load(reference).architecture == "cdcgan"


def test_publishing_is_one_commit_of_the_files_that_may_be_published(
    published: Published, hub: FakeHub
) -> None:
    repo = hub.repos[NAME]
    assert len(repo.commits) == 2, "the Hub's own first one, and ours"
    assert set(repo.tree("main")) == {".gitattributes", *FILES}
    assert repo.tags == {"v1": published.commit}


def test_publishing_the_same_bits_again_makes_no_commit_and_no_tag(
    published: Published, hub: FakeHub, packed: Path
) -> None:
    again = publish(packed, NAME)
    assert again == published._replace(tag="")
    assert len(hub.repos[NAME].commits) == 2
    assert list(hub.repos[NAME].tags) == ["v1"]


def test_a_new_version_and_the_old_one_both_load(
    published: Published, hub: FakeHub, run: Path, tmp_path: Path
) -> None:
    second = publish(other_pack(run, tmp_path), NAME)
    assert second.tag == "v2"
    assert second.commit != published.commit
    paths = [gan_toolkit.load(f"{NAME}@{tag}").path.parent.name for tag in ("v1", "v2")]
    assert paths == [published.commit, second.commit]


def test_a_branch_is_made_when_it_is_published_to(
    published: Published, hub: FakeHub, run: Path, tmp_path: Path
) -> None:
    done = publish(other_pack(run, tmp_path), NAME, revision="trial")
    assert hub.repos[NAME].branches["trial"] == done.commit
    assert hub.repos[NAME].branches["main"] == published.commit


def test_nothing_that_was_uploaded_names_this_machine_its_user_or_a_path(
    published: Published, hub: FakeHub, packed: Path, run: Path
) -> None:
    for name, (kind, data) in hub.repos[NAME].tree("main").items():
        content = hub.lfs[data.decode()] if kind == "lfs" else data
        assert traces(name, content, run, packed) == []
    assert len(hub.lfs) == 3, "the weights and two pictures: nothing was uploaded beside the tree"


def test_loading_asks_for_the_two_files_it_needs_and_for_nothing_twice(
    published: Published, hub: FakeHub
) -> None:
    hub.log.clear()
    gan_toolkit.load(NAME)
    at = f"/{NAME}/resolve/{published.commit}"
    asked = [path for path in hub.asked() if "/cdn/" not in path]
    assert asked == [
        f"/api/models/{NAME}/revision/main?blobs=true",
        f"{at}/config.json",
        f"{at}/model.safetensors",
    ]
    hub.log.clear()
    gan_toolkit.load(NAME)
    assert hub.asked() == [f"/api/models/{NAME}/revision/main?blobs=true"]


def test_a_commit_that_is_cached_is_loaded_without_a_word_to_the_hub(
    published: Published, hub: FakeHub
) -> None:
    gan_toolkit.load(NAME)
    hub.log.clear()
    gan_toolkit.load(f"{NAME}@{published.commit}")
    gan_toolkit.load(NAME, offline=True)
    assert hub.log == []


def test_the_environment_s_switch_forbids_the_network(
    published: Published, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    gan_toolkit.load(NAME)
    hub.log.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    gan_toolkit.load(NAME)
    with pytest.raises(HubError, match=r"not cached here.*gantk zoo pull owner/nothing"):
        gan_toolkit.load("owner/nothing")
    assert hub.log == []


def test_the_real_client_finds_in_its_cache_what_was_fetched(published: Published) -> None:
    gan_toolkit.load(NAME)
    found = HfApi().snapshot_download  # the client's own reader of its cache
    folder = found(NAME, local_files_only=True, allow_patterns=["config.json"])
    assert (Path(folder) / "model.safetensors").is_file()
    from huggingface_hub import scan_cache_dir

    cache = scan_cache_dir(constants.HF_HUB_CACHE)
    assert [repo.repo_id for repo in cache.repos] == [NAME]
    assert not cache.warnings


def test_a_private_model_is_seen_by_its_owner_alone(
    hub: FakeHub, login: Login, packed: Path
) -> None:
    login("hf_owner")
    publish(packed, NAME, private=True)
    assert gan_toolkit.load(NAME).architecture == "cdcgan"
    for token in ("hf_other", None):
        login(token)
        with pytest.raises(HubError, match=r"knows no model 'owner/digits'.*hf auth login"):
            gan_toolkit.load(f"{NAME}@main")


def test_a_gated_model_says_how_to_ask_for_access_and_loads_once_it_is_granted(
    published: Published, hub: FakeHub, login: Login
) -> None:
    hub.repos[NAME].gated = "manual"
    login("hf_other")
    with pytest.raises(HubError, match=r"gated.*Ask for access at .*/owner/digits"):
        gan_toolkit.load(NAME)
    hub.repos[NAME].grants.add("other")
    assert gan_toolkit.load(NAME).architecture == "cdcgan"


def test_a_renamed_model_loads_by_its_old_name_with_a_word_about_the_new_one(
    published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    HfApi(endpoint=constants.ENDPOINT).move_repo(NAME, "owner/numbers")
    assert gan_toolkit.load(NAME).architecture == "cdcgan"
    assert "'owner/digits' is now called 'owner/numbers'" in caplog.text


def test_a_deleted_model_says_so_when_asked_for_and_works_offline(
    published: Published,
) -> None:
    gan_toolkit.load(NAME)
    HfApi(endpoint=constants.ENDPOINT).delete_repo(NAME)
    with pytest.raises(HubError, match="knows no model"):
        gan_toolkit.load(NAME)
    assert gan_toolkit.load(NAME, offline=True).architecture == "cdcgan"


def test_a_revision_that_is_not_there_is_named(published: Published) -> None:
    with pytest.raises(HubError, match=r"no revision 'v9'.*commits/main"):
        gan_toolkit.load(f"{NAME}@v9")


def test_a_repository_that_is_empty_or_another_tool_s_is_refused_before_its_weights(
    hub: FakeHub, login: Login
) -> None:
    login("hf_owner")
    api = HfApi(endpoint=constants.ENDPOINT)
    api.create_repo("owner/empty")
    with pytest.raises(HubError, match="it is empty"):
        gan_toolkit.load("owner/empty")
    api.create_repo("owner/bert")
    api.upload_file(
        path_or_fileobj=b'{"model_type": "bert"}', path_in_repo="config.json", repo_id="owner/bert"
    )
    with pytest.raises(HubError, match=r"it has no model\.safetensors"):
        gan_toolkit.load("owner/bert")
    api.upload_file(
        path_or_fileobj=b"x" * 100, path_in_repo="model.safetensors", repo_id="owner/bert"
    )
    hub.log.clear()
    with pytest.raises(HubError, match="written by something else"):
        gan_toolkit.load("owner/bert")
    assert not [path for path in hub.asked() if "model.safetensors" in path or "/cdn/" in path]


def test_publishing_without_a_token_or_to_somebody_else_is_refused_with_what_to_do(
    hub: FakeHub, login: Login, packed: Path
) -> None:
    login(None)
    with pytest.raises(HubError) as caught:
        publish(packed, NAME)
    assert str(caught.value) == "You are not logged in to the Hub. Run `hf auth login`."
    login("hf_other")
    with pytest.raises(HubError, match=r"You may not do this with 'owner/digits'"):
        publish(packed, NAME)
    login("hf_unknown")
    with pytest.raises(HubError, match="does not accept your token"):
        publish(packed, NAME)
    assert hub.repos == {}


def test_a_path_that_is_here_comes_before_a_name_on_the_hub(
    published: Published,
    hub: FakeHub,
    packed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "digits").symlink_to(packed)
    monkeypatch.chdir(tmp_path)
    hub.log.clear()
    assert gan_toolkit.load(NAME).path == Path("owner/digits/model.safetensors")
    assert hub.log == []


def test_a_name_that_nothing_answers_to_lists_every_form(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"run folder.*owner/repo\[@revision\].*gantk zoo list"):
        gan_toolkit.load("nothing-like-it")


def test_models_are_listed_where_they_are(published: Published, login: Login) -> None:
    assert list(listing.of_cache()) == []
    gan_toolkit.load(NAME)
    login(None)
    (cached,), (there,) = listing.of_cache(), listing.of_hub()
    assert (cached.name, cached.where, cached.commit) == (NAME, "cached", published.commit)
    assert (there.name, there.where, there.architecture, there.data) == (
        NAME,
        "hub",
        "cdcgan",
        "digits",
    )
    assert [entry.name for entry in listing.of_hub("dig")] == [NAME]
    assert list(listing.of_hub("faces")) == []


def test_the_commands_publish_list_show_verify_and_remove(
    hub: FakeHub, login: Login, run: Path, gantk: Gantk
) -> None:
    login("hf_owner")
    done = gantk("publish", run, NAME, "-n", 200)
    assert done.returncode == 0, done.stderr
    assert f'gan_toolkit.load("{NAME}")' in done.stdout
    assert "as v1" in done.stdout
    assert "no commit was made" in gantk("publish", run, NAME, "-n", 200).stdout

    assert gantk("sample", NAME, "-n", 4, "-o", "grid.png").returncode == 0
    rows = json.loads(gantk("zoo", "list", "--json").stdout)
    assert {(row["name"], row["where"]) for row in rows} >= {(NAME, "cached")}
    assert NAME in gantk("zoo", "search", "digits").stdout
    info = json.loads(gantk("zoo", "info", NAME, "--json").stdout)
    assert info["data"] == "digits"
    assert info["scores"][0]["receipt"]["n"] == 200
    verdict = gantk("zoo", "verify", NAME)
    assert verdict.returncode == 0, verdict.stderr
    assert verdict.stdout.splitlines()[-1] == f"{NAME}: match"
    pulled = json.loads(gantk("zoo", "pull", f"{NAME}@v1", "--json").stdout)
    assert Path(pulled["path"]).name == pulled["commit"]
    assert "MB freed" in gantk("zoo", "remove", NAME).stdout
    assert gantk("zoo", "remove", NAME).returncode == 2
    assert gantk("zoo", "pull", NAME).stdout.strip() == pulled["path"]
    assert json.loads(gantk("zoo", "remove", NAME, "--json").stdout)["freed_bytes"] > 10_000


def test_a_dry_run_packs_and_asks_nothing(hub: FakeHub, run: Path, gantk: Gantk) -> None:
    done = gantk("publish", run, NAME, "-n", 200, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout)["files"]) == sorted(FILES)
    assert hub.log == []


@pytest.mark.parametrize("reference", [f"{NAME}@v1", f"hf://{NAME}@v1", f"{NAME}@main"])
def test_a_single_revision_is_never_removed(
    published: Published, gantk: Gantk, tmp_path: Path, reference: str
) -> None:
    gan_toolkit.load(f"{NAME}@v1")
    before = held(tmp_path)
    done = gantk("zoo", "remove", reference)
    assert done.returncode == 2
    assert f"`gantk zoo remove {NAME}`" in done.stderr
    assert held(tmp_path) == before


def test_a_card_can_be_looked_at_before(run: Path, gantk: Gantk) -> None:
    done = gantk("zoo", "card", run, "--name", NAME, "--no-scores", "-o", "card.html")
    assert done.returncode == 0, done.stderr
    assert "<h1>digits</h1>" in Path("card.html").read_text(encoding="utf-8")


def test_listing_without_a_network_warns_and_shows_what_is_here(gantk: Gantk) -> None:
    done = gantk("zoo", "list")
    assert done.returncode == 0
    assert "did not answer" in done.stderr
    assert gantk("zoo", "list", "--offline").stderr == ""
