"""From what a user asked to a resolved recipe: layers, chosen data, every problem at once.

Layers, later ones win: the architecture's own recipe (the one of its name) or `--recipe`, what
the chosen data set's entry adds (`with`), the flags, `--set`. `--set data.name=NAME` chooses the
data set as `--data NAME` does.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gan_toolkit.architecture import Architecture
from gan_toolkit.augmentation import Augmentation
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.choice import choose_data
from gan_toolkit.data import DataSet
from gan_toolkit.errors import RecipeError, UnknownName, UsageError, did_you_mean
from gan_toolkit.options import AnyOptions, validate
from gan_toolkit.recipe import LENGTHS, Plan, Recipe, Values
from gan_toolkit.terms import Term


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
    changes = {**request.settings, **assigned(request.sets, problems)}
    given = request.data if isinstance(request.data, DataSet) else None
    if not isinstance(request.data, DataSet):
        asked = _asked(request.data, changes.get("data.name"), catalogue)
        _lay(values, choose_data(values, asked, catalogue, note, problems), problems)
    _lay(values, changes, problems)
    return build(values, catalogue, data=given, problems=problems)


def build(
    values: Values,
    catalogue: Catalogue,
    *,
    data: DataSet | None = None,
    problems: list[str] | None = None,
) -> Recipe:
    """Return the recipe that TOML values describe. Raises `RecipeError` with every problem."""
    problems = [] if problems is None else problems
    values = {**_defaults(catalogue), **values}
    parts = Parts(catalogue, problems)
    arch = parts.component("architecture", Architecture, "arch", values.pop("arch", None))
    if data is None:
        data = parts.component("data", DataSet, "data", values.pop("data", None))
    else:
        parts.names["data"] = "tensor"
        values.pop("data", None)
    augmentation = None
    if "augmentation" in values:
        table = values.pop("augmentation")
        augmentation = parts.component("augmentation", Augmentation, "augmentation", table)
    terms = parts.terms(values.pop("terms"))
    problems += _strange_keys(values)
    plan = validate(Plan, values, where="", problems=problems)
    if plan is not None and terms:
        problems += _unknown_terms(plan, terms)
    if problems:
        raise RecipeError(problems)
    assert arch is not None
    assert data is not None
    assert plan is not None
    built = {name: term for name, term in terms.items() if term is not None}
    return Recipe(parts.names, arch, data, built, plan, augmentation)


@dataclass
class Parts:
    """Builds components and remembers their names and what is wrong with them."""

    catalogue: Catalogue
    problems: list[str]
    names: dict[str, str] = field(default_factory=dict)

    def component(
        self, kind: str, base: type[AnyOptions], place: str, table: object
    ) -> AnyOptions | None:
        """Return the component that a table of the recipe describes."""
        if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
            self.problems.append(f"{place}: give it a name, as {place} = {{ name = … }}.")
            return None
        name = self.names[place] = table["name"]
        try:
            cls = self.catalogue.load(kind, name)
        except UnknownName as error:
            self.problems.append(f"{place}: {error}")
            return None
        if not issubclass(cls, base):
            self.problems.append(f"{place}: '{name}' is no {base.__name__}, its plugin is broken.")
            return None
        options = {key: value for key, value in table.items() if key != "name"}
        return validate(cls, options, where=place, problems=self.problems)

    def terms(self, tables: object) -> dict[str, Term | None]:
        """Return the losses and penalties by their names in the recipe."""
        if not isinstance(tables, Mapping) or not tables:
            self.problems.append("terms: name at least one loss; `gantk list loss` shows them.")
            return {}
        return {
            name: self.component(_term_kind(self.catalogue, table), Term, f"terms.{name}", table)
            for name, table in tables.items()
        }


def read_recipe(text: str, origin: str) -> Values:
    """Return the values of a recipe document. Raises `RecipeError` naming line and column."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecipeError([f"it is no TOML: {error}."], origin=origin) from error


def _defaults(catalogue: Catalogue) -> Values:
    loss = catalogue.default("loss")
    return {
        "terms": {"adversarial": {"name": loss}} if loss else {},
        "updates": {
            role: {"networks": [role], "role": role} for role in ("discriminator", "generator")
        },
    }


