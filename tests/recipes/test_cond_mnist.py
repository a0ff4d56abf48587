"""The recipe `cond-mnist` is the published system, number by number, written out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gan_toolkit import DataSpec, FieldSpec
from gan_toolkit.architecture import Judged
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.optimisers import Adam
from gan_toolkit.recipe import Recipe
from gan_toolkit.resolve import Request, resolve

MNIST = DataSpec(
    name="mnist",
    fields={
        "sample": FieldSpec(shape=(1, 28, 28), low=0.0, high=1.0),
        "label": FieldSpec(shape=(), classes=tuple("0123456789")),
    },
)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return resolve(Request(recipe="cond-mnist"), Catalogue.discover())


@pytest.fixture(scope="module")
def nets(recipe: Recipe) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return dict(recipe.arch.networks(MNIST, 0))


def layers(network: nn.Module, *given: torch.Tensor) -> list[tuple[object, ...]]:
    """Return every layer's kind and the shapes that enter and leave it, batch left out."""
    seen: list[tuple[object, ...]] = []
    for module in network.modules():
        if not list(module.children()) and not isinstance(module, nn.Unflatten):
            module.register_forward_hook(
                lambda m, i, out: seen.append(
                    (type(m).__name__, tuple(i[0].shape[1:]), tuple(out.shape[1:]))
                )
            )
    network(*given)
    return [layer for layer in seen if layer[0] != "Classes"]


def test_the_data_is_mnist_with_its_ten_labels_in_0_to_1(recipe: Recipe) -> None:
    assert recipe.names["data"] == "mnist"
    assert recipe.data.plain() == {"split": "train", "resolution": 28}
    assert recipe.arch.sample_range == (0.0, 1.0)
    assert recipe.arch.conditions == ("label",)
    assert recipe.plan.fake_labels == "data"


def test_latents_are_100_numbers_uniform_in_0_to_1(recipe: Recipe) -> None:
    draws = recipe.arch.draws(MNIST)
    z = draws["z"].sample(1000, torch.Generator().manual_seed(0))
    assert (list(draws), z.shape) == (["z"], (1000, 100))
    assert 0 <= z.min() < 1e-3
    assert 1 - 1e-3 < z.max() < 1
    assert float(z.mean()) == pytest.approx(0.5, abs=0.005)
    assert float(z.std()) == pytest.approx(math.sqrt(1 / 12), abs=0.005)


def test_the_generator_is_that_of_the_table(nets: dict[str, nn.Module]) -> None:
    y = torch.tensor([3, 7])
    assert layers(nets["generator"], torch.rand(2, 100), y) == [
        ("Linear", (110,), (1024,)),
        ("BatchNorm1d", (1024,), (1024,)),
        ("ReLU", (1024,), (1024,)),
        ("Linear", (1034,), (6272,)),  # 64 · 2 · 7 · 7
        ("BatchNorm1d", (6272,), (6272,)),
        ("ReLU", (6272,), (6272,)),
        ("ConvTranspose2d", (138, 7, 7), (64, 14, 14)),
        ("BatchNorm2d", (64, 14, 14), (64, 14, 14)),
        ("ReLU", (64, 14, 14), (64, 14, 14)),
        ("ConvTranspose2d", (74, 14, 14), (1, 28, 28)),
        ("Sigmoid", (1, 28, 28), (1, 28, 28)),
    ]


def test_the_discriminator_is_that_of_the_table(nets: dict[str, nn.Module]) -> None:
    y = torch.tensor([3, 7])
    assert layers(nets["discriminator"], torch.rand(2, 1, 28, 28), y) == [
        ("Conv2d", (11, 28, 28), (64, 14, 14)),
        ("LeakyReLU", (64, 14, 14), (64, 14, 14)),
        ("Conv2d", (74, 14, 14), (128, 7, 7)),
        ("BatchNorm2d", (128, 7, 7), (128, 7, 7)),
        ("LeakyReLU", (128, 7, 7), (128, 7, 7)),
        ("Linear", (6282,), (1024,)),  # 128 · 7 · 7 + 10
        ("BatchNorm1d", (1024,), (1024,)),
        ("ReLU", (1024,), (1024,)),
        ("Linear", (1034,), (1,)),
    ]


