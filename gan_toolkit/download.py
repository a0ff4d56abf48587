"""One file from the first mirror that has it: resumed, checked, and there whole or not at all."""

from __future__ import annotations

import functools
import hashlib
import http.client
import queue
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO

from gan_toolkit.data import Progress, silent
from gan_toolkit.deadline import within
from gan_toolkit.errors import DataError
from gan_toolkit.files import sync
from gan_toolkit.places import locked, writing

CHUNK = 1 << 16
TRIES = 3
"""How often one mirror may cut the connection before the next one is asked."""
SLOWEST = 1024
"""Bytes a second below which a mirror counts as stalled."""

MOST_DIGITS = 20
"""Digits of a length that can be one."""
BUSY = {408, 429, 500, 502, 503, 504}
"""Answers after which the same mirror may do better a little later."""
PATIENCE_S = 10.0
"""The longest pause before it is asked again."""

Decode = Callable[[Path], BinaryIO]
"""Opens a downloaded file as the content that is checked: `gzip.open`, say."""


Told = Callable[[int, int | None], None]
"""Told how many bytes have come, of how many."""


def as_is(path: Path) -> BinaryIO:
    """Open a file as it is."""
    return path.open("rb")


@dataclass(frozen=True)
class Remote:
    """A file that can be fetched, and how to know it."""

    urls: Sequence[str]
    digest: str
    """Of the decoded content, so that it does not matter how a mirror compressed it."""
    max_bytes: int
    """Bound of what is downloaded, and of what that is decoded to."""
    decode: Decode = as_is
    hashing: Callable[[], hashlib._Hash] = hashlib.sha256
    """Makes what hashes the content."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent along; `Authorization` never goes to another origin than that of the URL."""


class _Failed(Exception):
    """Why a mirror is given up."""


class _Cut(_Failed):
    """The mirror stopped in the middle; what came is kept, and it is asked again after a pause."""

    def __init__(self, reason: str, pause_s: float = 0.0) -> None:
        super().__init__(reason)
        self.pause_s = min(pause_s, PATIENCE_S)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects as browsers do: a token stays with the origin that it was meant for."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request to make instead."""
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is None:
            return None
        before, after = (urllib.parse.urlsplit(each.full_url) for each in (req, request))
        if after.scheme not in {"http", "https"}:
            raise ValueError(f"it sends on to '{newurl}', which is no web address")
        if before.scheme == "https" and after.scheme != "https":
            raise ValueError(f"it sends on to '{newurl}', which is not encrypted")
        if (before.scheme, before.netloc) != (after.scheme, after.netloc):
            request.remove_header("Authorization")
        return request


_opener = urllib.request.build_opener(_Redirects)


def fetch(
    remote: Remote,
    destination: Path,
    *,
    advice: str,
    progress: Progress = silent,
    stall_s: float = 20.0,
    name: str = "",
    setting: str = "GANTK_CACHE",
) -> None:
    """Make `destination` hold the remote file, unless it is there already.

    An unfinished download lies beside it as `.part`, one for each mirror, and is continued by the
    next call or process. `stall_s` is how long a mirror may stay silent; `name` and `setting` are
    what messages call the file and the variable that says where it is kept. Raises `DataError`
    that lists what every mirror said and ends in `advice`.
    """
    name = name or destination.name
    told = functools.partial(progress, f"Downloading {name}")
    reasons = []
    with (
        writing(destination.parent, name, setting),
        locked(destination.with_name(f"{destination.name}.lock"), f"downloading {name}"),
    ):
        for url in remote.urls:
            if destination.exists():  # by now: another process had the lock
                return
            try:
                part = _from_mirror(url, remote, destination, told, stall_s)
            except _Failed as failure:
                reasons.append(f"\n  - {url}: {failure}")
                continue
            sync(part)
            part.replace(destination)
            sync(destination.parent)
            return
    raise DataError(f"{name} could not be downloaded:{''.join(reasons)}\n{advice}")


def reachable(urls: Sequence[str], timeout_s: float, *, begins: bytes) -> str | None:
    """Return the first of `urls` whose answer `begins` so, or None within `timeout_s` in all.

    A log-in page that answers in a file's place does not begin as the file does.
    """
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def ask(url: str) -> None:
        try:
            wanted = {"Range": f"bytes=0-{len(begins) - 1}"}
            with _opened(url, wanted, timeout_s) as answer:
                answers.put(url if answer.read(len(begins)) == begins else None)
        except (OSError, http.client.HTTPException, ValueError):
            answers.put(None)

    for url in urls:  # daemons: a name server that hangs must not keep the process alive
        threading.Thread(target=ask, args=(url,), daemon=True).start()
    deadline = time.monotonic() + timeout_s
    for _ in urls:
        try:
            answer = answers.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            return None
        if answer is not None:
            return answer
    return None


def _part(url: str, destination: Path) -> Path:
    mirror = hashlib.sha256(url.encode()).hexdigest()[:8]
    return destination.with_name(f".{destination.name}.{mirror}.part")


