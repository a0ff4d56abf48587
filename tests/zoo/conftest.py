"""A fake Hub that the real client is pointed at, and tiny models to publish."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants

sys.path.insert(0, str(Path(__file__).parent))  # helpers here are no package

from fake_hub import FakeHub

import gan_toolkit
from gantk_zoo.pack import Packing, pack


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny conditional run on the bundled digits."""
    out = tmp_path_factory.mktemp("models") / "run"
    settings = {"steps": 2, "arch.width": 4, "arch.latent": 8}
    gan_toolkit.train(arch="cdcgan", data="digits", settings=settings, out=out)
    return out


@pytest.fixture(scope="session")
def points_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny run on a ring of Gaussians, which has no end."""
    out = tmp_path_factory.mktemp("points") / "run"
    gan_toolkit.train(recipe="ring8", settings={"steps": 2}, out=out)
    return out


@pytest.fixture(scope="session")
def packed(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the pack of the conditional run, named owner/digits; read it only."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = pack(run, tmp_path_factory.mktemp("pack") / "p", Packing("owner/digits", samples=200))
    torch.set_num_threads(threads)
    return folder


@pytest.fixture(autouse=True)
def _own_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the user's Hub out of it: nothing is listened to at this address."""
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    yield
    huggingface_hub.close_session()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """Return a Hub that the client talks to; nobody is logged in."""
    with FakeHub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        yield server
        huggingface_hub.close_session()
        assert server.leaks == []


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Return a function that logs somebody in: `hf_owner`, `hf_other`, or nobody."""

    def to(token: str | None) -> None:
        if token is None:
            monkeypatch.delenv("HF_TOKEN", raising=False)
        else:
            monkeypatch.setenv("HF_TOKEN", token)

    return to