def test_kernels_are_5_by_5_at_stride_2_and_the_leak_is_a_fifth(nets: dict[str, nn.Module]) -> None:
    modules = [module for net in nets.values() for module in net.modules()]
    convolutions = [m for m in modules if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert [(c.kernel_size, c.stride) for c in convolutions] == [((5, 5), (2, 2))] * 4
    assert [m.negative_slope for m in modules if isinstance(m, nn.LeakyReLU)] == [0.2] * 2


def test_the_networks_have_the_parameters_counted_by_hand(nets: dict[str, nn.Module]) -> None:
    counted = {name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()}
    assert counted == {
        # 110·1024 + 2·1024 + 1034·6272 + 2·6272 + 138·64·25 + 2·64 + 74·25 + 1
        "generator": 112_640 + 2_048 + 6_485_248 + 12_544 + 220_800 + 128 + 1_850 + 1,
        # 11·64·25 + 64 + 74·128·25 + 2·128 + 6282·1024 + 2·1024 + 1034 + 1
        "discriminator": 17_600 + 64 + 236_800 + 256 + 6_432_768 + 2_048 + 1_034 + 1,
    }


def test_weights_start_from_a_normal_of_a_fiftieth_and_biases_at_0(
    nets: dict[str, nn.Module],
) -> None:
    seen = 0
    for module in (module for net in nets.values() for module in net.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            seen += 1
            weight = module.weight.detach()
            error = 0.02 / math.sqrt(weight.numel())
            assert abs(float(weight.mean())) < 4 * error
            assert abs(float(weight.std()) - 0.02) < 4 * error
            assert module.bias is None or not module.bias.any()
    assert seen == 8


def test_the_loss_is_cross_entropy_on_the_logit(recipe: Recipe) -> None:
    assert {place: name for place, name in recipe.names.items() if place.startswith("terms")} == {
        "terms.adversarial": "non-saturating"
    }
    (term,) = recipe.terms.values()
    logits = Judged(torch.tensor([0.3, -1.2])), Judged(torch.tensor([2.0, -0.4]))

    class Given:
        real_logits, fake_logits = logits[0].logits, logits[1].logits

    bce = nn.BCEWithLogitsLoss()
    D = term.discriminator(Given())  # type: ignore[attr-defined]  # a Loss has it, a Term may not
    torch.testing.assert_close(D["real"], bce(Given.real_logits, torch.ones(2)))
    torch.testing.assert_close(D["fake"], bce(Given.fake_logits, torch.zeros(2)))


def test_adam_learns_at_2e_4_with_a_first_decay_of_a_half(recipe: Recipe) -> None:
    adam = Adam(lr=2e-4, beta1=0.5, beta2=0.999, eps=1e-8)
    assert [update.optimiser for update in recipe.plan.updates.values()] == [adam, adam]
    assert all(update.rates == {} for update in recipe.plan.updates.values())


def test_d_moves_twice_on_batches_of_its_own_then_g_once(recipe: Recipe) -> None:
    moves = [(u.networks, u.role, u.times, u.terms) for u in recipe.plan.updates.values()]
    assert moves == [
        (("discriminator",), "discriminator", 2, None),
        (("generator",), "generator", 1, None),
    ]
    assert (recipe.plan.batch, recipe.plan.reals_per_step) == (128, 256)


def test_45_epochs_of_60000_are_10547_steps(recipe: Recipe) -> None:
    plan = recipe.plan
    assert plan.length == 10_547
    assert 45 * 60_000 <= plan.length * plan.reals_per_step < 45 * 60_000 + 256
    assert plan.sample_every == 234  # a grid an epoch, of 234.4 steps


def test_what_is_sampled_are_the_weights_themselves(recipe: Recipe) -> None:
    assert recipe.plan.ema.weight(nimg=1000, new=256) == 1
    assert recipe.augmentation is None
    assert recipe.plan.accumulate == 1
