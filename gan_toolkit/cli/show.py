"""`gantk show`: everything about one name."""

from __future__ import annotations

import inspect
import sys
from typing import Annotated

import typer

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.cli.common import (
    AsJson,
    PluginFiles,
    catalogue,
    known_kind,
    print_json,
    print_table,
)
from gan_toolkit.plugin import KINDS, Component


def _names(ctx: typer.Context) -> list[str]:
    return Catalogue.discover().names(ctx.params.get("kind") or "")


def show(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help=f"One of: {', '.join(KINDS)}.",
            autocompletion=lambda: list(KINDS),
        ),
    ],
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A name that `gantk list` prints.", autocompletion=_names
        ),
    ],
    as_json: AsJson = False,
    plugin: PluginFiles = None,
) -> None:
    """Show the options of one component, or a whole recipe.

    Options come with type, default, range and help. Start a recipe of your own with
    `gantk show recipe NAME > mine.toml`.
    """
    known = catalogue(plugin or ())
    component, owner = known.find(known_kind(kind), name)
    facts = {
        "kind": kind,
        "name": name,
        "summary": component.summary,
        "paper": component.paper,
        "licence": component.licence,
        "distribution": f"{owner.distribution} {owner.version}".strip(),
    }
    if component.deprecated:
        facts["deprecated"] = component.deprecated
    if kind == "recipe":
        _show_recipe(known.recipe_text(name), facts, as_json=as_json)
    else:
        _show_options(known, component, facts, as_json=as_json)


def _show_recipe(text: str, facts: dict[str, str], *, as_json: bool) -> None:
    if not as_json:
        sys.stdout.write(text)
        return
    import tomllib

    print_json({**facts, "recipe": tomllib.loads(text)})


def _show_options(
    known: Catalogue, component: Component, facts: dict[str, str], *, as_json: bool
) -> None:
    from gan_toolkit.options import Options, options_of

    cls = known.load(component.kind, component.name)
    facts["licence"] = component.licence or str(getattr(cls, "licence", ""))
    facts["source"] = str(getattr(cls, "source", ""))
    facts["about"] = inspect.getdoc(cls) or ""
    options = options_of(cls) if issubclass(cls, Options) else []  # a tracker has none
    if as_json:
        print_json({**facts, "options": [option._asdict() for option in options]})
        return
    print(f"{component.kind} {component.name}: {component.summary}\n\n{facts['about']}\n")
    for fact in ("deprecated", "paper", "licence", "source", "distribution"):
        if facts.get(fact):
            print(f"{fact}: {facts[fact]}")
    if options:
        print()
        print_table(("option", "type", "default", "range", "what it is"), options)
