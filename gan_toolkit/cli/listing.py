"""`gantk list`: what is installed."""

from __future__ import annotations

from typing import Annotated

import typer

from gan_toolkit.cli.common import (
    AsJson,
    PluginFiles,
    catalogue,
    known_kind,
    print_json,
    print_table,
)
from gan_toolkit.plugin import KINDS, Component


def list_components(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]",
            help=f"One of: {', '.join(KINDS)}.",
            autocompletion=lambda: list(KINDS),
        ),
    ] = None,
    as_json: AsJson = False,
    plugin: PluginFiles = None,
) -> None:
    """List what is installed: architectures, losses, data, recipes.

    One KIND or all; `gantk show KIND NAME` tells more of one.
    """
    found = list(catalogue(plugin or ()).components(kind and known_kind(kind)))
    if as_json:
        print_json(
            [
                {
                    "kind": component.kind,
                    "name": component.name,
                    "summary": component.summary,
                    "paper": component.paper,
                    "licence": component.licence,
                    "default": component.default,
                    "distribution": owner.distribution,
                    **({"deprecated": component.deprecated} if component.deprecated else {}),
                }
                for component, owner in found
            ]
        )
        return
    print_table(
        ("kind", "name", "what it is", "from"),
        [(c.kind, c.name, _told(c), owner.distribution) for c, owner in found],
    )


def _told(component: Component) -> str:
    """Return the summary, and what to know before choosing the component."""
    marks = {"default": component.default, "deprecated": bool(component.deprecated)}
    known = ", ".join(mark for mark, holds in marks.items() if holds)
    return f"{component.summary} ({known})" if known else component.summary
