"""The recipe `quadratic` is the vanilla GAN on a curve, number by number."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gan_toolkit import Recipe
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.feed import Feed
from gan_toolkit.resolve import Request, resolve
from gan_toolkit.state import TrainState
from gan_toolkit.step import step

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """Return the recipe as `gantk train --recipe quadratic` resolves it."""
    return resolve(Request(recipe="quadratic"), Catalogue.discover())


@pytest.fixture
def feed(recipe: Recipe) -> Feed:
    """Return what a step of it is fed."""
    return Feed(recipe, recipe.data.open(), CPU)


@pytest.fixture
def state(recipe: Recipe, feed: Feed) -> TrainState:
    """Return the state before its first step."""
    return TrainState(recipe, feed.spec, CPU)


def layers(network: nn.Module) -> list[str]:
    """Return the layers in order, each with its sizes or its leak."""
    return [
        f"dense {m.in_features}-{m.out_features}" if isinstance(m, nn.Linear) else "leaky 0.2"
        for m in network.modules()
        if isinstance(m, nn.Linear) or (isinstance(m, nn.LeakyReLU) and m.negative_slope == 0.2)
    ]


def test_the_networks_have_the_layers_of_the_table(state: TrainState) -> None:
    hidden = ["dense 2-16", "leaky 0.2", "dense 16-16", "leaky 0.2", "dense 16-2"]
    assert layers(state.networks["generator"]) == hidden
    assert layers(state.networks["discriminator"]) == [*hidden, "dense 2-1"]


def test_the_networks_hold_as_many_parameters_as_counted_by_hand(state: TrainState) -> None:
    trunk = (2 * 16 + 16) + (16 * 16 + 16) + (16 * 2 + 2)
    counted = {
        name: sum(w.numel() for w in net.parameters()) for name, net in state.networks.items()
    }
    assert counted == {"generator": trunk, "discriminator": trunk + 2 + 1}
    assert counted == {"generator": 354, "discriminator": 357}


def test_the_discriminator_returns_a_logit_and_two_features(
    recipe: Recipe, state: TrainState
) -> None:
    judged = recipe.arch.judge(state.networks, {"sample": torch.randn(7, 2)}, {})
    assert judged.logits.shape == (7,)
    assert judged.features is not None
    assert judged.features.shape == (7, 2)
    nets = state.networks["discriminator"]
    head = nets.get_submodule("head")
    assert torch.equal(judged.logits, head(judged.features).flatten())


def test_weights_start_uniform_in_glorots_bound_and_biases_at_zero(state: TrainState) -> None:
    for network in state.networks.values():
        for layer in (m for m in network.modules() if isinstance(m, nn.Linear)):
            bound = (6 / (layer.in_features + layer.out_features)) ** 0.5
            assert layer.weight.abs().max() <= bound
            assert layer.weight.abs().max() > 0.8 * bound or layer.weight.numel() < 10
            assert not layer.bias.any()


def test_both_networks_learn_by_the_same_rmsprop(state: TrainState) -> None:
    assert state.optimisers.keys() == {"discriminator", "generator"}
    for optimiser in state.optimisers.values():
        assert isinstance(optimiser, torch.optim.RMSprop)
        group = optimiser.param_groups[0]
        numbers = {key: group[key] for key in ("alpha", "eps", "momentum", "centered")}
        assert numbers == {"alpha": 0.9, "eps": 1e-10, "momentum": 0.0, "centered": False}
        assert group["weight_decay"] == 0


def test_the_schedule_is_100001_alternating_steps_of_256_at_a_constant_rate(
    recipe: Recipe, feed: Feed, state: TrainState
) -> None:
    plan = recipe.plan
    assert (plan.length, plan.batch, plan.accumulate) == (100_001, 256, 1)
    assert (plan.log_every, plan.sample_every) == (10, 1000)
    assert [(name, u.role, u.times, u.starts_at) for name, u in plan.updates.items()] == [
        ("discriminator", "discriminator", 1, 0),
        ("generator", "generator", 1, 0),
    ]
    for state.step in (0, 50_000, 100_000):
        moves, drawn = feed.moves(state)
        assert [(move.name, move.lr) for move in moves] == [
            ("discriminator", 0.001),
            ("generator", 0.001),
        ]
        assert drawn == 256


def test_data_are_fresh_points_of_the_curve_and_latents_uniform_in_the_square(
    recipe: Recipe, feed: Feed, state: TrainState
) -> None:
    (first, _), _ = feed.moves(state)
    state.step, state.nimg = 1, 256
    (second, generating), _ = feed.moves(state)
    points = torch.cat([first.reals["sample"], second.reals["sample"]])
    assert feed.spec.length is None
    assert len(torch.unique(points[:, 0])) > 500
    assert points[:, 0].min() >= -50
    assert points[:, 0].max() < 50
    assert points[:, 0].max() - points[:, 0].min() > 95
    torch.testing.assert_close(points[:, 1], 10 + points[:, 0] ** 2)
    z = torch.cat([move.draws["z"] for move in (first, second, generating)])
    assert z.shape == (3 * 256, 2)
    assert z.min() >= -1
    assert z.max() < 1
    assert float(z.var()) == pytest.approx(4 / 12, rel=0.1)


def test_the_loss_is_cross_entropy_and_nothing_else(
    recipe: Recipe, feed: Feed, state: TrainState
) -> None:
    assert recipe.names["terms.adversarial"] == "non-saturating"
    assert list(recipe.terms) == ["adversarial"]
    (move, _), _ = feed.moves(state)
    nets = state.networks
    fakes = nets["generator"](move.draws["z"])
    cross_entropy = nn.functional.binary_cross_entropy_with_logits
    with torch.no_grad():
        real, fake = nets["discriminator"](move.reals["sample"])[0], nets["discriminator"](fakes)[0]
    expected = {
        "discriminator.adversarial.real": cross_entropy(real, torch.ones_like(real)).item(),
        "discriminator.adversarial.fake": cross_entropy(fake, torch.zeros_like(fake)).item(),
    }
    step(state, *feed.moves(state))
    means = state.readings.means()
    assert {name: means[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_what_is_sampled_is_the_generator_itself_and_no_average(
    feed: Feed, state: TrainState
) -> None:
    for _ in range(3):
        step(state, *feed.moves(state))
    learned = state.networks["generator"].state_dict()
    for name, weight in state.ema["generator"].state_dict().items():
        assert torch.equal(weight, learned[name])
