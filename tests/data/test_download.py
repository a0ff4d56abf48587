from __future__ import annotations

import gzip
import hashlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan_toolkit import download
from gan_toolkit.download import Remote, fetch, reachable
from gan_toolkit.errors import DataError

Page = Callable[[BaseHTTPRequestHandler], None]
Serve = Callable[[Mapping[str, Page]], str]

CONTENT = bytes(range(256)) * 1200  # 300 KB
ADVICE = "Use `--data digits`."


def remote(*urls: str, content: bytes = CONTENT, max_bytes: int = 400_000) -> Remote:
    return Remote(urls, hashlib.sha256(content).hexdigest(), max_bytes)


def asked_from(handler: BaseHTTPRequestHandler) -> int:
    match = re.fullmatch(r"bytes=(\d+)-\d*", handler.headers.get("Range", ""))
    return int(match[1]) if match else 0


def whole(
    content: bytes = CONTENT, log: list[int] | None = None, *, ranges: bool = True, send: int = -1
) -> Page:
    """A page that sends `content`, or only `send` bytes a time of what it announces."""

    def page(handler: BaseHTTPRequestHandler) -> None:
        start = asked_from(handler)
        if log is not None:
            log.append(start)
        if not ranges:
            start = 0
        if start >= len(content):
            handler.send_error(416)
            return
        handler.send_response(206 if start else 200)
        if start:
            last = len(content) - 1
            handler.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start:] if send < 0 else content[start : start + send])

    return page


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    for byte in CONTENT[:400]:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.02)


def leftovers(destination: Path) -> list[str]:
    return sorted(p.name for p in destination.parent.iterdir() if p.name.endswith(".part"))


def test_a_file_arrives_whole_with_progress(serve: Serve, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    destination = tmp_path / "new" / "file.bin"
    url = serve({"/f": whole()}) + "/f"
    fetch(
        remote(url),
        destination,
        advice=ADVICE,
        progress=lambda what, done, total: told.append((what, done, total)),
    )
    assert destination.read_bytes() == CONTENT
    assert told[-1] == ("Downloading file.bin", len(CONTENT), len(CONTENT))
    assert leftovers(destination) == []


def test_a_file_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    destination = tmp_path / "file.bin"
    destination.write_bytes(b"here")
    fetch(remote("http://127.0.0.1:9/f"), destination, advice=ADVICE)
    assert destination.read_bytes() == b"here"


def test_a_cut_body_is_continued_where_it_broke(serve: Serve, tmp_path: Path) -> None:
    log: list[int] = []
    destination = tmp_path / "file.bin"
    fetch(remote(serve({"/f": whole(log=log, send=120_000)}) + "/f"), destination, advice=ADVICE)
    assert destination.read_bytes() == CONTENT
    assert log == [0, 120_000, 240_000]


def test_a_killed_download_is_continued_by_the_next_process(serve: Serve, tmp_path: Path) -> None:
    log: list[int] = []
    begun = {"slow": True}

    def page(handler: BaseHTTPRequestHandler) -> None:
        if not begun["slow"]:
            whole(log=log)(handler)
            return
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT[:100_000])
        handler.wfile.flush()
        time.sleep(10)

    url = serve({"/f": page}) + "/f"
    destination = tmp_path / "file.bin"
    process = fetching_process(url, destination)
    part = download._part(url, destination)
    deadline = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size > 8192) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not destination.exists()
    have = part.stat().st_size
    begun["slow"] = False
    fetch(remote(url), destination, advice=ADVICE)
    assert log == [have]
    assert destination.read_bytes() == CONTENT


def test_a_download_that_was_stopped_before_it_got_its_name_is_not_asked_for_again(
    tmp_path: Path,
) -> None:
    url, destination = "http://127.0.0.1:9/f", tmp_path / "file.bin"
    download._part(url, destination).write_bytes(CONTENT)
    fetch(remote(url), destination, advice=ADVICE)
    assert destination.read_bytes() == CONTENT


