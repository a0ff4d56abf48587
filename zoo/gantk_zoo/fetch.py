"""Fetch a bundle from the Hub: the two files that loading needs, pinned, checked, cached."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from urllib.parse import quote

from gan_toolkit import bundle, download
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import Progress, silent
from gan_toolkit.description import DAMAGE
from gan_toolkit.errors import DataError
from gan_toolkit.places import writing
from gan_toolkit.references import find_model, is_here
from gantk_zoo import hub, record
from gantk_zoo.cache import SETTING, Repository, hashing
from gantk_zoo.hub import HubError, Listing, RemoteFile, Unreachable
from gantk_zoo.names import HubName, hub_name

MAX_BYTES = {bundle.CONFIG: 2**20, bundle.WEIGHTS: 2**33}
"""What loading needs, and the most that it takes of each."""
MAX_SMALL = 2**20
"""The most that is taken of any other file."""
STALL_S = 10.0

_log = logging.getLogger(__name__)


def fetch(name: HubName, *, offline: bool, progress: Progress, also: tuple[str, ...] = ()) -> Path:
    """Return the folder that holds a repository's weights and description.

    A commit that is cached is used without a word to the Hub; a branch or a tag is looked up, and
    used as it was last seen when the Hub is silent. `also` names small files that come along where
    the repository has them. Raises `HubError`.
    """
    try:
        return _fetched(name, also, offline=offline, progress=progress)
    except DataError as error:  # of a mirror, or of the disk
        raise HubError(str(error)) from error


def _fetched(name: HubName, also: tuple[str, ...], *, offline: bool, progress: Progress) -> Path:
    cached = Repository(name.repo)
    here = cached.commit(name.revision)
    complete = here is not None and all(cached.has(here, file) for file in MAX_BYTES)
    if here is not None and complete and name.pinned and all(cached.has(here, a) for a in also):
        return cached.snapshot(here)
    if offline or hub.offline_by_environment():
        if here is not None and complete:
            return cached.snapshot(here)
        raise HubError(
            f"'{name}' is not cached here, and the network is not to be asked. Fetch it once "
            f"without --offline and HF_HUB_OFFLINE: `gantk zoo pull {name}`."
        )
    try:
        found = hub.listing(name.repo, name.revision)
    except Unreachable as error:
        if here is None or not complete:
            raise
        _log.warning("%s Using commit %s of '%s' from the cache.", error, here[:12], name)
        return cached.snapshot(here)
    if found.repo != name.repo:
        _log.warning("'%s' is now called '%s'; use that name.", name.repo, found.repo)
    folder = _kept(cached, name, found, progress)
    for file in also:
        small = file in found.files and found.files[file].size <= MAX_SMALL
        if small:
            _bring(cached, found, found.files[file], progress)
    return folder


def with_record(
    reference: str | Path,
    catalogue: Catalogue,
    *,
    offline: bool = False,
    progress: Progress = silent,
) -> Path:
    """Return the weights that a reference means, as `find_model`; a Hub's bring their record."""
    name = None if is_here(reference) else hub_name(str(reference))
    if name is None:
        return find_model(reference, catalogue, offline=offline, progress=progress)
    folder = fetch(name, offline=offline, progress=progress, also=(record.METRICS,))
    return folder / bundle.WEIGHTS


def _kept(cached: Repository, name: HubName, found: Listing, progress: Progress) -> Path:
    """Return the snapshot of a listing, after fetching what it lacks."""
    for file, most in MAX_BYTES.items():
        if file not in found.files:
            raise _no_model(name, found, f"it has no {file}")
        if found.files[file].size > most:
            raise HubError(
                f"'{name}' has a {file} of {found.files[file].size:,} bytes; at most {most:,} are "
                "taken. Ask its owner."
            )
    for file in MAX_BYTES:
        _bring(cached, found, found.files[file], progress)
        if file == bundle.CONFIG:  # small and first: weights of something else are never fetched
            _check_config(name, found, cached.snapshot(found.commit) / file)
    cached.remember(name.revision, found.commit)
    return cached.snapshot(found.commit)


def _bring(cached: Repository, found: Listing, file: RemoteFile, progress: Progress) -> None:
    """Make the cache hold a file of a commit, intact; content of another commit may be damaged."""
    for _ in range(2):
        if cached.has(found.commit, file.name, file.digest):
            return
        _download(cached, found, file, progress)
    if not cached.has(found.commit, file.name, file.digest):
        raise HubError(
            f"{file.name} of '{found.repo}' does not stay intact in {cached.path}. Check that disk."
        )


def _download(cached: Repository, found: Listing, file: RemoteFile, progress: Progress) -> None:
    from huggingface_hub import constants, get_token

    path = f"{quote(found.repo)}/resolve/{found.commit}/{quote(file.name)}"
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    remote = download.Remote(
        [f"{constants.ENDPOINT}/{path}"],
        file.digest,
        file.size,
        hashing=hashing(file.digest, file.size),
        headers={"Authorization": f"Bearer {token}"} if token else {},
    )
    download.fetch(
        remote,
        cached.blob(file.digest),
        advice=(
            "Nothing of it was kept as a model. Try again later; after 401 or 403 log in first: "
            "`hf auth login`."
        ),
        progress=progress,
        stall_s=STALL_S,
        name=f"{file.name} of {found.repo}",
        setting=SETTING,
    )
    with writing(cached.path, file.name, SETTING):
        cached.link(found.commit, file.name, file.digest)


def _check_config(name: HubName, found: Listing, config: Path) -> None:
    """Raise `HubError` unless a `config.json` is one of ours."""
    try:
        values = json.loads(config.read_text(encoding="utf-8"))
        ours = {"format", "architecture", "data"} <= set(values)
    except DAMAGE:
        ours = False
    if not ours:
        raise _no_model(name, found, f"its {bundle.CONFIG} was written by something else")


def _no_model(name: HubName, found: Listing, reason: str) -> HubError:
    empty = not set(found.files) - {".gitattributes", "README.md"}
    holds = "it is empty" if empty else reason
    return HubError(
        f"'{name}' is no model of gan-toolkit: {holds}. `gantk zoo search WORD` finds those that "
        "are."
    )