def _from_mirror(
    url: str, remote: Remote, destination: Path, progress: Told, stall_s: float
) -> Path:
    """Return a finished and checked `.part`. Raises `_Failed`."""
    part = _part(url, destination)
    resumed = part.exists()
    if resumed and _problem(part, remote) is None:  # stopped before it was given its name
        return part
    for attempt in range(TRIES):
        try:
            _transfer(url, remote, part, progress, stall_s)
        except _Cut as cut:
            if attempt + 1 == TRIES:
                raise
            time.sleep(min(cut.pause_s * 2**attempt, PATIENCE_S))
            resumed = part.exists()
            continue
        problem = _problem(part, remote)
        if problem is None:
            return part
        part.unlink()
        if not resumed:
            raise _Failed(problem)
        resumed = False  # the old part may have belonged to an older file: once more, whole
    raise _Failed("it kept sending something else")


def _transfer(url: str, remote: Remote, part: Path, progress: Told, stall_s: float) -> None:
    """Append to `part` what it lacks. Raises `_Failed`, or `OSError` when it cannot be written."""
    have, max_bytes = part.stat().st_size if part.exists() else 0, remote.max_bytes
    with _answer(url, remote.headers, have, part, stall_s) as response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0  # the server ignores ranges and sends the whole file
        length = response.headers.get("Content-Length", "")
        sized = length.isdecimal() and len(length) < MOST_DIGITS
        total = have + int(length) if sized else None
        if total is not None and total > max_bytes:
            raise _Failed(f"it offers {total} bytes, more than the {max_bytes} expected")
        try:
            with part.open("ab" if have else "wb") as file:
                for chunk in _chunks(response, stall_s):
                    have += len(chunk)
                    if have > max_bytes:
                        raise _Failed(f"it sends more than the {max_bytes} bytes expected")
                    file.write(chunk)
                    progress(have, total)
        except OSError:
            part.unlink(missing_ok=True)  # the disk is full, most likely: give the space back
            raise
    if total is not None and have < total:
        raise _Cut(f"it broke off after {have} of {total} bytes")


def _answer(
    url: str, headers: Mapping[str, str], have: int, part: Path, stall_s: float
) -> http.client.HTTPResponse:
    """Return the response to a request for all bytes after the first `have`."""
    try:
        wanted = {"Range": f"bytes={have}-"} if have else {}
        response = _opened(url, {**headers, **wanted}, stall_s)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()  # it is as long as the file or longer: the next try takes it whole
            raise _Cut("it has no more bytes than were here") from error
        if error.code in BUSY:
            wait = error.headers.get("Retry-After", "")
            pause_s = float(wait) if wait.isdecimal() else 0.5
            raise _Cut(f"HTTP {error.code} {error.reason}", pause_s) from error
        raise _Failed(f"HTTP {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _told(error, stall_s) from error
    sent = response.headers.get("Content-Range", f"bytes {have}-")
    if response.status == http.HTTPStatus.PARTIAL_CONTENT and not sent.startswith(f"bytes {have}-"):
        response.close()
        part.unlink(missing_ok=True)
        raise _Cut("it sent another range than the one asked for")
    return response


def _chunks(response: http.client.HTTPResponse, stall_s: float) -> Iterator[bytes]:
    """Yield the body as it comes. Raises `_Failed` when it stops or comes too slowly."""
    since, received = time.monotonic(), 0
    while True:
        try:
            chunk = response.read1(CHUNK)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _told(error, stall_s) from error
        if not chunk:
            return
        yield chunk
        received += len(chunk)
        elapsed = time.monotonic() - since
        if elapsed > stall_s:
            if received < SLOWEST * elapsed:
                raise _Failed(f"it is too slow: {received} bytes in {elapsed:.1f} s")
            since, received = time.monotonic(), 0


def _told(error: Exception, stall_s: float) -> _Failed:
    """Return a network error in a few words."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return _Failed(f"no answer within {stall_s:g} s")
    if isinstance(cause, ConnectionResetError | http.client.HTTPException):
        return _Cut("it cut the connection")
    return _Failed(str(cause))


def _opened(url: str, headers: dict[str, str], timeout_s: float) -> http.client.HTTPResponse:
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"'{url}' is no web address")
    request = urllib.request.Request(url, headers={"User-Agent": "gan-toolkit", **headers})  # noqa: S310  # checked above
    # The time-out is for each word of an answer: headers that drip would be waited for without end.
    response: http.client.HTTPResponse = within(
        timeout_s,
        functools.partial(_opener.open, request, timeout=timeout_s),
        late=http.client.HTTPResponse.close,
    )
    return response


def _problem(part: Path, remote: Remote) -> str | None:
    """Return what is wrong with a finished download, or None."""
    digest, size = remote.hashing(), 0
    try:
        with remote.decode(part) as content:
            while chunk := content.read(CHUNK):
                size += len(chunk)
                if size > remote.max_bytes:
                    return f"it decodes to more than the {remote.max_bytes} bytes expected"
                digest.update(chunk)
    except (EOFError, OSError, zlib.error) as error:
        return f"it sent something that cannot be decoded ({error})"
    found = digest.hexdigest()
    if found != remote.digest:
        kind = digest.name.upper().replace("SHA", "SHA-")
        return f"it sent something else ({kind} {found[:12]}…, not {remote.digest[:12]}…)"
    return None
