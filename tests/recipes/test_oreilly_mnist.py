"""The recipe `oreilly-mnist` is the published system, number by number, written out by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gan_toolkit
from gan_toolkit import DataSpec, FieldSpec
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.checkpoint import listed, read
from gan_toolkit.optimisers import Adam
from gan_toolkit.recipe import Recipe
from gan_toolkit.resolve import Request, resolve
from gan_toolkit.run import Run

MNIST = DataSpec(
    name="mnist", fields={"sample": FieldSpec(shape=(1, 28, 28), low=0.0, high=1.0)}, length=60_000
)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return resolve(Request(recipe="oreilly-mnist"), Catalogue.discover())


@pytest.fixture(scope="module")
def nets(recipe: Recipe) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return dict(recipe.arch.networks(MNIST, 0))


def layers(network: nn.Module, given: Tensor) -> list[tuple[str, tuple[int, ...]]]:
    """Return every layer's kind and the shape that leaves it, batch left out."""
    seen: list[tuple[str, tuple[int, ...]]] = []
    for module in network.children():
        module.register_forward_hook(
            lambda m, i, out: seen.append((type(m).__name__, tuple(out.shape[1:])))
        )
    network(given)
    return seen


def short_run(out: Path, **settings: Any) -> Run:  # Any: whatever a recipe key takes
    """Train the recipe for four steps on noise, G from the third on."""
    pictures = torch.randint(0, 256, (8, 1, 28, 28), dtype=torch.uint8)
    small = {"batch": 2, "steps": 4, "checkpoint_every": 1, "keep": 9, "log_every": 1}
    starts = {"updates.generator.starts_at": 2}
    return gan_toolkit.train(
        recipe="oreilly-mnist", data=pictures, settings={**small, **starts, **settings}, out=out
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return short_run(tmp_path_factory.mktemp("oreilly") / "run")


def states(run: Run) -> list[dict[str, Tensor]]:
    """Return every checkpoint's tensors, from step 0 on."""
    return [read(path).tensors for path in sorted(listed(run.path / "checkpoints"))]


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


def test_the_generator_is_that_of_the_table(nets: dict[str, nn.Module]) -> None:
    assert layers(nets["generator"], torch.randn(2, 100)) == [
        ("Linear", (3136,)),
        ("Unflatten", (1, 56, 56)),
        ("BatchStatistics", (1, 56, 56)),
        ("ReLU", (1, 56, 56)),
        ("SameConv2d", (50, 28, 28)),
        ("BatchStatistics", (50, 28, 28)),
        ("ReLU", (50, 28, 28)),
        ("DoubledConv2d", (25, 28, 28)),  # to 56×56 and back at stride 2
        ("BatchStatistics", (25, 28, 28)),
        ("ReLU", (25, 28, 28)),
        ("SameConv2d", (1, 28, 28)),  # as to 56×56 and back by every second pixel
        ("Sigmoid", (1, 28, 28)),
    ]


def test_the_discriminator_is_that_of_the_table(nets: dict[str, nn.Module]) -> None:
    assert layers(nets["discriminator"], torch.rand(2, 1, 28, 28)) == [
        ("SameConv2d", (32, 28, 28)),
        ("ReLU", (32, 28, 28)),
        ("AvgPool2d", (32, 14, 14)),
        ("SameConv2d", (64, 14, 14)),
        ("ReLU", (64, 14, 14)),
        ("AvgPool2d", (64, 7, 7)),
        ("Flatten", (3136,)),
        ("Linear", (1024,)),
        ("ReLU", (1024,)),
        ("Linear", (1,)),
    ]


def test_kernels_and_strides_are_those_of_the_table(nets: dict[str, nn.Module]) -> None:
    assert {
        name: [(m.kernel_size, m.stride) for m in net.modules() if isinstance(m, nn.Conv2d)]
        for name, net in nets.items()
    } == {
        "generator": [((3, 3), (2, 2)), ((3, 3), (2, 2)), ((1, 1), (1, 1))],
        "discriminator": [((5, 5), (1, 1)), ((5, 5), (1, 1))],
    }


def test_the_networks_have_the_parameters_counted_by_hand(nets: dict[str, nn.Module]) -> None:
    counted = {name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()}
    assert counted == {
        # 100·3136 + 3136, a shift 1; 9·50 + 50, 50; 9·50·25 + 25, 25; 25 + 1
        "generator": (313_600 + 3_136 + 1) + (450 + 50 + 50) + (11_250 + 25 + 25) + 26,
        # 25·32 + 32; 25·32·64 + 64; 3136·1024 + 1024; 1024 + 1
        "discriminator": 832 + (51_200 + 64) + (3_211_264 + 1_024) + 1_025,
    }


def test_weights_start_from_a_normal_of_a_fiftieth_cut_off_at_two_of_it(
    nets: dict[str, nn.Module],
) -> None:
    # A standard normal given |x| < 2 has the variance 1 - 4 φ(2) / (2 Φ(2) - 1) = 0.774.
    density, within = math.exp(-2) / math.sqrt(2 * math.pi), math.erf(math.sqrt(2))
    deviation = 0.02 * math.sqrt(1 - 4 * density / within)
    for name, network in nets.items():
        for module in network.modules():
            if not isinstance(module, nn.Conv2d | nn.Linear):
                continue
            weight = module.weight.detach()
            error = deviation / math.sqrt(weight.numel())
            assert float(weight.abs().max()) <= 0.04
            assert abs(float(weight.mean())) < 4 * error
            assert abs(float(weight.std()) - deviation) < 4 * error
            assert module.bias is not None
            assert bool(module.bias.any()) == (name == "generator")
            assert float(module.bias.detach().abs().max()) <= 0.04


def test_three_adams_learn_each_at_its_own_constant_rate(recipe: Recipe) -> None:
    assert {name: update.optimiser for name, update in recipe.plan.updates.items()} == {
        "discriminator-real": Adam(lr=3e-4, beta1=0.9, beta2=0.999, eps=1e-8),
        "discriminator-fake": Adam(lr=3e-4, beta1=0.9, beta2=0.999, eps=1e-8),
        "generator": Adam(lr=1e-4, beta1=0.9, beta2=0.999, eps=1e-8),
    }
    assert recipe.plan.ema.half_life_kimg == 0


def test_d_learns_the_two_halves_of_the_cross_entropy_apart(recipe: Recipe) -> None:
    assert recipe.names["terms.adversarial"] == "non-saturating"
    assert [(u.networks, u.role, u.terms, u.times) for u in recipe.plan.updates.values()] == [
        (("discriminator",), "discriminator", ("adversarial.real",), 1),
        (("discriminator",), "discriminator", ("adversarial.fake",), 1),
        (("generator",), "generator", None, 1),
    ]


def test_300_steps_of_d_alone_come_before_100000_of_all_three(recipe: Recipe) -> None:
    starts = [update.starts_at for update in recipe.plan.updates.values()]
    assert starts == [0, 0, 300]
    assert recipe.plan.length - starts[2] == 100_000
    assert (recipe.plan.batch, recipe.plan.reals_per_step) == (50, 50)


def test_g_rests_while_d_learns_alone_and_the_three_losses_are_reported_apart(run: Run) -> None:
    before, *after = states(run)
    for network, moved in (
        ("generator", [False, False, True, True]),
        ("discriminator", [True, True, True, True]),
    ):
        key = f"networks/{network}/0.weight"
        assert [not torch.equal(before[key], state[key]) for state in after] == moved
    losses = [sorted(key for key in row if ".adversarial." in key) for row in run.rows()]
    of_d = ["discriminator-fake.adversarial.fake", "discriminator-real.adversarial.real"]
    assert losses == [of_d] * 2 + [[*of_d, "generator.adversarial.fake"]] * 2


def test_ds_two_trainers_are_regulated_apart(tmp_path: Path) -> None:
    settings = {
        "updates.discriminator-real.starts_at": 3,
        "updates.discriminator-fake.times": 2,
    }
    last = states(short_run(tmp_path / "run", **settings))[-1]
    taken = {
        name: int(last[f"optimisers/{name}/0.weight/step"])
        for name in ("discriminator-real/discriminator", "discriminator-fake/discriminator")
    }
    assert list(taken.values()) == [1, 8]
    assert int(last["optimisers/generator/generator/0.weight/step"]) == 2


def test_sample_i_of_a_seed_is_the_same_bits_though_its_block_is_normalised_together(
    run: Run,
) -> None:
    model = gan_toolkit.load(run.path)
    all_of_them = model.sample(70, seed=4)
    for first, n in ((0, 1), (60, 10)):
        assert torch.equal(model.sample(n, seed=4, first=first), all_of_them[first : first + n])
    assert 0 <= all_of_them.min() < all_of_them.max() <= 1
