"""Which models there are: shipped with the toolkit, cached here, on the Hub."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gan_toolkit import bundle
from gan_toolkit.deadline import within
from gan_toolkit.description import DAMAGE
from gantk_zoo import hub, shipped
from gantk_zoo.cache import Repository, repositories

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

_log = logging.getLogger(__name__)

MOST = 100
"""Models of the Hub that one question brings."""


@dataclass(frozen=True)
class Entry:
    """A model and where it is."""

    name: str
    where: Literal["shipped", "cached", "hub"]
    architecture: str = ""
    data: str = ""
    megabytes: float | None = None
    commit: str = ""
    path: str = ""


def of_shipped() -> Iterator[Entry]:
    """Yield the shipped models."""
    for name in shipped.names():
        folder = shipped.MODELS / name
        yield _described(name, "shipped", folder)


def of_cache() -> Iterator[Entry]:
    """Yield the models of this toolkit in the Hub's cache, one entry a commit."""
    for repository in repositories():
        for snapshot in sorted(repository.snapshot("x").parent.glob("*")):
            if (snapshot / bundle.WEIGHTS).is_file():
                entry = _described(repository.repo, "cached", snapshot, snapshot.name)
                if entry.architecture:
                    yield entry


def of_hub(word: str = "") -> Iterator[Entry]:
    """Yield the models of the Hub that are tagged for this toolkit. Raises `HubError`."""
    if hub.offline_by_environment():
        raise hub.HubError("HF_HUB_OFFLINE forbids to ask the Hub. Unset it and try again.")

    def listed() -> list[ModelInfo]:
        models = hub.api().list_models(
            filter=hub.LIBRARY, search=word or None, sort="downloads", limit=MOST
        )
        return list(islice(models, MOST))

    with hub.speaking(hub.LIBRARY):
        found = [
            Entry(_text(info.id), "hub", *_from_tags(info), commit=_text(info.sha or ""))
            for info in hub.ask(
                lambda: within(hub.TIMEOUT_S, listed),  # the client tries for half a minute
                f"models tagged {hub.LIBRARY}",
            )
        ]
    if len(found) == MOST:
        _log.warning(
            "Listed are the %d that are fetched most. `gantk zoo search WORD` finds others.", MOST
        )
    yield from found


def cached(repo: str) -> Repository | None:
    """Return what is cached of a repository, None when nothing is."""
    found = Repository(repo)
    return found if found.path.is_dir() else None


def _described(
    name: str, where: Literal["shipped", "cached"], folder: Path, commit: str = ""
) -> Entry:
    about = _config(folder / bundle.CONFIG)
    size = (folder / bundle.WEIGHTS).stat().st_size / 1e6
    data = about.get("data")
    return Entry(
        name,
        where,
        str(about.get("architecture", "")),
        str(data.get("name", "")) if isinstance(data, dict) else "",
        round(size, 2),
        commit,
        str(folder),
    )


def _config(path: Path) -> dict[str, object]:
    """Return what a `config.json` says; nothing when it is another tool's or damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, *DAMAGE):
        return {}
    return values if isinstance(values, dict) and "format" in values else {}


def _from_tags(info: ModelInfo) -> tuple[str, str]:
    """Return architecture and data from the tags that our cards set: gan, ARCHITECTURE, DATA."""
    tags = [_text(tag) for tag in info.tags or ()]
    after = tags.index("gan") + 1 if "gan" in tags else len(tags)
    architecture, data, *_ = [*tags[after : after + 2], "", ""]
    return architecture, data


def _text(word: object) -> str:
    """Return a word of the Hub's as it is. Raises `TypeError` when it is no text."""
    if not isinstance(word, str):
        raise TypeError(f"{word!r} is no text")
    return word
