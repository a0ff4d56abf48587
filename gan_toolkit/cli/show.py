"""`gantk show`: everything about one name."""

from __future__ import annotations

import inspect
import sys
from typing import Annotated

import typer

from gan_toolkit.cli.common import AsJson, PluginFiles, catalogue, print_json, print_table
from gan_toolkit.errors import UsageError, did_you_mean
from gan_toolkit.plugin import KINDS


def show(
    kind: Annotated[
        str,
        typer.Argument(help=f"One of: {', '.join(KINDS)}.", autocompletion=lambda: list(KINDS)),
    ],
    name: Annotated[str, typer.Argument(help="A name that `gantk list` prints.")],
    as_json: AsJson = False,
    plugin: PluginFiles = None,
) -> None:
    """Show options with types, defaults, ranges and help; a recipe is printed whole."""
    if kind not in KINDS:
        raise UsageError(f"No kind '{kind}'.{did_you_mean(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    known = catalogue(plugin or ())
    if kind == "recipe":
        sys.stdout.write(known.recipe_text(name))
        return
    component, owner = known.find(kind, name)
    from gan_toolkit.options import Options, options_of

    cls = known.load(kind, name)
    assert issubclass(cls, Options)
    facts = {
        "kind": kind,
        "name": name,
        "summary": component.summary,
        "paper": component.paper,
        "licence": component.licence or str(getattr(cls, "licence", "")),
        "source": str(getattr(cls, "source", "")),
        "distribution": f"{owner.distribution} {owner.version}".strip(),
        "about": inspect.getdoc(cls) or "",
    }
    options = options_of(cls)
    if as_json:
        print_json({**facts, "options": [option._asdict() for option in options]})
        return
    print(f"{kind} {name}: {component.summary}\n\n{facts['about']}\n")
    for fact in ("paper", "licence", "source", "distribution"):
        if facts[fact]:
            print(f"{fact}: {facts[fact]}")
    columns = ("option", "type", "default", "range", "what it is")
    print_table("", columns, [tuple(option) for option in options])
