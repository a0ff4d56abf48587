"""Write the reference pages from the code: commands, hooks, recipe keys, options.

python docs/generate.py            write what is stale
python docs/generate.py --check    fail when a page on the disk is stale
"""

from __future__ import annotations

import ast
import html
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterable, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.models import ArgumentInfo, OptionInfo

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.cli import app
from gan_toolkit.optimisers import SGD, Adam, RMSProp
from gan_toolkit.options import HARMLESS, LOCAL, Options, Schedule, marked_keys, options_of
from gan_toolkit.plugin import API_VERSION, COMMANDS, KINDS
from gan_toolkit.recipe import LENGTHS, Compute, Ema, Evaluation, Plan, Update
from gan_toolkit.testing import PROMISES

REFERENCE = Path(__file__).parent / "reference"
DISTRIBUTION = "gan-toolkit"
"""Only what this distribution brings is documented here."""

STAMP = "<!-- Written by docs/generate.py from the code; do not edit. -->\n"

CONTRACTS = {
    "plugin": ("Component",),
    "architecture": ("Architecture", "TwoNetworks", "Judged"),
    "terms": ("Term", "Loss", "Logits"),
    "play": ("Play",),
    "augmentation": ("Augmentation",),
    "scoring": ("Extractor", "Metric", "Score", "Receipt", "Exam", "Side"),
    "tracking": ("Tracker",),
    "observer": ("Observer",),
    "references": ("Resolver",),
    "data": ("DataSet", "Source", "EndlessSource", "Stored", "DataSpec", "FieldSpec"),
    "streams": ("Draw", "Normal", "Mixture", "Uniform", "Categorical"),
}
"""What a component's class promises and what it is handed, by module."""


def pages() -> dict[str, str]:
    """Return the text of every generated page by its file name."""
    return {
        "cli.md": cli_page(),
        "hooks.md": hooks_page(),
        "recipe.md": recipe_page(),
        "options.md": options_page(),
        "promises.md": promises_page(),
    }


def stale() -> list[str]:
    """Return the names of generated pages that differ from what stands on the disk."""
    return [
        name
        for name, text in pages().items()
        if not (REFERENCE / name).is_file()
        or (REFERENCE / name).read_text(encoding="utf-8") != text
    ]


def cli_page() -> str:
    """Return every command with its arguments and options."""
    root = typer.main.get_command(app)
    sections = [
        f"""{STAMP}
# Commands

{root.help}

Data goes to stdout, everything else to stderr. Exit codes: 0 for success, 1 for a failure, 2 for a
request that cannot be met as written, 130 and 143 after SIGINT and SIGTERM.

`gantk --version` prints the version. `gantk --install-completion` and `gantk --show-completion`
set up the completion of commands, options and names in a shell.

Environment: `GANTK_DATA` is a folder where data sets are looked up first; `GANTK_CACHE` is where
downloads and packed data go; `GANTK_CONFIG` is where `gantk plugins disable` writes;
`GANTK_DISABLE_PLUGINS=a,b` leaves plugins out; `GANTK_TRACE=1` traces hook calls; `GANTK_DEBUG=1`
shows the traceback of a user's error too.
""",
        *(section for path, command in commands() for section in _command(path, command)),
    ]
    return "\n".join(sections)


def commands() -> list[tuple[str, Any]]:  # Any: Typer gives its vendored click no public name
    """Return `(path, command)` for every verb and sub-verb that this distribution brings."""
    found: list[tuple[str, Any]] = []

    def walk(path: str, command: Any) -> None:  # Any: as above
        inner = getattr(command, "commands", {})
        if not inner or command.invoke_without_command:
            found.append((path, command))
        for name, sub in sorted(inner.items(), key=lambda item: hasattr(item[1], "commands")):
            walk(f"{path} {name}", sub)

    walk("gantk", typer.main.get_command(app))
    for point in sorted(metadata.entry_points(group=COMMANDS), key=lambda p: p.name):
        if point.dist is not None and point.dist.name == DISTRIBUTION:
            walk(f"gantk {point.name}", typer.main.get_command(point.load()))
    return list(dict(found).items())