def _asked(data: str | None, named: object, catalogue: Catalogue) -> str | None:
    """Return the data asked for: `data.name` counts as `--data` does, unless that is a path."""
    known = catalogue.names("data")
    replaces = data is None or data in known
    return named if replaces and isinstance(named, str) and named in known else data


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
    values = _defaults(catalogue)
    if name is not None:
        values |= read_recipe(_recipe_text(name, catalogue), f"the recipe '{name}'")
    table = values.get("arch")
    if request.arch and (not isinstance(table, Mapping) or table.get("name") != request.arch):
        values["arch"] = {"name": request.arch}
    return values


def _recipe_text(name: str, catalogue: Catalogue) -> str:
    """Return a shipped recipe, else a file's text."""
    path = Path(name)
    if name in catalogue.names("recipe") or (path.suffix != ".toml" and not path.is_file()):
        return catalogue.recipe_text(name)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(
            f"No recipe file '{path}'. `gantk list recipe` shows shipped ones."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The recipe file '{path}' cannot be read: {error}.") from error


def _term_kind(catalogue: Catalogue, table: object) -> str:
    """Return the kind that a term's name is of, or the one it is a near miss of."""
    name = str(table.get("name")) if isinstance(table, Mapping) else ""
    losses, penalties = catalogue.names("loss"), catalogue.names("penalty")
    if name in penalties or (did_you_mean(name, penalties) and not did_you_mean(name, losses)):
        return "penalty"
    return "loss"


def _strange_keys(values: Values) -> list[str]:
    """Take out and name the top-level keys that no recipe has."""
    known = ["arch", "data", "augmentation", "terms", *Plan.model_fields]
    choices = f" A recipe has: {', '.join(known)}."
    strange = sorted(values.keys() - set(known))
    for key in strange:
        del values[key]
    return [f"{key}: no such key.{did_you_mean(key, known) or choices}" for key in strange]


def _unknown_terms(plan: Plan, terms: Mapping[str, Term | None]) -> list[str]:
    problems = [
        f"updates.{name}.terms: no term '{asked}'.{did_you_mean(asked, terms)} "
        f"The recipe has: {', '.join(terms)}."
        for name, update in plan.updates.items()
        for asked in update.terms or ()
        if asked.partition(".")[0] not in terms
    ]
    problems += [
        f"updates.{name}.terms: '{asked}' takes no part in the {update.role}'s updates; "
        "leave it out there."
        for name, update in plan.updates.items()
        for asked in update.terms or ()
        if (term := terms.get(asked.partition(".")[0])) and update.role not in term.roles
    ]
    return problems


def _lay(values: Values, changes: Mapping[str, object], problems: list[str]) -> None:
    """Put one layer over the values; a length in it replaces whatever length there was."""
    if changes.keys() & {"steps", "kimg"}:
        for key in LENGTHS:
            values.pop(key, None)
    for key, value in changes.items():
        put(values, key, value, problems)


def assigned(sets: Sequence[str], problems: list[str]) -> Values:
    """Return what `--set key=value` says, by dotted key."""
    found: Values = {}
    for assignment in sets:
        key, equals, text = assignment.partition("=")
        if equals and all(key.strip().split(".")):
            found[key.strip()] = _parsed(text.strip())
        else:
            problems.append(
                f"--set {assignment}: write it as key=value, like `--set arch.width=32`."
            )
    return found


def put(values: Values, key: str, value: object, problems: list[str]) -> None:
    """Set a dotted key in nested values; a problem is added where a table is something else."""
    *path, last = key.split(".")
    table = values
    for step in path:
        inner = table.setdefault(step, {})
        if not isinstance(inner, dict):
            problems.append(f"{key}: '{step}' is {inner!r}, not a table; set it whole instead.")
            return
        table = inner
    table[last] = copy.deepcopy(value)  # later keys may go into it


def _parsed(text: str) -> object:
    """Return `text` as the TOML value it spells, else as a string: `--set data.split=train`."""
    try:
        values = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return values["value"] if len(values) == 1 else text
