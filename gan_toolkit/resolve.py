"""From what a user asked to a resolved recipe: layers, chosen data, every problem at once.

Layers, later ones win: the architecture's own recipe (the one of its name) or `--recipe`, what
the chosen data set's entry adds (`with`), the flags, `--set`.
"""

from __future__ import annotations

import copy
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gan_toolkit.architecture import Architecture
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import DataSet
from gan_toolkit.errors import DataError, RecipeError, UnknownName, UsageError, did_you_mean
from gan_toolkit.options import AnyOptions, validate
from gan_toolkit.recipe import Plan, Recipe, Values
from gan_toolkit.terms import Term

PROBE_SECONDS = 5.0
"""Time that all data sets of a preference list together may take to say whether they are here."""


@dataclass(frozen=True)
class Request:
    """What a user asked for, before anything is looked up."""

    recipe: str | None = None
    arch: str | None = None
    data: str | DataSet | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    """Flags, as top-level or dotted keys: `seed`, `steps`, `compute.device`."""
    sets: Sequence[str] = ()
    """`a.b=c`, as typed after `--set`."""


def resolve(
    request: Request, catalogue: Catalogue, note: Callable[[str], None] = lambda _: None
) -> Recipe:
    """Return the recipe that a request means.

    `note` is told which data set was chosen and why. Raises `RecipeError` with every problem,
    `UnknownName` for a name, `DataError` when no data set of a preference list can be had.
    """
    values = _first_layer(request, catalogue)
    problems: list[str] = []
    given = request.data if isinstance(request.data, DataSet) else None
    if not isinstance(request.data, DataSet):
        _choose_data(values, request.data, catalogue, note)
    if request.settings.keys() & {"steps", "kimg"}:  # a length asked for replaces the recipe's
        for key in ("steps", "kimg", "planned_steps"):
            values.pop(key, None)
    for key, value in request.settings.items():
        _put(values, key, value, problems)
    for assignment in request.sets:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            problems.append(
                f"--set {assignment}: write it as key=value, like `--set arch.width=32`."
            )
            continue
        _put(values, key.strip(), _parsed(text.strip()), problems)
    return build(values, catalogue, data=given, problems=problems)


def build(
    values: Values,
    catalogue: Catalogue,
    *,
    data: DataSet | None = None,
    problems: list[str] | None = None,
    origin: str = "the recipe",
) -> Recipe:
    """Return the recipe that TOML values describe. Raises `RecipeError` with every problem."""
    problems = [] if problems is None else problems
    values = {**_defaults(catalogue), **values}
    names: dict[str, str] = {}

    def component(
        kind: str, base: type[AnyOptions], place: str, table: object
    ) -> AnyOptions | None:
        if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
            problems.append(f"{place}: give it a name, as {place} = {{ name = … }}.")
            return None
        names[place] = table["name"]
        try:
            cls = catalogue.load(kind, table["name"])
        except UnknownName as error:
            problems.append(f"{place}: {error}")
            return None
        if not issubclass(cls, base):
            problems.append(
                f"{place}: '{table['name']}' is no {base.__name__}, its plugin is broken."
            )
            return None
        options = {key: value for key, value in table.items() if key != "name"}
        return validate(cls, options, where=place, problems=problems)

    arch = component("architecture", Architecture, "arch", values.pop("arch", None))
    if data is None:
        data = component("data", DataSet, "data", values.pop("data", None))
    else:
        names["data"] = "tensor"
        values.pop("data", None)
    tables = values.pop("terms", {})
    terms: dict[str, Term | None] = {}
    for name, table in tables.items() if isinstance(tables, Mapping) else ():
        kind = _term_kind(catalogue, table)
        terms[name] = component(kind, Term, f"terms.{name}", table)
    plan = validate(Plan, values, where="", problems=problems)
    if plan is not None:
        problems += _unknown_terms(plan, terms)
    if problems:
        raise RecipeError(problems, origin=origin)
    assert arch is not None
    assert data is not None
    assert plan is not None
    built = {name: term for name, term in terms.items() if term is not None}
    return Recipe(names=names, arch=arch, data=data, terms=built, plan=plan)