def _command(path: str, command: Any) -> Iterable[str]:  # Any: see `commands`
    hints = typing.get_type_hints(inspect.unwrap(command.callback), include_extras=True)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    options = [p for p in options if p.name in hints]
    names = [_metavar(p) if p.required else f"[{_metavar(p)}]" for p in arguments]
    yield f"## `{path}`\n"
    yield f"{_prose(inspect.cleandoc(command.help or ''))}\n"
    yield f"```text\n{' '.join([path, *(['[OPTIONS]'] if options else []), *names])}\n```\n"
    rows = [
        (f"`{_metavar(p)}`", *_type_and_limits(hints[p.name]), _default(p), p.help or "")
        for p in arguments
    ] + [
        (
            ", ".join(f"`{name}`" for name in [*p.opts, *p.secondary_opts]),
            *_type_and_limits(hints[p.name]),
            _default(p),
            p.help or "",
        )
        for p in options
    ]
    if rows:
        yield _table(("name", "takes", "range", "default", "what it does"), rows)


def _metavar(parameter: Any) -> str:  # Any: see `commands`
    name = str(parameter.metavar or parameter.name).upper()
    return name[1:-1] if name[:1] + name[-1:] == "[]" else name


def _default(parameter: Any) -> str:  # Any: see `commands`
    if parameter.required:
        return "required"
    return "" if parameter.default in {None, False, "", ()} else f"`{parameter.default}`"


def _type_and_limits(hint: object) -> tuple[str, str]:
    """Return what a parameter takes, in words, and its range."""
    limits = ""
    if typing.get_origin(hint) is Annotated:
        hint, *extras = typing.get_args(hint)
        for extra in extras:
            if isinstance(extra, OptionInfo | ArgumentInfo):
                low = [f"≥ {extra.min}"] if extra.min is not None else []
                high = [f"≤ {extra.max}"] if extra.max is not None else []
                limits = ", ".join(low + high)
    return _takes(hint), limits


def _takes(hint: object) -> str:
    origin = typing.get_origin(hint)
    inner = [arg for arg in typing.get_args(hint) if arg is not types.NoneType]
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in inner)
    if origin is list:
        return _takes(inner[0])
    if origin in {types.UnionType, typing.Union}:
        return " or ".join(_takes(arg) for arg in inner)
    words: dict[object, str] = {
        str: "text",
        int: "whole number",
        float: "number",
        Path: "path",
        bool: "",
    }
    return words[hint]


def hooks_page() -> str:
    """Return every hook and every class that a plugin implements or is handed."""
    sections = [
        f"""{STAMP}
# Hooks and contracts

A plugin is a module named in the entry-point group `gantk`, or a single file named with `--plugin`.
It answers the hooks below by functions of the same name, marked `@hookimpl`. This is version
{API_VERSION} of the interface.

A distribution may also add verbs below `gantk`: a Typer application named in the entry-point group
`gantk.commands`. It is imported when its verb is used.

## Hooks
"""
    ]
    sections += [
        _function(node, "###")
        for node in _tree("hookspecs").body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("gantk_")
    ]
    sections.append(
        "## Contracts\n\nWhat the class behind a component promises, and what it gets.\n"
    )
    for module, names in CONTRACTS.items():
        nodes = {node.name: node for node in _tree(module).body if isinstance(node, ast.ClassDef)}
        sections += [_class(nodes[name], module) for name in names]
    return "\n".join(sections)


def _tree(module: str) -> ast.Module:
    file = inspect.getsourcefile(import_module(f"gan_toolkit.{module}"))
    assert file is not None
    return ast.parse(Path(file).read_text(encoding="utf-8"))


def _class(node: ast.ClassDef, module: str) -> str:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    parts = [
        f"### `{node.name}`\n",
        f"```python\nfrom gan_toolkit import {node.name}{f'  # {bases}' if bases else ''}\n```\n"
        if node.name in import_module("gan_toolkit").__all__
        else f"In `gan_toolkit.{module}`.\n",
        f"{_prose(ast.get_docstring(node) or '')}\n",
    ]
    fields = list(_fields(node))
    if fields:
        parts.append(_table(("field", "type", "default", "what it is"), fields))
    for inner in node.body:
        public = isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_")
        if public and isinstance(inner, ast.FunctionDef):
            parts.append(_function(inner, "####", owner=node.name))
    return "\n".join(parts)


