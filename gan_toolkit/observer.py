"""What a run tells whoever watches: the command line's display, a notebook, a test."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from gan_toolkit.data import DataSpec
    from gan_toolkit.doctor import Finding
    from gan_toolkit.recipe import Recipe
    from gan_toolkit.run import Row

_LOGGER = logging.getLogger("gan_toolkit")


class Observer:
    """Hears everything; logs choices and warnings, and lets the rest pass."""

    def note(self, text: str) -> None:
        """One line about a choice that was made."""
        _LOGGER.info(text)

    def warn(self, text: str) -> None:
        """One line about something that may surprise."""
        _LOGGER.warning(text)

    def progress(self, what: str, done: int, total: int | None) -> None:
        """How far a preparation (a download, a decoding) has come."""

    def built(self, recipe: Recipe, spec: DataSpec, networks: Mapping[str, nn.Module]) -> None:
        """The networks are ready; they are the ones that learn, so they may only be looked at."""

    def began(self, path: Path, step: int, length: int) -> None:
        """Training goes on from `step`."""

    def advanced(self, step: int) -> None:
        """A step was made; called every step, so it must be quick."""

    def row(self, row: Row) -> None:
        """A row of metrics was written."""

    def found(self, finding: Finding) -> None:
        """The doctor has found something that was not so before."""

    def drew(self, path: Path) -> None:
        """A sample grid was written."""

    def ended(self, path: Path, step: int) -> None:
        """The run reached its last step."""

    def close(self) -> None:
        """Nothing more will come: the run ended, was stopped or failed."""


class Quiet(Observer):
    """Hears everything and says nothing: of several processes only the first one talks."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Say nothing."""
