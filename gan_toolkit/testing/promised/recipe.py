"""What a recipe promises."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gan_toolkit.data import DataSet, DataSpec
from gan_toolkit.errors import DataError, UnknownName
from gan_toolkit.fit import refusals
from gan_toolkit.recipe import Recipe, Values, differences
from gan_toolkit.resolve import Request, build, read_recipe, resolve
from gan_toolkit.testing.promises import Broken, NotMade, Subject, promise
from gan_toolkit.testing.stages.opening import required
from gan_toolkit.testing.stages.surroundings import offline
from gan_toolkit.testing.stages.trial import after

COMMAND = "gantk train"


@promise("recipe")
def it_is_a_toml_file_that_is_there(it: Subject) -> None:
    """The file lies in the package and is TOML.

    It is shown, copied and trained from by its name. Ship it beside your modules, and see that your
    build takes files that are no Python along.
    """
    _values(it)


@promise("recipe")
@after(it_is_a_toml_file_that_is_there)
def it_opens_with_what_it_is_and_its_command(it: Subject) -> None:
    """The file begins with a comment: what it reproduces in a sentence, then its `gantk train`.

    Whoever copies a recipe reads that and nothing else. Add the hardware and the time that you saw,
    and which score to expect.
    """
    assert it.component is not None
    lines = it.catalogue.recipe_text(it.component.name).splitlines()
    header = list(_leading_comment(lines))
    if not header or not header[0]:
        raise Broken(f"its first line is {lines[0] if lines else ''!r}")
    if not any(COMMAND in line for line in header):
        raise Broken(f"its first comment holds no `{COMMAND}`")


@promise("recipe")
@after(it_is_a_toml_file_that_is_there)
def every_component_that_it_names_is_installed(it: Subject) -> None:
    """Architecture, data, augmentation and terms of the recipe are names of installed components.

    A recipe whose parts a user must look for is none. Depend on the distributions that bring them.
    """
    missing = []
    for kinds, name in _named(_values(it)):
        if not any(name in it.catalogue.names(kind) for kind in kinds):
            missing.append(str(UnknownName(kinds[0], name, it.catalogue.names(kinds[0]))))
    if missing:
        raise Broken(" ".join(missing))


@promise("recipe")
@after(every_component_that_it_names_is_installed)
def it_is_a_sound_recipe_with_all_of_its_data(it: Subject) -> None:
    """The recipe resolves with each of the data sets that it lists: no unknown key, no bad value.

    Users choose among them with `--data`, and `with` may change anything for one of them. Try
    `gantk train --recipe NAME --data DATA --dry-run` for each.
    """
    _resolved(it)


@promise("recipe")
@after(it_is_a_sound_recipe_with_all_of_its_data)
def it_survives_being_written_down(it: Subject) -> None:
    """Resolved, written to TOML and read back, the recipe is the same.

    A run folder holds it in that form, and is resumed from it. Options of plain types keep this
    promise by themselves.
    """
    for recipe in _resolved(it):
        again = build(read_recipe(recipe.toml(), "what was written"), it.catalogue)
        if again.values() != recipe.values():
            grave, harmless = differences(recipe.values(), again)
            changed = "; ".join([*grave, *harmless])
            raise Broken(f"with {recipe.names['data']} it comes back changed: {changed}")


@promise("recipe")
@after(it_is_a_sound_recipe_with_all_of_its_data)
def its_parts_fit_its_data(it: Subject) -> None:
    """Nothing of the recipe refuses the data that it lists, as far as that is at hand.

    What cannot be mixed is said before training, and a recipe that is refused then was never run.
    """
    if not _listed(_values(it)):
        raise NotMade("it lists no data")
    at_hand = [(recipe, spec) for recipe in _resolved(it) if (spec := _spec(recipe.data))]
    if not at_hand:
        raise NotMade("none of its data is at hand")
    for recipe, spec in at_hand:
        if reasons := refusals(recipe, spec.ranged(*recipe.arch.sample_range)):
            raise Broken(f"with {recipe.names['data']}: {' '.join(reasons)}")


@functools.lru_cache(maxsize=1)
def _resolved(it: Subject) -> Sequence[Recipe]:
    """Return the recipe as it is resolved with each data set that it lists, or with any one."""
    assert it.component is not None
    listed = [str(entry.get("name")) for entry in _listed(_values(it))] or _any_data(it)
    requests = [Request(recipe=it.component.name, data=name) for name in dict.fromkeys(listed)]
    return [resolve(request, it.catalogue) for request in requests]


def _any_data(it: Subject) -> list[str]:
    """Return the name of a data set that asks for nothing."""
    names = (component.name for component, _ in it.catalogue.components("data"))
    ready = (name for name in names if not required(it.catalogue.load("data", name)))
    return list(itertools.islice(ready, 1))


def _values(it: Subject) -> Values:
    assert it.component is not None
    name = it.component.name
    return read_recipe(it.catalogue.recipe_text(name), f"the recipe '{name}'")


def _leading_comment(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of the comment that a recipe begins with."""
    for line in lines:
        if not line.startswith("#"):
            return
        yield line.removeprefix("#").strip()


def _named(values: Values) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the kinds and the name of every component that a recipe asks for."""
    terms = values.get("terms", {})
    tables: dict[tuple[str, ...], list[object]] = {
        ("architecture",): [values.get("arch")],
        ("data",): [*_listed(values)],
        ("augmentation",): [values.get("augmentation")],
        ("loss", "penalty"): [*terms.values()] if isinstance(terms, Mapping) else [],
    }
    for kinds, found in tables.items():
        for table in found:
            if isinstance(table, Mapping) and "name" in table:
                yield kinds, str(table["name"])


def _listed(values: Values) -> list[Values]:
    """Return the data sets that a recipe lists, one table each."""
    listed = values.get("data", [])
    return listed if isinstance(listed, list) else [listed]


def _spec(data: DataSet) -> DataSpec | None:
    """Return the spec of data that is at hand."""
    with offline():
        try:
            return data.open().spec
        except DataError:
            return None
