"""What turns a name into a bundle: a shipped model, a repository on the Hub."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from gan_toolkit.data import Progress
from gan_toolkit.references import Resolver
from gantk_zoo import fetch, shipped
from gantk_zoo.names import hub_name


class Hub(Resolver):
    """Models on the Hugging Face Hub."""

    forms: ClassVar[str] = (
        "owner/repo[@revision] on the Hugging Face Hub (hf://owner/… where a folder has that name)"
    )

    def resolve(self, reference: str, *, offline: bool, progress: Progress) -> Path | None:
        """Return the cached snapshot of `owner/repo[@revision]` or `hf://…`, fetched if need be."""
        name = hub_name(reference)
        return None if name is None else fetch.fetch(name, offline=offline, progress=progress)


class Shipped(Resolver):
    """Models that came with the toolkit."""

    forms: ClassVar[str] = "the name of a shipped model (`gantk zoo list`)"

    def resolve(self, reference: str, *, offline: bool, progress: Progress) -> Path | None:
        """Return the folder of a shipped model."""
        del offline, progress
        return shipped.folder(reference)

    def known(self) -> Iterable[str]:
        """Return the names of all shipped models."""
        return shipped.names()