def read_recipe(text: str, origin: str) -> Values:
    """Return the values of a recipe document. Raises `RecipeError` naming line and column."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError([f"it is no TOML: {error}."], origin=origin) from error


def _defaults(catalogue: Catalogue) -> Values:
    loss = catalogue.default("loss")
    return {
        "terms": {"adversarial": {"name": loss}} if loss else {},
        "updates": {
            role: {"networks": [role], "role": role} for role in ("discriminator", "generator")
        },
    }


def _first_layer(request: Request, catalogue: Catalogue) -> Values:
    name = request.recipe
    if name is None:
        if request.arch is None:
            raise UsageError(
                "Nothing to train: name an architecture with --arch or a recipe with --recipe. "
                "`gantk list` shows what is installed."
            )
        catalogue.find("architecture", request.arch)
        name = request.arch if request.arch in catalogue.names("recipe") else None
    values = copy.deepcopy(_defaults(catalogue))
    if name is not None:
        path = Path(name)
        if path.suffix == ".toml" or path.is_file():
            if not path.is_file():
                raise UsageError(
                    f"No recipe file '{path}'. `gantk list recipe` shows shipped ones."
                )
            values |= read_recipe(path.read_text(encoding="utf-8"), f"the recipe {path}")
        else:
            values |= read_recipe(catalogue.recipe_text(name), f"the recipe '{name}'")
    table = values.get("arch")
    if request.arch and (not isinstance(table, Mapping) or table.get("name") != request.arch):
        values["arch"] = {"name": request.arch}
    return values


def _choose_data(
    values: Values, asked: str | None, catalogue: Catalogue, note: Callable[[str], None]
) -> None:
    """Replace the preference list in `values["data"]` by the one entry to use."""
    entries = values.get("data", [])
    entries = [entries] if isinstance(entries, Mapping) else list(entries)
    if asked is not None:
        named = [entry for entry in entries if entry.get("name") == asked]
        entries = named or [_entry_for(asked, catalogue)]
    if not entries:
        raise UsageError(
            "No data: name a data set or a folder of images with --data. "
            "`gantk list data` shows what is installed."
        )
    chosen = entries[0] if len(entries) == 1 else _first_at_hand(entries, catalogue, note)
    values["data"] = {key: value for key, value in chosen.items() if key != "with"}
    for key, value in chosen.get("with", {}).items():
        _put(values, key, value, [])


def _entry_for(asked: str, catalogue: Catalogue) -> Values:
    if asked in catalogue.names("data"):
        return {"name": asked}
    openers = [c.name for c, _ in catalogue.components("data") if c.opens_paths]
    if openers and (Path(asked).exists() or any(mark in asked for mark in "/\\.")):
        return {"name": openers[0], "path": asked}
    raise UnknownName("data", asked, catalogue.names("data"))


def _first_at_hand(
    entries: Sequence[Values], catalogue: Catalogue, note: Callable[[str], None]
) -> Values:
    deadline = time.monotonic() + PROBE_SECONDS
    passed_over: list[str] = []
    for entry in entries:
        problems: list[str] = []
        options = {key: value for key, value in entry.items() if key not in {"name", "with"}}
        data = validate(
            catalogue.load("data", entry["name"]), options, where="data", problems=problems
        )
        if data is None:
            raise RecipeError(problems)
        try:
            where = data.probe(max(deadline - time.monotonic(), 0.1))
        except DataError as error:
            passed_over.append(f"{entry['name']} was passed over: {error}")
            continue
        note("; ".join([f"Data: {entry['name']}, {where}", *passed_over]))
        return entry
    reasons = "".join(f"\n  - {reason}" for reason in passed_over)
    raise DataError(f"None of the recipe's data sets can be had:{reasons}\nName one with --data.")


def _term_kind(catalogue: Catalogue, table: object) -> str:
    name = table.get("name") if isinstance(table, Mapping) else None
    return "penalty" if name in catalogue.names("penalty") else "loss"


def _unknown_terms(plan: Plan, terms: Mapping[str, object]) -> list[str]:
    problems = [
        f"updates.{name}.terms: no term '{asked}'.{did_you_mean(asked, terms)} "
        f"The recipe has: {', '.join(terms)}."
        for name, update in plan.updates.items()
        for asked in update.terms or ()
        if asked.partition(".")[0] not in terms
    ]
    everywhere = any(update.terms is None for update in plan.updates.values())
    used = {asked.partition(".")[0] for u in plan.updates.values() for asked in u.terms or ()}
    if not everywhere:
        problems += [
            f"terms.{name}: no update uses it; add it to an update's `terms` or remove it."
            for name in terms
            if name not in used
        ]
    if not terms:
        problems.append("terms: a recipe needs at least one loss; `gantk list loss` shows them.")
    return problems


def _put(values: Values, key: str, value: object, problems: list[str]) -> None:
    *path, last = key.split(".")
    table = values
    for step in path:
        inner = table.setdefault(step, {})
        if not isinstance(inner, dict):
            problems.append(f"{key}: '{step}' is {inner!r}, not a table; set it whole instead.")
            return
        table = inner
    table[last] = value


def _parsed(text: str) -> object:
    """Return `text` as the TOML value it spells, else as a string: `--set data.split=train`."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
