"""Hold every promise against a plugin: what `gantk plugins check` does, for Python."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from gan_toolkit.catalogue import Catalogue, Plugin
from gan_toolkit.errors import PluginError, UnknownName
from gan_toolkit.streams import global_stream
from gan_toolkit.testing.promises import PROMISES, Broken, NotMade, Promise, Subject

KEPT_IN = (
    "plugin",
    "component",
    "architecture",
    "playing",
    "learning",
    "terms",
    "gradients",
    "augmentation",
    "data",
    "scores",
    "recipe",
    "tracker",
    "resolver",
    "command",
)
"""The modules that hold promises, in the order in which these are tried."""
PAGE = "docs/reference/promises.md"

for _module in KEPT_IN:
    import_module(f"gan_toolkit.testing.promised.{_module}")


@dataclass(frozen=True)
class Outcome:
    """How a promise stands."""

    check: Check
    state: Literal["kept", "broken", "not made"]
    seen: str = ""
    """What was seen of a broken promise; why it is not made."""

    def __str__(self) -> str:
        """Return a broken promise as its author reads it: what was asked, seen, and what next."""
        asked = self.check.promise
        lines = [f"{self.check}: {self.state}"]
        if self.seen:
            lines += [f"  seen: {self.seen}"]
        if self.state == "broken":
            told = asked.text.replace("\n", "\n  ")
            lines += [f"  {told}", f"  Read on: {PAGE}#{asked.name}"]
        return "\n".join(lines)


@dataclass(frozen=True)
class Check:
    """One promise to be held against one subject."""

    subject: Subject
    promise: Promise

    def __str__(self) -> str:
        """Return both names."""
        return f"{self.subject.label}: {self.promise.name}"

    def outcome(self) -> Outcome:
        """Return how the promise stands. Whatever the plugin raises breaks it."""
        try:
            with global_stream(0, self.promise.name):
                self.promise.test(self.subject)
        except NotMade as reason:
            return Outcome(self, "not made", str(reason))
        except Broken as broken:
            return Outcome(self, "broken", str(broken))
        except (Exception, SystemExit) as error:  # noqa: BLE001  # any failure of foreign code is a broken promise
            return Outcome(self, "broken", _raised(error))
        return Outcome(self, "kept")

    def check(self) -> None:
        """Raise `Broken` unless the promise is kept or not made."""
        outcome = self.outcome()
        if outcome.state == "broken":
            raise Broken(str(outcome))


@dataclass(frozen=True)
class Report:
    """How every promise of a plugin stands."""

    plugin: Plugin
    outcomes: tuple[Outcome, ...]

    @property
    def broken(self) -> tuple[Outcome, ...]:
        """The promises that are not kept."""
        return tuple(each for each in self.outcomes if each.state == "broken")

    def raise_if_broken(self) -> None:
        """Raise `Broken` with every promise that is not kept."""
        if self.broken:
            raise Broken("\n\n".join(map(str, self.broken)))


def check_plugin(name: str, *, files: Iterable[str | Path] = ()) -> Report:
    """Hold every promise against a plugin, called by its name or its distribution's.

    `files` are single-file plugins; one of them is called by its path. Raises `UnknownName` when
    there is no such plugin.
    """
    held = checks(name, files=files)
    return Report(held[0].subject.plugin, tuple(check.outcome() for check in held))


def checks(name: str, *, files: Iterable[str | Path] = ()) -> list[Check]:
    """Return every check of a plugin, to be run one at a time. Raises as `check_plugin`."""
    catalogue = Catalogue.discover(files)
    found = [
        plugin
        for plugin in catalogue.plugins
        if name in {plugin.name, plugin.distribution, plugin.file}
    ]
    if not found:
        known = {key for plugin in catalogue.plugins for key in (plugin.name, plugin.distribution)}
        raise UnknownName("plugin", name, known, hint="It must be installed to be checked.")
    return [check for plugin in found for check in checks_in(catalogue, plugin)]


def checks_in(catalogue: Catalogue, plugin: Plugin) -> list[Check]:
    """Return every check of one plugin of a catalogue."""
    return [
        Check(subject, promise)
        for subject in _subjects(catalogue, plugin)
        for promise in PROMISES
        if promise.of in _kinds(subject)
    ]


def _subjects(catalogue: Catalogue, plugin: Plugin) -> Iterator[Subject]:
    """Yield the plugin as a whole, its components, and the commands of its distribution."""
    yield Subject(catalogue, plugin)
    for component in plugin.components:
        yield Subject(catalogue, plugin, component)
    for point in plugin.commands:
        yield Subject(catalogue, plugin, point=point)


def _kinds(subject: Subject) -> set[str]:
    if subject.component is not None:
        return {"component", subject.component.kind}
    return {"command"} if subject.point is not None else {"plugin"}


def _raised(error: BaseException) -> str:
    """Return what was raised, and the line of the plugin that raised it."""
    said = f"it raised {type(error).__name__}: {error}"
    cause = error.__cause__ if isinstance(error, PluginError) and error.__cause__ else error
    frames = traceback.extract_tb(cause.__traceback__)
    place = next(
        (f for f in reversed(frames) if f"{Path(__file__).parent}" not in f.filename), None
    )
    return f"{said} ({place.filename}:{place.lineno})" if place else said
