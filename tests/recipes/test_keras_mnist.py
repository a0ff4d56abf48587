"""The recipe `keras-mnist` is the published system, number by number, written out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

import gan_toolkit
from gan_toolkit import DataSpec, FieldSpec
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.optimisers import Adam
from gan_toolkit.recipe import Recipe
from gan_toolkit.resolve import Request, resolve

MNIST = DataSpec(
    name="mnist", fields={"sample": FieldSpec(shape=(1, 28, 28), low=0.0, high=1.0)}, length=60_000
)


def resolved(*sets: str) -> Recipe:
    return resolve(Request(recipe="keras-mnist", sets=sets), Catalogue.discover())


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return resolved()


def networks(recipe: Recipe) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return dict(recipe.arch.networks(MNIST, 0))


def layers(network: nn.Module, given: torch.Tensor) -> list[tuple[str, tuple[int, ...]]]:
    """Return every layer's kind and the shape that leaves it, batch left out."""
    seen: list[tuple[str, tuple[int, ...]]] = []
    for module in network.children():
        module.register_forward_hook(
            lambda m, i, out: seen.append((type(m).__name__, tuple(out.shape[1:])))
        )
    network(given)
    return seen


def counted(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_data_is_mnists_training_images_in_0_to_1(recipe: Recipe) -> None:
    assert recipe.names["data"] == "mnist"
    assert recipe.data.plain() == {"split": "train", "resolution": 28}
    assert recipe.arch.sample_range == (0.0, 1.0)


def test_latents_are_100_standard_normal_numbers(recipe: Recipe) -> None:
    draws = recipe.arch.draws(MNIST)
    z = draws["z"].sample(1000, torch.Generator().manual_seed(0))
    assert (list(draws), z.shape) == (["z"], (1000, 100))
    assert float(z.mean()) == pytest.approx(0, abs=4 / math.sqrt(z.numel()))
    assert float(z.square().mean()) == pytest.approx(1, abs=4 * math.sqrt(2 / z.numel()))


def test_the_generator_is_that_of_the_table(recipe: Recipe) -> None:
    assert layers(networks(recipe)["generator"], torch.randn(2, 100)) == [
        ("Linear", (4608,)),  # 128 · 6 · 6
        ("LeakyReLU", (4608,)),
        ("Unflatten", (128, 6, 6)),
        ("ConvTranspose2d", (128, 14, 14)),
        ("LeakyReLU", (128, 14, 14)),
        ("ConvTranspose2d", (128, 30, 30)),
        ("LeakyReLU", (128, 30, 30)),
        ("Conv2d", (1, 28, 28)),
        ("Sigmoid", (1, 28, 28)),
    ]


def test_the_discriminator_is_that_of_the_table(recipe: Recipe) -> None:
    assert layers(networks(recipe)["discriminator"], torch.rand(2, 1, 28, 28)) == [
        ("Conv2d", (64, 13, 13)),
        ("LeakyReLU", (64, 13, 13)),
        ("Conv2d", (64, 6, 6)),
        ("LeakyReLU", (64, 6, 6)),
        ("Flatten", (2304,)),  # 64 · 6 · 6
        ("Linear", (1,)),
    ]


def test_kernels_strides_padding_and_leak_are_those_of_the_table(recipe: Recipe) -> None:
    modules = [m for net in networks(recipe).values() for m in net.modules()]
    assert [
        (m.kernel_size, m.stride, m.padding)
        for m in modules
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)
    ] == [
        ((4, 4), (2, 2), (0, 0)),
        ((4, 4), (2, 2), (0, 0)),
        ((3, 3), (1, 1), (0, 0)),
        ((3, 3), (2, 2), (0, 0)),
        ((3, 3), (2, 2), (0, 0)),
    ]
    assert [m.negative_slope for m in modules if isinstance(m, nn.LeakyReLU)] == [0.2] * 5


def test_the_networks_have_the_parameters_counted_by_hand(recipe: Recipe) -> None:
    assert {name: counted(net) for name, net in networks(recipe).items()} == {
        # 100·4608 + 4608 + 2·(128·128·16 + 128) + 128·9 + 1
        "generator": 460_800 + 4_608 + 2 * (262_144 + 128) + 1_152 + 1,
        # 64·9 + 64 + 64·64·9 + 64 + 2304 + 1
        "discriminator": 576 + 64 + 36_864 + 64 + 2_304 + 1,
    }


@pytest.mark.parametrize(
    ("sets", "parameters"),
    [
        (["arch.filters=[128, 128]"], 1_152 + 128 + 147_456 + 128 + 4_608 + 1),
        # 28 → 13 → 6 → 2: 256 · 2 · 2 numbers are judged
        (
            ["arch.filters=[64, 128, 256]"],
            (576 + 64) + (73_728 + 128) + (294_912 + 256) + (1_024 + 1),
        ),
        # 28 → 14 → 7: 64 · 7 · 7
        (["arch.padding=same"], 576 + 64 + 36_864 + 64 + 3_136 + 1),
    ],
)
def test_the_tables_alternatives_are_options(sets: list[str], parameters: int) -> None:
    D = networks(resolved(*sets))["discriminator"]
    assert counted(D) == parameters
    assert D(torch.rand(2, 1, 28, 28)).shape == (2, 1)


def test_weights_start_from_glorots_uniform_and_biases_at_0(recipe: Recipe) -> None:
    fans = [100 + 4608, 16 * 256, 16 * 256, 9 * 129, 9 * 65, 9 * 128, 2304 + 1]
    modules = [m for net in networks(recipe).values() for m in net.modules()]
    weighted = [m for m in modules if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    for module, fan in zip(weighted, fans, strict=True):
        limit = math.sqrt(6 / fan)
        weight = module.weight.detach()
        assert 0.98 * limit < float(weight.abs().max()) <= limit
        error = limit * math.sqrt(4 / 45 / weight.numel())  # that of the mean square, over limit
        assert float(weight.square().mean()) == pytest.approx(limit**2 / 3, abs=4 * limit * error)
        assert module.bias is not None
        assert not module.bias.any()


def test_adam_learns_at_a_constant_2e_4_with_a_first_decay_of_a_half(recipe: Recipe) -> None:
    adam = Adam(lr=2e-4, beta1=0.5, beta2=0.999, eps=1e-7)
    assert {name: update.optimiser for name, update in recipe.plan.updates.items()} == {
        "discriminator": adam,
        "generator": adam,
    }
    assert recipe.plan.ema.half_life_kimg == 0


def test_20_epochs_of_60000_by_128_are_9375_steps_of_one_update_each(recipe: Recipe) -> None:
    assert (recipe.plan.batch, recipe.plan.length) == (128, 9375)
    assert recipe.plan.length * recipe.plan.reals_per_step == 20 * 60_000
    assert [(u.times, u.starts_at) for u in recipe.plan.updates.values()] == [(1, 0), (1, 0)]


@pytest.mark.parametrize("loss", ["non-saturating", "least-squares", "wasserstein"])
def test_the_recipe_trains_with_each_loss_that_the_table_offers(loss: str, tmp_path: Path) -> None:
    pictures = torch.randint(0, 256, (6, 1, 28, 28), dtype=torch.uint8)
    settings = {"batch": 2, "steps": 2, "terms.adversarial.name": loss}
    run = gan_toolkit.train(
        recipe="keras-mnist", data=pictures, settings=settings, out=tmp_path / "run"
    )
    samples = gan_toolkit.load(run.path).sample(2)
    assert samples.shape == (2, 1, 28, 28)
    assert 0 <= samples.min() < samples.max() <= 1