def _fields(node: ast.ClassDef) -> Iterable[tuple[str, str, str, str]]:
    for place, inner in enumerate(node.body):
        if not isinstance(inner, ast.AnnAssign) or not isinstance(inner.target, ast.Name):
            continue
        if inner.target.id.startswith("_"):
            continue
        after = node.body[place + 1] if place + 1 < len(node.body) else None
        text = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            text = inspect.cleandoc(str(after.value.value))
        default = "" if inner.value is None else f"`{ast.unparse(inner.value)}`"
        if isinstance(inner.value, ast.Call) and ast.unparse(inner.value.func) == "Field":
            arguments = {k.arg: k.value for k in inner.value.keywords}
            text = text or str(ast.literal_eval(arguments["description"]))
            given = inner.value.args
            default = f"`{ast.unparse(given[0])}`" if given else "required"
        yield f"`{inner.target.id}`", f"`{ast.unparse(inner.annotation)}`", default, text


def _function(node: ast.FunctionDef, heading: str, *, owner: str = "") -> str:
    name = f"{owner}.{node.name}" if owner else node.name
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    is_value = bool(decorators & {"property", "cached_property"})
    arguments = node.args
    if owner and "staticmethod" not in decorators and arguments.args:
        arguments.args = arguments.args[1:]  # self
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    shown = f": {returns[4:]}" if is_value else f"({ast.unparse(arguments)}){returns}"
    text = _prose(ast.get_docstring(node) or "")
    return f"{heading} `{name}`\n\n```python\n{node.name}{shown}\n```\n\n{text}\n"


def promises_page() -> str:
    """Return every promise that the conformance kit tries, by whose it is."""
    headings: dict[str, str] = {
        "plugin": "A plugin as a whole",
        "component": "Every component",
        "command": "A command",
        **{kind: f"{'An' if kind[0] in 'aeiou' else 'A'} {kind}" for kind in KINDS},
        "data": "A data set",
    }
    parts = [
        f"""{STAMP}
# Promises of a plugin

`gantk plugins check NAME` and `gan_toolkit.testing` try {len(PROMISES)} promises: those of the
plugin as a whole, those of every component, and those of each component's kind. A promise that a
component does not make, labels say, is *not made* and no failure. [Check a
plugin](../how-to/check-a-plugin.md) says how to run them.
"""
    ]
    for of, heading in headings.items():
        parts.append(f"## {heading}\n")
        parts += [f"### `{p.name}`\n\n{_prose(p.text)}\n" for p in PROMISES if p.of == of]
    return "\n".join(parts)


def recipe_page() -> str:
    """Return every key of a recipe beside its components' own options."""
    parts = [
        f"""{STAMP}
# Recipe keys

A recipe is a TOML document: the tables `arch`, `data`, `terms` and, if wanted, `augmentation`, each
naming a component with its [options](options.md), and the keys below. Keys are dotted on the
command line: `--set ema.half_life_kimg=5`. Unknown keys, wrong types and values out of range are
refused.

`[arch]`, `[augmentation]` and each `[terms.NAME]` take `name` and that component's options.
`[data]` does too; `[[data]]`, repeated, is a list in order of preference, of which the first that
can be had is used. An entry of such a list may carry `with`: recipe keys, dotted, that are set when
it is the one.

Without `terms` a recipe plays the default loss as `terms.adversarial`; without `updates`, the
discriminator and then the generator move once a step, each by Adam.

The last column says what `gantk train --resume` does with a changed key. Where it is missing a
change is refused, as for every option of a component but `data.path`, which is warned about.
""",
        _options_section("Plan", Plan, "The top level.", prefix="", resuming=True),
        _options_section("Update", Update, "Each `[updates.NAME]`.", prefix="updates.NAME."),
    ]
    for optimiser in (Adam, RMSProp, SGD):
        intro = f'`optimiser = {{ name = "{optimiser.model_fields["name"].default}" }}`.'
        parts.append(_options_section(optimiser.__name__, optimiser, intro, prefix="…optimiser."))
    parts += [
        _options_section("Schedule", Schedule, "Wherever the type says `Schedule`.", prefix=""),
        _options_section("Ema", Ema, "`[ema]`.", prefix="ema."),
        _options_section("Compute", Compute, "`[compute]`.", prefix="compute.", resuming=True),
        _options_section(
            "Evaluation", Evaluation, "`[evaluation]`.", prefix="evaluation.", resuming=True
        ),
    ]
    return "\n".join(parts)


