"""What is asked of the Hugging Face Hub, and how each of its failures is told.

HubError(BundleError)     the Hub said no, or not enough
└── Unreachable           it said nothing: what is cached may serve
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from gan_toolkit.deadline import Late, within
from gan_toolkit.errors import BundleError
from gantk_zoo.names import is_commit, is_digest, is_repository

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub import HfApi

LIBRARY = "gantk"
"""`library_name` on the Hub: what `gantk zoo list` filters by."""
TIMEOUT_S = 5.0
DEADLINE_S = 10.0
"""How long one answer may take, however steadily it drips."""
TRIES = 3
PATIENCE_S = 10.0
"""The longest that a `Retry-After` is waited for."""

Answer = TypeVar("Answer")


class HubError(BundleError):
    """The Hub refused, or what it holds is no model of this toolkit."""


class Unreachable(HubError):
    """The Hub did not answer."""


class RemoteFile(NamedTuple):
    """A file of a repository at a commit."""

    name: str
    size: int
    digest: str
    """SHA-256 of a large file, git's SHA-1 of a small one; also its name in the cache."""


class Listing(NamedTuple):
    """What the Hub says of a repository at a revision."""

    repo: str
    commit: str
    files: dict[str, RemoteFile]


def api() -> HfApi:
    """Return a client that says who asks. Raises `HubError` where `HF_ENDPOINT` is no address."""
    try:
        from huggingface_hub import HfApi
    except ValueError as error:  # it reads the address when it is imported
        raise HubError(
            f"HF_ENDPOINT is no web address: {error}. Mend it, or unset it for the Hub itself."
        ) from error
    _keep_token_at_home()
    return HfApi(library_name=LIBRARY, library_version=metadata.version("gan-toolkit"))


def _keep_token_at_home() -> None:
    """Let the client forget the token where it is sent to another origin: by a next page, say.

    Only requests that say that they are ours are looked at: a program may use the client, too.
    """
    from huggingface_hub import get_session

    session = get_session()
    hooks = session.event_hooks
    if _forget_token not in hooks["request"]:
        session.event_hooks = {**hooks, "request": [*hooks["request"], _forget_token]}


def _forget_token(request: httpx2.Request) -> None:
    import httpx2
    from huggingface_hub import constants

    here, home = request.url, httpx2.URL(constants.ENDPOINT)
    ours = f"{LIBRARY}/" in request.headers.get("User-Agent", "")
    if ours and (here.scheme, here.host, here.port) != (home.scheme, home.host, home.port):
        request.headers.pop("Authorization", None)


def offline_by_environment() -> bool:
    """Return whether `HF_HUB_OFFLINE` forbids the network."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def listing(repo: str, revision: str) -> Listing:
    """Return commit and files of a repository. Raises `HubError`."""
    about = functools.partial(
        api().model_info, repo, revision=revision, files_metadata=True, timeout=TIMEOUT_S
    )
    with speaking(repo):
        info = ask(about, repo, revision)
        files = {
            each.rfilename: RemoteFile(
                each.rfilename, each.size or 0, each.lfs.sha256 if each.lfs else each.blob_id or ""
            )
            for each in info.siblings or ()
        }
        found = Listing(info.id, info.sha or "", files)
        _check(found, repo, revision)
    if info.gated:
        ask(lambda: api().auth_check(found.repo), repo, revision)
    return found


@contextmanager
def speaking(repo: str) -> Iterator[None]:
    """Turn what the client makes of an answer that is none of the Hub's into a `HubError`."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _no_hub(repo, f"{type(error).__name__}: {error}") from error


def _check(found: Listing, repo: str, revision: str) -> None:
    """Raise `HubError` unless an answer can be what was asked for: its words become paths."""
    sound = (
        is_repository(found.repo)
        and is_commit(found.commit)
        and all(is_digest(file.digest) for file in found.files.values())
        and all(isinstance(each.size, int) and each.size >= 0 for each in found.files.values())
    )
    if not sound:
        raise _no_hub(repo, "what should be a name, a hash or a size is none")
    if is_commit(revision) and found.commit != revision:
        raise _no_hub(repo, f"it answered with commit {found.commit[:12]}, not {revision[:12]}")


