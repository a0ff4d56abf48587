"""Folders of their own for every test, a real web server, and the real data if it is here."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Page = Callable[[BaseHTTPRequestHandler], None]

REAL_DATA = os.environ.get("GANTK_DATA")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache and data folder out of it."""
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GANTK_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that GANTK_DATA names, an empty one."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("GANTK_DATA", str(folder))
    return folder


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that GANTK_DATA named when the tests were started."""
    if not REAL_DATA:
        pytest.skip("GANTK_DATA is not set: no real data to test with")
    monkeypatch.setenv("GANTK_DATA", REAL_DATA)
    return Path(REAL_DATA)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are the point of many tests."""


@pytest.fixture
def serve() -> Iterator[Callable[[Mapping[str, Page]], str]]:
    """Start a server that answers paths by functions; return its address."""
    servers: list[_Server] = []

    def start(pages: Mapping[str, Page]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = pages.get(self.path)
                if page is None:
                    self.send_error(404)
                else:
                    page(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
                """Say nothing."""

        server = _Server(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
