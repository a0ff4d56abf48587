"""Where the weights of the Inception network come from, and what is done with wrong ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import torch

from gan_toolkit.errors import DataError
from gan_toolkit.streams import global_stream
from gantk_inception import weights
from gantk_inception.extractor import Inception
from gantk_inception.network import COUNTER, InceptionV3
from gantk_inception.weights import NAME, TWIN, obtain

Page = Callable[[BaseHTTPRequestHandler], None]
Serve = Callable[[Mapping[str, Page]], str]

PUBLISHED = (weights.SHA256, weights.URLS)
CONTENT = b"as good as weights, for who only asks for their hash"


@pytest.fixture(autouse=True)
def other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take `CONTENT` for the weights, from nowhere, and leave torch's own folder alone."""
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(weights, "URLS", ("http://127.0.0.1:9/nothing",))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "*")


def sent(content: bytes, log: list[str]) -> Page:
    def page(handler: BaseHTTPRequestHandler) -> None:
        log.append(handler.path)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return page


def test_the_hash_begins_as_torchs_hub_writes_it_into_both_names() -> None:
    digest, urls = PUBLISHED
    assert len(digest) == 64
    assert [url.rpartition("/")[2] for url in urls] == [NAME, TWIN]
    assert all(name.endswith(f"-{digest[:8]}.pth") for name in (NAME, TWIN))
    assert Inception.sha256 == digest


def test_weights_are_downloaded_once_told_of_and_kept(
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    log: list[str] = []
    monkeypatch.setattr(weights, "URLS", (serve({"/w": sent(CONTENT, log)}) + "/w",))
    path = obtain()
    assert path == tmp_path / "cache" / "inception" / NAME
    assert path.read_bytes() == CONTENT
    assert "96 MB" in caplog.text
    assert obtain() == path
    assert log == ["/w"]


def test_a_damaged_download_is_fetched_again(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(weights, "URLS", (serve({"/w": sent(CONTENT, [])}) + "/w",))
    obtain().write_bytes(CONTENT[:-1])
    assert obtain().read_bytes() == CONTENT
    assert "is damaged or something else" in caplog.text


def test_the_second_place_is_asked_when_the_first_sends_something_else(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = serve({"/wrong": sent(b"<html>", []), "/w": sent(CONTENT, [])})
    monkeypatch.setattr(weights, "URLS", (f"{base}/wrong", f"{base}/w"))
    assert obtain().read_bytes() == CONTENT


def test_other_weights_are_refused_with_what_to_do(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "URLS", (serve({"/w": sent(CONTENT + b"!", [])}) + "/w",))
    with pytest.raises(DataError, match=r"something else \(SHA-256 .*\n.*GANTK_DATA") as caught:
        Inception().open()
    assert "gantk list extractor" in str(caught.value)
    assert not (tmp_path / "cache" / "inception" / NAME).exists()


@pytest.mark.parametrize("name", [NAME, TWIN])
@pytest.mark.parametrize("place", ["GANTK_DATA", "torch/hub/checkpoints"])
def test_a_file_that_lies_here_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, name: str
) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    (folder / name).write_bytes(CONTENT)
    if place == "GANTK_DATA":
        monkeypatch.setenv("GANTK_DATA", str(folder))
    assert obtain() == folder / name


@pytest.mark.parametrize("counters", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
def test_published_weights_find_their_places_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, counters: bool, zipped: bool
) -> None:
    with global_stream(0, "test"):
        network = InceptionV3().eval()
    state = {n: t for n, t in network.state_dict().items() if counters or not n.endswith(COUNTER)}
    path = tmp_path / NAME
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setenv("GANTK_DATA", str(tmp_path))
    before = torch.get_rng_state()
    opened = Inception().open()
    assert torch.equal(torch.get_rng_state(), before)
    assert not opened.training
    pixels = torch.randint(256, (1, 3, 299, 299), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features, _ = network((pixels - 128) / 128)
        torch.testing.assert_close(opened(pixels / 127.5 - 1).features, features)


@pytest.mark.parametrize("change", ["missing", "left over"])
def test_a_state_of_other_layers_is_not_taken(change: str) -> None:
    network = InceptionV3()
    state = dict(network.state_dict())
    if change == "missing":
        del state["Mixed_7c.branch1x1.conv.weight"]
    else:
        state["AuxLogits.fc.weight"] = torch.zeros(1)
    with pytest.raises(RuntimeError, match=r"Missing key|Unexpected key"):
        network.take(state)