def ask(
    call: Callable[[], Answer],
    repo: str,
    revision: str = "main",
    *,
    seconds: float | None = None,
) -> Answer:
    """Return what a call to the Hub about a repository returns, within `seconds` or the deadline.

    A cut connection and a busy server are tried again, silence is not: a dead Hub is told within
    seconds. Raises `HubError` that ends in what to do.
    """
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    for attempt in range(TRIES):
        last = attempt + 1 == TRIES
        try:
            return within(DEADLINE_S if seconds is None else seconds, call)
        except LocalTokenNotFoundError as error:
            raise HubError("You are not logged in to the Hub. Run `hf auth login`.") from error
        except (httpx2.TimeoutException, Late) as error:
            raise _silent(repo, str(error) or f"no answer within {TIMEOUT_S:g} s") from error
        except httpx2.TransportError as error:
            if last:
                raise _silent(repo, f"{type(error).__name__}: {error}") from error
            time.sleep(0.2 * 2**attempt)
        except HfHubHTTPError as error:
            wait_s = _wait_s(error)
            if last or wait_s is None or wait_s > PATIENCE_S:
                raise told(error, repo, revision) from error
            time.sleep(min(wait_s * 2**attempt, PATIENCE_S))
        except (httpx2.RequestError, httpx2.InvalidURL) as error:  # it sends on and on, or astray
            raise _no_hub(repo, f"{type(error).__name__}: {error}") from error
        except OSError as error:  # a proxy that cannot be used, a broken certificate store
            raise _silent(repo, str(error)) from error
    raise AssertionError("the last try returns or raises")


def told(error: Exception, repo: str, revision: str = "main") -> HubError:
    """Return an error of the client as one of ours, with the next thing to do."""
    from huggingface_hub import constants, errors

    address = f"{constants.ENDPOINT}/{repo}"
    by_kind = {  # in this order: gated is a kind of not found
        errors.GatedRepoError: (
            f"'{repo}' is gated: its owner wants to know who takes it. Ask for access at "
            f"{address}, log in with `hf auth login`, then try again."
        ),
        errors.RevisionNotFoundError: (
            f"'{repo}' has no revision '{revision}'. {address}/commits/main lists its commits; "
            "leave @REVISION out for the newest."
        ),
        errors.RepositoryNotFoundError: (
            f"The Hub knows no model '{repo}' that you may see. Look for its name with `gantk zoo "
            "search WORD`; if it is private, log in with `hf auth login`."
        ),
    }
    for kind, text in by_kind.items():
        if isinstance(error, kind):
            return HubError(text)
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", 0)
    if status >= 500:
        return Unreachable(
            f"The Hub is in trouble (HTTP {status}) and did not answer about '{repo}'. Try again "
            "later; what was fetched before works with --offline."
        )
    wait = response.headers.get("Retry-After", "") if response is not None else ""
    by_status = {
        401: "The Hub does not accept your token. Log in again: `hf auth login`.",
        403: (
            f"You may not do this with '{repo}': {_said(error)}. Log in with a token that may: "
            "`hf auth login`."
        ),
        409: f"'{repo}': {_said(error)}. Another process was quicker; try again.",
        412: f"'{repo}' has changed meanwhile. Look at {address}, then publish again.",
        429: (
            f"The Hub wants fewer questions from here. Wait {f'{wait} s' if wait else 'a while'} "
            "and try again; after `hf auth login` it allows more."
        ),
    }
    refused = f"The Hub refused what was asked of '{repo}': {_said(error)}. See {address}."
    return HubError(by_status.get(status, refused))


def _no_hub(repo: str, reason: str) -> HubError:
    return HubError(
        f"What answered about '{repo}' does not speak as the Hub does ({reason}). Check "
        "HF_ENDPOINT and any proxy."
    )


def _silent(repo: str, reason: str) -> Unreachable:
    from huggingface_hub import constants

    return Unreachable(
        f"The Hub at {constants.ENDPOINT} did not answer about '{repo}' ({reason}). Try again "
        "later; what was fetched before works with --offline."
    )


def _wait_s(error: Exception) -> float | None:
    """Return how long to wait before asking again, None when there is no use."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", 0)
    if response is None or status not in {408, 429, 500, 502, 503, 504}:
        return None
    wait = response.headers.get("Retry-After", "")
    return float(wait) if wait.isdecimal() else 0.3


def _said(error: Exception) -> str:
    return (
        (getattr(error, "server_message", None) or str(error)).strip().splitlines()[0].rstrip(".")
    )
