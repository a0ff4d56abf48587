"""The MLP's recipes for points are what they say, and begin to learn."""

from __future__ import annotations

from pathlib import Path

import pytest

import gan_toolkit
from gan_toolkit import Schedule
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.resolve import Request, resolve
from gantk_mlp.networks import MLP

POINTS = [
    Request(recipe="grid25"),
    Request(recipe="ring8"),
    Request(arch="mlp"),
    Request(arch="mlp", data="ring"),
]
NAMES = ["grid25", "ring8", "mlp-grid", "mlp-ring"]


@pytest.mark.parametrize("request_", POINTS, ids=NAMES)
def test_pairs_are_penalised_on_reals_and_fakes_alike_by_a_falling_factor(
    request_: Request,
) -> None:
    recipe = resolve(request_, Catalogue.discover())
    names = {place: name for place, name in recipe.names.items() if place.startswith("terms.")}
    assert sorted(names.values()) == ["r1", "r2", "relativistic-pairing"]
    one, other = (term for term in recipe.terms.values() if hasattr(term, "gamma"))
    assert one.gamma == other.gamma
    assert isinstance(one.gamma, Schedule)
    assert one.gamma.end < one.gamma.start
    assert one.every == other.every == (4 if request_.recipe else 1)


@pytest.mark.parametrize("request_", POINTS, ids=NAMES)
def test_latents_are_plane_normals_as_in_the_protocol_and_layers_narrow(request_: Request) -> None:
    arch = resolve(request_, Catalogue.discover()).arch
    assert isinstance(arch, MLP)
    assert (arch.latent, arch.prior) == (2, "normal")
    assert set(arch.hidden) == {64}


def test_for_grid_and_ring_the_default_networks_differ_in_depth_alone() -> None:
    one, other = (resolve(each, Catalogue.discover()).arch for each in POINTS[2:])
    assert isinstance(one, MLP)
    assert isinstance(other, MLP)
    own = {"wavelength": 0.0, "hidden": ()}
    assert one.model_copy(update=own) == other.model_copy(update=own)


@pytest.mark.parametrize("recipe", ["grid25", "ring8"])
def test_the_generator_slows_down_and_the_discriminator_less(recipe: str) -> None:
    updates = resolve(Request(recipe=recipe), Catalogue.discover()).plan.updates
    D, G = (vars(updates[name].optimiser)["lr"] for name in ("discriminator", "generator"))
    left = D.at(1) / D.at(0) if isinstance(D, Schedule) else 1
    assert G.at(1) / G.at(0) < left / 10


def test_in_the_grid_the_discriminator_alone_keeps_its_rate() -> None:
    updates = resolve(Request(recipe="grid25"), Catalogue.discover()).plan.updates
    D, G = (vars(updates[name].optimiser)["lr"] for name in ("discriminator", "generator"))
    assert isinstance(D, float)
    assert G.at(1) < G.at(0) < D


@pytest.mark.parametrize("recipe", ["grid25", "ring8", "mlp"])
def test_a_recipe_makes_its_first_steps(recipe: str, tmp_path: Path) -> None:
    few = {"steps": 2, "batch": 16, "sample_every": 2, "log_every": 1}
    run = gan_toolkit.train(recipe=recipe, settings=few, out=tmp_path / "run")
    assert [row["step"] for row in run.rows()] == [1, 2]
    assert gan_toolkit.load(run.path).sample(3).isfinite().all()


def test_images_keep_the_wide_networks_of_the_default_recipe() -> None:
    recipe = resolve(Request(arch="mlp", data="digits"), Catalogue.discover())
    assert isinstance(recipe.arch, MLP)
    assert recipe.arch.octaves == 0
    assert min(recipe.arch.hidden) >= 256
