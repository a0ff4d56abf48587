"""The doctor's visit to a run's folder: findings, and what installed parts offer against them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator

from gan_toolkit import bundle
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import DataSet
from gan_toolkit.doctor.doctor import Doctor
from gan_toolkit.doctor.finding import Finding
from gan_toolkit.errors import GantkError
from gan_toolkit.fit import refusals
from gan_toolkit.recipe import Values
from gan_toolkit.resolve import build
from gan_toolkit.run import Run

REMEDIES = ("augmentation", "penalty", "loss")
"""Kinds of components that a recipe can take against a finding."""


def consulted(run: Run) -> Doctor:
    """Return a doctor who has read all of a run's metrics."""
    doctor = Doctor(run.recipe())
    doctor.read(run.rows())
    return doctor


def examine(run: Run, catalogue: Catalogue | None = None) -> list[Finding]:
    """Return everything that was found in a run, what lasts first, then what is over.

    To what lasts, installed components that say they help are added where they fit the recipe.
    """
    values, doctor = run.recipe(), consulted(run)
    catalogue = catalogue or Catalogue.discover()
    lasting = [
        dataclasses.replace(f, advice=(*f.advice, *_remedies(run, values, f.name, catalogue)))
        for f in doctor.findings
    ]
    return [*lasting, *(finding for finding in doctor.history if finding.until is not None)]


def _remedies(run: Run, values: Values, finding: str, catalogue: Catalogue) -> Iterator[str]:
    """Yield the settings that add a component which helps, and which this recipe can take."""
    for kind in REMEDIES:
        for component, _ in catalogue.components(kind):
            if finding not in component.helps or component.name in _taken(values):
                continue
            place = _place(kind, component.name, values, catalogue)
            if place and _fits(run, values, place, component.name, catalogue):
                yield f"--set {place}.name={component.name}"


def _taken(values: Values) -> set[str]:
    tables = [*values["terms"].values(), values.get("augmentation", {})]
    return {table.get("name", "") for table in tables}


def _place(kind: str, name: str, values: Values, catalogue: Catalogue) -> str:
    """Return the key of the table that a component would be named in, or nothing."""
    if kind == "augmentation":
        return kind
    if kind == "penalty":
        return f"terms.{name}"
    losses = catalogue.names("loss")
    return next((f"terms.{key}" for key, t in values["terms"].items() if t["name"] in losses), "")


def _fits(run: Run, values: Values, place: str, name: str, catalogue: Catalogue) -> bool:
    changed = copy.deepcopy(values)
    *path, last = place.split(".")
    table = changed
    for key in path:
        table = table[key]
    table[last] = {"name": name}
    try:
        spec = bundle.read(bundle.locate(run.path))[0].data
        return not refusals(build(changed, catalogue, data=DataSet()), spec)
    except GantkError:
        return False
