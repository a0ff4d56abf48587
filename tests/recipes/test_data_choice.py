"""A recipe may name several data sets: the first that can be had is used, and one line says why."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gan_toolkit import choice
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import DataError, RecipeError
from gan_toolkit.recipe import Recipe
from gan_toolkit.resolve import Request, resolve


def chosen(
    catalogue: Catalogue, folder: Path, data: str, asked: str | None = None, *sets: str
) -> tuple[Recipe, list[str]]:
    file = folder / "preference.toml"
    file.write_text(f'steps = 4\narch = {{name = "toy"}}\n{data}', encoding="utf-8")
    notes: list[str] = []
    request = Request(recipe=str(file), data=asked, sets=sets)
    return resolve(request, catalogue, notes.append), notes


ABSENT, POINTS = '[[data]]\nname = "absent"\n', '[[data]]\nname = "points"\n'


def test_the_first_that_is_here_is_used(catalogue: Catalogue, tmp_path: Path) -> None:
    recipe, notes = chosen(catalogue, tmp_path, POINTS + ABSENT)

    assert recipe.names["data"] == "points"
    assert notes == ["Data: points, made up on the spot"]


def test_one_line_says_which_and_why(catalogue: Catalogue, tmp_path: Path) -> None:
    recipe, notes = chosen(catalogue, tmp_path, ABSENT + POINTS)

    assert recipe.names["data"] == "points"
    assert notes == [
        "Data: points, made up on the spot; absent was passed over: it is on the moon."
    ]


def test_with_counts_only_for_the_chosen_entry(catalogue: Catalogue, tmp_path: Path) -> None:
    absent = ABSENT + "with = {batch = 2, arch.width = 9}\n"
    points = POINTS + 'count = 20\nwith = {batch = 6, steps = 7, "arch.latent" = 3}\n'

    recipe, _ = chosen(catalogue, tmp_path, absent + points)

    assert (recipe.plan.batch, recipe.plan.steps) == (6, 7)
    assert recipe.arch.plain().items() >= {"latent": 3, "width": 4}.items()
    assert recipe.data.plain() == {"count": 20}
    assert "with" not in recipe.toml()


def test_a_data_set_asked_for_is_taken_from_the_list_with_its_options(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    points = POINTS + "count = 20\nwith = {batch = 6}\n"

    recipe, notes = chosen(catalogue, tmp_path, ABSENT + points, asked="points")

    assert (recipe.data.plain(), recipe.plan.batch, notes) == ({"count": 20}, 6, [])


@pytest.mark.parametrize("asked", [None, "absent"])
def test_a_data_set_that_set_names_is_one_asked_for(
    catalogue: Catalogue, tmp_path: Path, asked: str | None
) -> None:
    points = POINTS + "count = 20\nwith = {batch = 6}\n"
    sets = ("data.name=points", "data.count=30")

    recipe, notes = chosen(catalogue, tmp_path, ABSENT + points, asked, *sets)

    assert (recipe.data.plain(), recipe.plan.batch, notes) == ({"count": 30}, 6, [])


def test_a_path_stays_where_set_names_what_opens_it(catalogue: Catalogue, tmp_path: Path) -> None:
    entry = '[data]\nname = "pictures"\npath = "old"\nresolution = 48\n'

    recipe, _ = chosen(catalogue, tmp_path, entry, "./new.zip", "data.name=pictures")

    assert recipe.data.plain() == {"count": 64, "path": "./new.zip", "resolution": 48}


def test_a_name_that_set_mistypes_is_told(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="data: No data 'piont'"):
        chosen(catalogue, tmp_path, POINTS, None, "data.name=piont")


def test_a_path_keeps_the_options_of_the_recipes_own_entry(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    entry = '[data]\nname = "pictures"\npath = "old"\nresolution = 48\n'

    recipe, _ = chosen(catalogue, tmp_path, entry, asked="./new.zip")

    assert recipe.data.plain() == {"count": 64, "path": "./new.zip", "resolution": 48}


def test_none_at_hand_lists_every_reason(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        chosen(catalogue, tmp_path, ABSENT + ABSENT)

    assert str(raised.value) == (
        "None of the recipe's data sets can be had:"
        "\n  - absent was passed over: it is on the moon."
        * 1
        + "\n  - absent was passed over: it is on the moon.\nName one with --data."
    )


def test_all_probes_together_are_bounded(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "PROBE_SECONDS", 0.6)
    hanging = '[[data]]\nname = "hanging"\n'
    begun = time.monotonic()

    recipe, notes = chosen(catalogue, tmp_path, hanging + hanging + POINTS)

    assert time.monotonic() - begun < 2
    assert recipe.names["data"] == "points"
    assert "hanging was passed over: no answer within 0.2 s." in notes[0]


def test_the_promise_is_five_seconds() -> None:
    assert choice.PROBE_SECONDS == 5


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('[[data]]\nname = "abent"\n', "data: No data 'abent'. Did you mean 'absent'"),
        ("[[data]]\ncount = 3\n", "data: give it a name"),
        ('[[data]]\nname = "absent"\ncuont = 3\n', "data.cuont: no such option."),
        ('[[data]]\nname = "points"\nwith = 3\n', "data.with: must be a table, got 3"),
    ],
)
def test_a_wrong_entry_is_told_though_another_one_would_do(
    catalogue: Catalogue, tmp_path: Path, entry: str, said: str
) -> None:
    with pytest.raises(RecipeError, match=said):
        chosen(catalogue, tmp_path, entry + POINTS)
