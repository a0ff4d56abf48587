"""Trackers: what keeps a run's figures and pictures somewhere else too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from torch import nn

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import DataSpec
from gan_toolkit.doctor import Finding
from gan_toolkit.errors import PluginError
from gan_toolkit.observer import Observer
from gan_toolkit.recipe import Recipe
from gan_toolkit.run import Row


class Tracker(Observer):
    """Hears a run's events and passes them on. The plugin kind `tracker`, made by `Tracker()`.

    It hears `built`, `began`, `row`, `found`, `drew`, `ended` and `close`. It cannot change the
    run; one that raises is left out from then on, with a warning. Its constructor raises
    `UsageError` when what it needs is not installed: that is before anything is trained.
    """


class Tracked(Observer):
    """Passes everything on to one observer, and a run's events to trackers too."""

    def __init__(self, observer: Observer, trackers: Mapping[str, Tracker]) -> None:
        self._observer = observer
        self._trackers = dict(trackers)
        self.note, self.warn = observer.note, observer.warn  # type: ignore[method-assign]  # plain passing on
        self.progress, self.advanced = observer.progress, observer.advanced  # type: ignore[method-assign]  # as above

    def built(self, recipe: Recipe, spec: DataSpec, networks: Mapping[str, nn.Module]) -> None:
        """Tell all."""
        self._tell(lambda one: one.built(recipe, spec, networks))

    def began(self, path: Path, step: int, length: int) -> None:
        """Tell all."""
        self._tell(lambda one: one.began(path, step, length))

    def row(self, row: Row) -> None:
        """Tell all."""
        self._tell(lambda one: one.row(row))

    def found(self, finding: Finding) -> None:
        """Tell all."""
        self._tell(lambda one: one.found(finding))

    def drew(self, path: Path) -> None:
        """Tell all."""
        self._tell(lambda one: one.drew(path))

    def ended(self, path: Path, step: int) -> None:
        """Tell all."""
        self._tell(lambda one: one.ended(path, step))

    def close(self) -> None:
        """Close the trackers; the observer is its owner's to close."""
        self._each(lambda one: one.close())

    def _tell(self, event: Callable[[Observer], None]) -> None:
        event(self._observer)
        self._each(event)

    def _each(self, event: Callable[[Observer], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                event(tracker)
            except Exception as error:  # noqa: BLE001  # whatever fails there must not end the run
                del self._trackers[name]
                self.warn(
                    f"The tracker '{name}' failed and is left out from here on: "
                    f"{type(error).__name__}: {error}. The run goes on; its own metrics.jsonl "
                    "holds every figure."
                )


def tracked(observer: Observer, names: Iterable[str], catalogue: Catalogue) -> Tracked:
    """Return an observer that passes a run's events to trackers of these names too.

    Raises `UnknownName`, `PluginError` for a plugin that is no tracker, and what a tracker raises
    when it cannot be made.
    """
    trackers = {}
    for name in dict.fromkeys(names):
        made = catalogue.load("tracker", name)
        if not issubclass(made, Tracker):
            raise PluginError(f"'{name}' is no Tracker, its plugin is broken.")
        trackers[name] = made()
    return Tracked(observer, trackers)
