"""A resolved recipe, written as TOML and read again, is the same recipe."""

from __future__ import annotations

import functools
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.recipe import Recipe
from gan_toolkit.resolve import Request, build, resolve

Values = dict[str, Any]  # Any: TOML nests freely

number = st.floats(1e-12, 1e12)
unit = st.floats(0, 1, exclude_max=True)
schedule = st.fixed_dictionaries(
    {"start": number, "end": number},
    optional={
        "shape": st.sampled_from(["linear", "cosine", "exponential"]),
        "begin": st.floats(0, 0.5),
    },
).map(lambda table: {**table, "finish": 0.75})
optimiser = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"lr": number | schedule, "beta1": unit, "beta2": unit, "eps": number}
    ),
    st.fixed_dictionaries({"name": st.just("sgd"), "lr": number | schedule, "momentum": unit}),
    st.fixed_dictionaries({"name": st.just("rmsprop")}, optional={"decay": unit, "lr": number}),
)
update = st.fixed_dictionaries(
    {},
    optional={
        "optimiser": optimiser,
        "times": st.integers(1, 5),
        "starts_at": st.integers(0, 9),
        "fresh_reals": st.booleans(),
        "terms": st.just(["adversarial.fake", "second"]),
    },
)
length: st.SearchStrategy[Values] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"steps": st.integers(10, 10**9)}),
    st.fixed_dictionaries({"kimg": st.floats(1e4, 1e9)}),
)
plans = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**63 - 1),
        "batch": st.sampled_from([4, 32, 60]),
        "accumulate": st.sampled_from([1, 2, 4]),
        "ema": st.fixed_dictionaries({"half_life_kimg": number, "ramp": unit}),
        "compute": st.fixed_dictionaries(
            {
                "device": st.sampled_from(["auto", "cpu", "cuda:3"]),
                "precision": st.sampled_from(["fp32", "bf16"]),
                "threads": st.integers(0, 8),
            }
        ),
        "log_every": st.integers(1, 10**6),
        "keep": st.integers(1, 10),
    },
)


@functools.cache
def catalogue_of(code: str) -> Catalogue:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fixed_point.py"
        file.write_text(code, encoding="utf-8")
        return Catalogue.discover([file])


def again(recipe: Recipe, catalogue: Catalogue) -> Recipe:
    return build(tomllib.loads(recipe.toml()), catalogue)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=plans, length=length, first=update, second=update, width=st.integers(1, 64))
def test_a_resolved_recipe_is_a_fixed_point(
    toy_code: str, plan: Values, length: Values, first: Values, second: Values, width: int
) -> None:
    catalogue = catalogue_of(toy_code)
    values = {
        **plan,
        **length,
        "arch": {"name": "toy", "width": width},
        "data": {"name": "points"},
        "terms": {"adversarial": {"name": "minimax"}, "second": {"name": "toy-weight"}},
        "updates": {
            "discriminator": {"networks": ["discriminator"], "role": "discriminator", **first},
            "generator": {
                "networks": ["generator"],
                "role": "generator",
                "rates": {"generator": 0.5},
                **second,
            },
        },
    }

    recipe = build(values, catalogue)

    assert again(recipe, catalogue) == recipe
    assert again(recipe, catalogue).toml() == recipe.toml()


def test_every_shipped_recipe_is_a_fixed_point(catalogue: Catalogue) -> None:
    for name in catalogue.names("recipe"):
        recipe = resolve(Request(recipe=name, data="points"), catalogue)

        assert again(recipe, catalogue) == recipe


def test_a_resolved_recipe_names_every_option(catalogue: Catalogue) -> None:
    text = resolve(Request(recipe="toy"), catalogue).toml()

    for key in ("latent", "width", "count", "every", "beta2", "half_life_kimg", "precision"):
        assert f"{key} = " in text


def test_an_exported_recipe_leaves_the_machine_out(catalogue: Catalogue) -> None:
    recipe = resolve(Request(recipe="toy", sets=["compute.precision=bf16"]), catalogue)

    exported = recipe.values(exported=True)

    assert exported["compute"] == {"precision": "bf16"}
    machine = {"device", "threads", "engine", "batch_norm", "channels_last", "deterministic"}
    assert set(recipe.values()["compute"]) == {"precision", *machine}
    assert again(recipe, catalogue) == recipe
