"""Nothing gets out of a check, no connection, program or file; after it all is as before."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from gan_toolkit.testing.stages.surroundings import is_sentence, offline, own_cache, own_home


def test_a_connection_is_refused_and_noted_while_offline_and_made_again_after() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with offline() as refused, pytest.raises(OSError, match="no network"):
            socket.create_connection(("127.0.0.1", port))
        assert refused == ["127.0.0.1"]
        socket.create_connection(("127.0.0.1", port)).close()


def test_a_library_that_asks_is_told_what_a_machine_without_network_tells_it() -> None:
    with offline() as refused, pytest.raises(urllib.error.URLError, match="no network"):
        urllib.request.urlopen("http://example.org")
    assert refused == ["example.org"]


def test_a_program_is_not_begun() -> None:
    with offline() as refused, pytest.raises(PermissionError, match="no further program"):
        subprocess.run([sys.executable, "-c", ""], check=False)
    assert refused == [f"the program {sys.executable}"]


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no such sockets here")
def test_sockets_of_this_machine_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # such a name may have few letters
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind("socket")
        server.listen()
        with offline() as refused:
            client.connect("socket")
        assert refused == []


def test_caches_and_homes_are_empty_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANTK_CACHE", raising=False)
    before = Path.home(), Path.cwd()
    with own_cache():
        cache = Path(os.environ["GANTK_CACHE"])
        assert list(cache.iterdir()) == []
    with own_home() as home:
        assert Path.home() == home == Path.cwd()
        (home / "left").touch()
    assert "GANTK_CACHE" not in os.environ
    assert (Path.home(), Path.cwd()) == before
    assert not cache.exists()
    assert not home.exists()


@pytest.mark.parametrize(
    "text", ["", "ENOENT", "no such file", " It is gone.", 3, "Traceback at x."]
)
def test_what_is_no_sentence_is_known(text: object) -> None:
    assert not is_sentence(text)
    assert is_sentence("No 'x'. See `gantk list`.")
