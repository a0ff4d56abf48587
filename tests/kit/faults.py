"""Components with one thing wrong, and which promises they break."""

from __future__ import annotations

from gan_toolkit import Component
from gan_toolkit.catalogue import SINGLE_FILE, Catalogue, Plugin
from gan_toolkit.plugin import Kind
from gan_toolkit.testing.checking import checks_in


def broken(kind: Kind, planted: type | str, paper: str = "ours, 2026") -> dict[str, str]:
    """Return the promises that a component breaks, by name, each with what was seen."""
    component = Component(kind, "planted", planted, "A component made for a test", paper=paper)
    plugin = Plugin("planted", SINGLE_FILE, "", "planted.py", components=(component,))
    catalogue = Catalogue([*Catalogue.discover().plugins, plugin])
    outcomes = [check.outcome() for check in checks_in(catalogue, plugin)]
    return {each.check.promise.name: each.seen for each in outcomes if each.state == "broken"}