def test_a_length_that_is_none_and_a_way_that_leads_off_the_web_are_told(
    serve: Serve, tmp_path: Path
) -> None:
    def long(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "9" * 5000)
        handler.end_headers()

    def astray(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "ftp://127.0.0.1:9/f")
        handler.end_headers()

    base = serve({"/long": long, "/astray": astray, "/f": whole()})
    destination = tmp_path / "file.bin"
    with pytest.raises(DataError, match="which is no web address"):
        fetch(remote(f"{base}/astray"), destination, advice=ADVICE)
    fetch(remote(f"{base}/long", f"{base}/f"), destination, advice=ADVICE)
    assert destination.read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_is_read_from_the_start(serve: Serve, tmp_path: Path) -> None:
    destination = tmp_path / "file.bin"
    url = serve({"/f": whole(ranges=False)}) + "/f"
    download._part(url, destination).write_bytes(CONTENT[:1000])
    fetch(remote(url), destination, advice=ADVICE)
    assert destination.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_dropped(serve: Serve, tmp_path: Path) -> None:
    destination = tmp_path / "file.bin"
    url = serve({"/f": whole()}) + "/f"
    download._part(url, destination).write_bytes(CONTENT + b"more")
    fetch(remote(url), destination, advice=ADVICE)
    assert destination.read_bytes() == CONTENT


def test_an_answer_with_another_range_is_not_appended(serve: Serve, tmp_path: Path) -> None:
    def page(handler: BaseHTTPRequestHandler) -> None:
        if not asked_from(handler):
            whole()(handler)
            return
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}")
        handler.send_header("Content-Length", str(len(CONTENT) - 7))
        handler.end_headers()
        handler.wfile.write(CONTENT[7:])

    destination = tmp_path / "file.bin"
    url = serve({"/f": page}) + "/f"
    download._part(url, destination).write_bytes(CONTENT[:1000])
    fetch(remote(url), destination, advice=ADVICE)
    assert destination.read_bytes() == CONTENT


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(part=st.integers(0, 5000).map(lambda n: CONTENT[:n]) | st.binary(max_size=5000))
def test_whatever_part_lies_there_the_result_is_right(
    serve: Serve, tmp_path: Path, part: bytes
) -> None:
    content = CONTENT[:4000]
    destination = tmp_path / "file.bin"
    destination.unlink(missing_ok=True)
    url = serve({"/f": whole(content)}) + "/f"
    download._part(url, destination).write_bytes(part)
    fetch(remote(url, content=content), destination, advice=ADVICE)
    assert destination.read_bytes() == content


def test_the_next_mirror_is_asked_when_one_has_nothing(serve: Serve, tmp_path: Path) -> None:
    base = serve({"/f": whole(), "/other": whole(b"something else")})
    destination = tmp_path / "file.bin"
    fetch(remote(f"{base}/gone", f"{base}/other", f"{base}/f"), destination, advice=ADVICE)
    assert destination.read_bytes() == CONTENT


