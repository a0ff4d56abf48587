"""What a promise is. Those of each kind stand in `promised`.

A promise is a function of a `Subject`. Its docstring says in a sentence what holds, then why it is
asked and how a plugin comes to keep it; that text is the page on promises and the end of every
failure. It returns when the promise is kept, raises `Broken` with what was seen instead, and
`NotMade` when this component promises no such thing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal, TypeVar

from gan_toolkit.catalogue import Catalogue, Plugin
from gan_toolkit.errors import PluginError, UsageError
from gan_toolkit.options import Options
from gan_toolkit.plugin import Component, Kind

Of = Kind | Literal["plugin", "component", "command"]
"""Whose promise it is: a kind's, that of every component, or of the plugin as a whole."""
AnyOptions = TypeVar("AnyOptions", bound=Options)


class Broken(AssertionError):
    """A promise is not kept; the message says what was seen."""


class NotMade(Exception):
    """The promise is none of this component's; the message says why."""


@dataclass(frozen=True)
class Subject:
    """What is looked at: a plugin, and one of its components or commands."""

    catalogue: Catalogue
    plugin: Plugin
    component: Component | None = None
    point: metadata.EntryPoint | None = None
    """The entry point of a command."""

    @property
    def label(self) -> str:
        """What messages call it."""
        if self.component is not None:
            return f"{self.component.kind} {self.component.name}"
        return f"command {self.point.name}" if self.point else f"plugin {self.plugin.name}"

    def load(self) -> Any:  # Any: a class of the kind's own
        """Return the component's class. Raises `NotMade` when it is not there."""
        assert self.component is not None
        try:
            return self.catalogue.load(self.component.kind, self.component.name)
        except (PluginError, UsageError) as error:
            raise NotMade("first comes its-class-is-there") from error

    def options(self, kind: type[AnyOptions], **values: object) -> AnyOptions:
        """Return the component with its default options, those in `values` apart."""
        made = self.load()(**values)
        if not isinstance(made, kind):
            raise Broken(f"{type(made).__name__} is no gan_toolkit.{kind.__name__}")
        return made


@dataclass(frozen=True)
class Promise:
    """One thing that holds of every component of a kind."""

    of: Of
    name: str
    test: Callable[[Subject], None]

    @property
    def text(self) -> str:
        """What holds, why it is asked, and how it is kept."""
        return inspect.getdoc(self.test) or ""

    @property
    def says(self) -> str:
        """What holds, in one sentence."""
        return self.text.partition("\n")[0]


PROMISES: list[Promise] = []
"""Every promise, in the order in which they are tried."""


def promise(of: Of) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Make a function a promise of a kind; its name is the promise's, with hyphens."""

    def register(test: Callable[[Subject], None]) -> Callable[[Subject], None]:
        PROMISES.append(Promise(of, test.__name__.replace("_", "-"), test))
        return test

    return register