def _options_section(
    title: str, cls: type[Options], where: str, *, prefix: str, resuming: bool = False
) -> str:
    columns = ["key", "type", "default", "range", "what it is"]
    rows = [[*row] for row in _options_rows(cls, prefix)]
    if resuming:
        columns.append("on resume")
        for row, name in zip(rows, cls.model_fields, strict=True):
            row.append(_on_resume(f"{prefix}{name}"))
    about = _prose(inspect.getdoc(cls) or "")
    return f"## {title}\n\n{where} {about}\n\n{_table(columns, rows)}"


def _on_resume(key: str) -> str:
    if key in LENGTHS:
        return "taken"
    harmless = {k for mark in (HARMLESS, LOCAL) for k in marked_keys(Plan, mark)}
    if key in {"ema", "compute", "evaluation", "updates"}:
        return "see below"
    return "warned about" if key in harmless else "refused"


def options_page() -> str:
    """Return the options of every component that this distribution registers."""
    catalogue = Catalogue.discover()
    parts = [
        f"""{STAMP}
# Options of every component

What `gan-toolkit` itself registers. `gantk list` shows what is installed on your machine, other
distributions included; `gantk show KIND NAME` prints one of these sections.
"""
    ]
    last = ""
    for component, owner in catalogue.components():
        if owner.distribution != DISTRIBUTION:
            continue
        if component.kind != last:
            parts.append(f"## {component.kind.capitalize()}\n")
            last = component.kind
        parts.append(f"### `{component.name}` ({component.kind})\n\n{component.summary}.\n")
        if component.kind == "recipe":
            parts.append(f"```toml\n{catalogue.recipe_text(component.name).rstrip()}\n```\n")
            continue
        cls = catalogue.load(component.kind, component.name)
        facts = {
            "Paper": component.paper,
            "Licence": component.licence or str(getattr(cls, "licence", "")),
            "Source": str(getattr(cls, "source", "")),
        }
        parts.append(f"{_prose(inspect.getdoc(cls) or '')}\n")
        told = [f"- {key}: {fact}.\n" for key, fact in facts.items() if fact]
        parts += ["".join(told)] if told else []
        rows = _options_rows(cls, "") if issubclass(cls, Options) else []
        if rows:
            parts.append(_table(("option", "type", "default", "range", "what it is"), rows))
    return "\n".join(parts)


def _options_rows(cls: type[Options], prefix: str) -> list[tuple[str, str, str, str, str]]:
    return [
        (
            f"`{prefix}{option.name}`",
            f"`{option.type}`",
            _toml(option.default),
            option.limits,
            option.help,
        )
        for option in options_of(cls)
    ]


def _toml(default: str) -> str:
    """Return a default as a recipe spells it."""
    if default in {"required", "none"}:
        return default
    if default.startswith("{'"):
        return "its own defaults"
    if default in {"", "{}", "()"}:
        return "empty"
    return f"`{default.lower() if default in {'True', 'False'} else default}`"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; columns that are empty throughout are left out."""
    kept = [list(row) for row in rows]
    used = [i for i in range(len(columns)) if any(row[i] for row in kept)]
    lines = [
        [columns[i] for i in used],
        ["---"] * len(used),
        *([_cell(row[i]) for i in used] for row in kept),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    """Return a table cell; a `|` inside code would end it, so that code is written as HTML."""

    def escaped(code: re.Match[str]) -> str:
        return f"<code>{html.escape(code[1], quote=False).replace('|', '&#124;')}</code>"

    return re.sub(r"`([^`]*\|[^`]*)`", escaped, text).replace("|", "&#124;").replace("\n", " ")


def _prose(text: str) -> str:
    """Return a docstring as Markdown: what Markdown would read as markup stays as written."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        piece if piece.startswith("`") else re.sub(r"([*<_\[\]])", r"\\\1", piece)
        for piece in pieces
    )


def main() -> int:
    """Write stale pages, or with `--check` name them and return 1."""
    wrong = stale()
    if "--check" in sys.argv[1:]:
        for name in wrong:
            print(f"docs/reference/{name} is stale: run `python docs/generate.py`.")
        return 1 if wrong else 0
    texts = pages()
    REFERENCE.mkdir(exist_ok=True)
    for name in wrong:
        (REFERENCE / name).write_text(texts[name], encoding="utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
