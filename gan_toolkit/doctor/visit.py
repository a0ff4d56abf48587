"""The doctor's visit to a run's folder: findings, and what installed parts offer against them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

from gan_toolkit import bundle
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import DataSet, DataSpec
from gan_toolkit.doctor.doctor import Doctor
from gan_toolkit.doctor.finding import Finding
from gan_toolkit.errors import GantkError, RunError
from gan_toolkit.fit import refusals
from gan_toolkit.recipe import Values
from gan_toolkit.resolve import build, put
from gan_toolkit.run import Row, Run

REMEDIES = ("augmentation", "penalty", "loss")
"""Kinds of components that a recipe can take against a finding."""


def consulted(run: Run, rows: Sequence[Row] | None = None) -> Doctor:
    """Return a doctor who has read all of a run's metrics, the `rows` if they are at hand.

    Raises `RunError` when recipe or metrics are not as a run writes them.
    """
    try:
        return Doctor(run.recipe(), run.rows() if rows is None else rows)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise RunError(
            f"'{run.recipe_path}' or the metrics beside it are not as a run writes them "
            f"({type(error).__name__}: {error}). The newest checkpoint's state.json holds the "
            "recipe too."
        ) from error


def examine(run: Run, catalogue: Catalogue, doctor: Doctor | None = None) -> list[Finding]:
    """Return everything that was found in a run, what lasts first, then what is over.

    To what lasts, installed components that say they help are added where they fit the recipe.
    `doctor` is one who has read the run already, if there is one.
    """
    doctor = doctor or consulted(run)
    offers = _offers(run, catalogue, {found.name for found in doctor.findings})
    lasting = [
        dataclasses.replace(
            found, advice=(*found.advice, *(key for helps, key in offers if found.name in helps))
        )
        for found in doctor.findings
    ]
    return [*lasting, *(finding for finding in doctor.history if finding.until is not None)]


def _offers(run: Run, catalogue: Catalogue, against: set[str]) -> list[tuple[tuple[str, ...], str]]:
    """Return installed components that help: against what, and the setting that adds each.

    Only those that the run lacks and that its recipe can take.
    """
    if not against:
        return []
    values = run.recipe()
    try:
        spec = bundle.describe(bundle.locate(run.path)).data
    except GantkError:
        return []  # nothing was exported yet: what fits its data is not known
    tables = [*values["terms"].values(), values.get("augmentation", {})]
    taken = {table.get("name", "") for table in tables}
    places = {
        f"{place}.name={component.name}": (component.helps, place, component.name)
        for kind in REMEDIES
        for component, _ in catalogue.components(kind)
        if against.intersection(component.helps) and component.name not in taken
        for place in _places(kind, component.name, values, catalogue)
    }
    return [
        (helps, f"--set {setting}")
        for setting, (helps, place, name) in places.items()
        if _fits(values, place, name, catalogue, spec)
    ]


def _places(kind: str, name: str, values: Values, catalogue: Catalogue) -> list[str]:
    """Return the key of the table that a component would be named in, if the recipe has any."""
    if kind == "augmentation":
        return [kind]
    if kind == "penalty":
        return [f"terms.{name}"]
    losses = catalogue.names("loss")
    return [f"terms.{key}" for key, table in values["terms"].items() if table["name"] in losses][:1]


def _fits(values: Values, place: str, name: str, catalogue: Catalogue, spec: DataSpec) -> bool:
    changed, problems = copy.deepcopy(values), list[str]()
    put(changed, place, {"name": name}, problems)
    try:
        recipe = build(changed, catalogue, data=DataSet(), problems=problems)
        return not refusals(recipe, spec)
    except GantkError:
        return False