def test_one_error_lists_every_mirror_with_its_reason(
    serve: Serve, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    base = serve(
        {
            "/wrong": whole(b"x" * 100),
            "/big": whole(bytes(500_000)),
            "/cut": whole(send=0),
            "/drip": drip,
        }
    )
    dead = f"http://127.0.0.1:{free_port()}"
    urls = [f"{base}/{name}" for name in ("gone", "wrong", "big", "cut", "drip")]
    destination = tmp_path / "file.bin"
    with pytest.raises(DataError) as caught:
        fetch(
            remote(*urls, f"{dead}/f", "file:///etc/hostname"),
            destination,
            advice=ADVICE,
            stall_s=0.3,
        )
    first, *lines, last = str(caught.value).splitlines()
    assert first == "file.bin could not be downloaded:"
    assert last == ADVICE
    reasons = [line.partition("/")[2].partition(": ")[2] for line in lines]
    assert reasons[0] == "HTTP 404 Not Found"
    assert reasons[1].startswith("it sent something else (SHA-256 ")
    assert reasons[2] == "it offers 500000 bytes, more than the 400000 expected"
    assert reasons[3] == f"it broke off after 0 of {len(CONTENT)} bytes"
    assert reasons[4].startswith("it is too slow: ")
    assert "refused" in reasons[5]
    assert reasons[6] == "'file:///etc/hostname' is no web address"
    assert not destination.exists()


def test_a_silent_mirror_is_given_up_after_the_stall_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = time.monotonic()
        with pytest.raises(DataError, match=r"no answer within 0\.3 s"):
            fetch(
                remote(f"http://127.0.0.1:{mute.getsockname()[1]}/f"),
                tmp_path / "file.bin",
                advice=ADVICE,
                stall_s=0.3,
            )
    assert time.monotonic() - began < 3


def test_a_body_without_end_stops_at_the_bound(serve: Serve, tmp_path: Path) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(bytes(1 << 16))

    with pytest.raises(DataError, match="it sends more than the 400000 bytes expected"):
        fetch(remote(serve({"/f": endless}) + "/f"), tmp_path / "f", advice=ADVICE)


def opened_gzip(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path))


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (
            gzip.compress(bytes(10_000_000), mtime=0),
            "it decodes to more than the 400000 bytes expected",
        ),
        (gzip.compress(CONTENT, mtime=0)[:-9], "it sent something that cannot be decoded"),
        (b"<html>Sign in to the hotel's network</html>", "cannot be decoded (Not a gzipped file"),
    ],
)
def test_what_does_not_decode_is_refused(
    serve: Serve, tmp_path: Path, sent: bytes, reason: str
) -> None:
    url = serve({"/f": whole(sent)}) + "/f"
    wanted = Remote([url], hashlib.sha256(CONTENT).hexdigest(), 400_000, opened_gzip)
    with pytest.raises(DataError, match=re.escape(reason)):
        fetch(wanted, tmp_path / "f", advice=ADVICE)
    assert leftovers(tmp_path / "f") == []


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Let no file grow beyond `size`, as on a full disk."""
    resource = pytest.importorskip("resource", reason="only Unix can limit the size of files")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_named_and_leaves_nothing(serve: Serve, tmp_path: Path) -> None:
    destination = tmp_path / "file.bin"
    url = serve({"/f": whole()}) + "/f"
    with disk_of(100_000), pytest.raises(DataError, match=r"no space is left.*GANTK_CACHE"):
        fetch(remote(url), destination, advice=ADVICE)
    assert not destination.exists()
    assert leftovers(destination) == []


def fetching_process(url: str, destination: Path) -> subprocess.Popen[bytes]:
    script = (
        "import sys; from pathlib import Path; from gan_toolkit.download import Remote, fetch;"
        "fetch(Remote([sys.argv[1]], sys.argv[2], 400_000), Path(sys.argv[3]), advice='')"
    )
    digest = hashlib.sha256(CONTENT).hexdigest()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", script, url, digest, str(destination)], env=environment
    )


def test_two_processes_download_once(serve: Serve, tmp_path: Path) -> None:
    log: list[int] = []

    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(1)
        whole(log=log)(handler)

    destination = tmp_path / "file.bin"
    url = serve({"/f": slow}) + "/f"
    processes = [fetching_process(url, destination) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert destination.read_bytes() == CONTENT
    assert log == [0]


def test_the_first_mirror_to_answer_is_found(serve: Serve) -> None:
    base = serve({"/f": whole()})
    begins = CONTENT[:2]
    assert reachable([f"{base}/gone", f"{base}/f"], 5, begins=begins) == f"{base}/f"
    assert reachable([f"{base}/gone", "no address"], 5, begins=begins) is None


def test_a_log_in_page_in_a_files_place_is_no_mirror(serve: Serve) -> None:
    base = serve({"/f": whole()})
    assert reachable([f"{base}/f"], 5, begins=b"\x1f\x8b") is None


def test_dead_mirrors_are_found_out_within_the_time_in_all(serve: Serve) -> None:
    def headers_that_never_end(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(100):
            handler.wfile.write(b"X")
            time.sleep(0.05)

    base = serve({"/f": headers_that_never_end})
    with socket.create_server(("127.0.0.1", 0)) as mute:
        urls = [f"http://127.0.0.1:{mute.getsockname()[1]}/{n}" for n in range(3)]
        began = time.monotonic()
        assert reachable([*urls, f"{base}/f"], 0.5, begins=b"x") is None
        assert time.monotonic() - began < 1.0
