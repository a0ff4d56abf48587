"""`gantk list`: what is installed."""

from __future__ import annotations

from typing import Annotated

import typer

from gan_toolkit.cli.common import AsJson, PluginFiles, catalogue, print_json, print_table
from gan_toolkit.errors import UsageError, did_you_mean
from gan_toolkit.plugin import KINDS


def list_components(
    kind: Annotated[
        str | None,
        typer.Argument(help=f"One of: {', '.join(KINDS)}.", autocompletion=lambda: list(KINDS)),
    ] = None,
    as_json: AsJson = False,
    plugin: PluginFiles = None,
) -> None:
    """List architectures, losses, data sets and recipes, of one KIND or all."""
    if kind is not None and kind not in KINDS:
        raise UsageError(
            f"No kind '{kind}'.{did_you_mean(kind, KINDS)} The kinds: {', '.join(KINDS)}."
        )
    found = list(catalogue(plugin or ()).components(kind))
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
                }
                for component, owner in found
            ]
        )
        return
    print_table(
        "",
        ("kind", "name", "what it is", "from"),
        [(c.kind, c.name, c.summary, owner.distribution) for c, owner in found],
    )
