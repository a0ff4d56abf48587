"""How a recipe comes together: layers, `--set`, lengths."""

from __future__ import annotations

from pathlib import Path

import pytest

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import RecipeError
from gan_toolkit.recipe import Ema, Recipe
from gan_toolkit.resolve import Request, resolve


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("seed=7", 7),
        ("seed=0x10", 16),
        ("seed=1_000", 1000),
        ("seed = 7 ", 7),
        ("seed=7 # seven", 7),
    ],
)
def test_set_reads_whole_numbers(catalogue: Catalogue, typed: str, value: int) -> None:
    assert resolve(Request(recipe="toy", sets=[typed]), catalogue).plan.seed == value


@pytest.mark.parametrize(("typed", "value"), [("1e-3", 1e-3), ("2", 2.0), ("0.5", 0.5)])
def test_set_reads_numbers(catalogue: Catalogue, typed: str, value: float) -> None:
    key = "updates.generator.optimiser.lr"
    recipe = resolve(Request(recipe="toy", sets=[f"{key}={typed}"]), catalogue)

    assert recipe.plan.updates["generator"].optimiser.lr == value


def test_set_reads_booleans_arrays_tables_and_bare_strings(catalogue: Catalogue) -> None:
    recipe = resolve(
        Request(
            recipe="toy",
            sets=[
                "updates.generator.fresh_reals=true",
                'updates.generator.terms=["adversarial.fake"]',
                "updates.generator.rates={generator = 0.5}",
                "compute.precision=bf16",
                'compute.device="cpu"',
            ],
        ),
        catalogue,
    )

    generator = recipe.plan.updates["generator"]
    assert generator.fresh_reals is True
    assert generator.terms == ("adversarial.fake",)
    assert generator.rates == {"generator": 0.5}
    assert (recipe.plan.compute.precision, recipe.plan.compute.device) == ("bf16", "cpu")


def test_set_keeps_equals_signs_in_the_value(catalogue: Catalogue) -> None:
    recipe = resolve(
        Request(recipe="toy", data="./a.zip", sets=["data.path=/tmp/a=b c"]), catalogue
    )

    assert recipe.data.plain()["path"] == "/tmp/a=b c"


@pytest.mark.parametrize("text", ["1\nkimg = 3", "[" * 5000, "9" * 5000])
def test_set_takes_what_is_no_toml_value_as_a_string(catalogue: Catalogue, text: str) -> None:
    with pytest.raises(RecipeError, match="seed: must be a valid integer, got '"):
        resolve(Request(recipe="toy", sets=[f"seed={text}"]), catalogue)


def test_later_layers_win(catalogue: Catalogue, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'seed = 1\nbatch = 4\nsteps = 9\narch = {name = "toy", latent = 5}\n'
        'data = {name = "points", count = 10, with = {batch = 6, arch.width = 2}}\n',
        encoding="utf-8",
    )

    def plan(**more: object) -> Recipe:
        return resolve(Request(recipe=str(file), **more), catalogue)  # type: ignore[arg-type]  # built by tests

    assert plan().plan.batch == 6, "`with` beats the recipe"
    assert plan(settings={"batch": 8}).plan.batch == 8, "a flag beats `with`"
    assert plan(settings={"batch": 8}, sets=["batch=10"]).plan.batch == 10, "--set beats a flag"
    assert plan(sets=["batch=10", "batch=12"]).plan.batch == 12, "the last --set wins"
    kept = plan().arch.plain().items()
    assert kept >= {"latent": 5, "width": 2}.items(), "`with` keeps the table's other keys"


def test_a_request_is_left_as_it_was(catalogue: Catalogue) -> None:
    settings = {"arch": {"name": "toy"}, "arch.latent": 5}

    assert resolve(Request(recipe="toy", settings=settings), catalogue).arch.plain()["latent"] == 5
    assert settings == {"arch": {"name": "toy"}, "arch.latent": 5}


def test_arch_alone_takes_the_recipe_of_its_name(catalogue: Catalogue) -> None:
    assert resolve(Request(arch="toy"), catalogue).plan.steps == 4


def test_another_arch_replaces_the_table_of_the_recipe(catalogue: Catalogue) -> None:
    recipe = resolve(Request(recipe="toy", arch="dcgan"), catalogue)

    assert recipe.names["arch"] == "dcgan"
    assert recipe.arch.plain().items() >= {"latent": 100, "width": 64}.items()


def test_a_recipe_file_needs_only_an_architecture_and_data(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    file = tmp_path / "least.toml"
    file.write_text('arch = {name = "toy"}\ndata = {name = "points"}\n', encoding="utf-8")

    recipe = resolve(Request(recipe=str(file)), catalogue)

    assert recipe.names == {
        "arch": "toy",
        "data": "points",
        "terms.adversarial": "non-saturating",
    }
    assert list(recipe.plan.updates) == ["discriminator", "generator"]


def test_a_shipped_name_wins_over_a_file_beside_you(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("toy").write_text("steps = 77", encoding="utf-8")

    assert resolve(Request(recipe="toy"), catalogue).plan.steps == 4


@pytest.mark.parametrize(
    ("request_", "length"),
    [
        (Request(recipe="toy"), 4),
        (Request(recipe="toy", settings={"steps": 6}), 6),
        (Request(recipe="toy", settings={"kimg": 0.08}), 10),
        (Request(recipe="toy", sets=["kimg=0.08"]), 10),
        (Request(recipe="toy", settings={"kimg": 1.0}, sets=["batch=10"]), 100),
        (Request(recipe="toy", settings={"kimg": 0.08}, sets=["updates.discriminator.times=2"]), 5),
    ],
)
def test_a_length_asked_for_replaces_the_recipes(
    catalogue: Catalogue, request_: Request, length: int
) -> None:
    assert resolve(request_, catalogue).plan.length == length


def test_a_new_length_forgets_the_old_span_of_schedules(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    file = tmp_path / "resolved.toml"
    resolved = resolve(Request(recipe="toy", sets=["planned_steps=4"]), catalogue)
    file.write_text(resolved.toml(), encoding="utf-8")

    assert resolve(Request(recipe=str(file)), catalogue).plan.span == 4
    assert resolve(Request(recipe=str(file), settings={"steps": 50}), catalogue).plan.span == 50


def test_options_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Ema().ramp = 3.0  # type: ignore[misc]  # that is the point
