"""The critic of WGAN judges each sample alone; its norms are those of the papers."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn.functional import normalize

import gan_toolkit
from gan_toolkit import DataSpec, FieldSpec, Schedule
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.checkpoint import listed, read
from gan_toolkit.errors import RecipeError
from gan_toolkit.resolve import Request, resolve
from gan_toolkit.run import Run
from gantk_dcgan.networks import Discriminator
from gantk_wgan.networks import WGAN

IMAGE = (1, 28, 28)
NORMS = pytest.mark.parametrize("norm", ["none", "layer", "spectral"])
SPEC = DataSpec(name="test", fields={"sample": FieldSpec(shape=IMAGE, low=-1.0, high=1.0)})
PICTURES = torch.arange(20 * 256).mul(37).remainder(256).to(torch.uint8).view(20, 1, 16, 16)
CLIPPED = {
    "terms.penalty": {"name": "weight-clipping"},
    "updates.discriminator.times": 5,
    "updates.discriminator.optimiser": {"name": "rmsprop", "lr": 5e-5},
    "updates.generator.optimiser": {"name": "rmsprop", "lr": 5e-5},
}
"""The README's settings of the first WGAN."""


def trained(out: Path, **settings: Any) -> Run:  # Any: whatever a recipe key takes
    """Train a small WGAN for six steps on noise."""
    small = {"batch": 4, "steps": 6, "arch.width": 4, "arch.latent": 6, "checkpoint_every": 3}
    return gan_toolkit.train(arch="wgan", data=PICTURES, settings={**small, **settings}, out=out)


def last_tensors(run: Run) -> dict[str, Tensor]:
    return read(list(listed(run.path / "checkpoints"))[-1]).tensors


def matrices(critic: nn.Module) -> list[Tensor]:
    """Return the weights in use, as the matrices that the spectral norm is of."""
    kinds = nn.Conv2d | nn.Linear
    return [m.weight.detach().flatten(1) for m in critic.modules() if isinstance(m, kinds)]


@NORMS
def test_a_verdict_does_not_depend_on_the_rest_of_the_batch(norm: str) -> None:
    critic = WGAN(width=4, norm=norm).discriminator(SPEC).eval()  # type: ignore[arg-type]  # a str
    images = torch.randn(5, *IMAGE)
    alone = torch.cat([critic(image.unsqueeze(0)) for image in images])
    torch.testing.assert_close(critic(images), alone)


def test_batch_norm_is_no_norm_of_the_critic() -> None:
    with pytest.raises(ValidationError, match=r"'layer', 'spectral' or 'none'"):
        WGAN(norm="batch")  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize(
    ("norm", "shifts"), [("none", 32 + 64), ("spectral", 32 + 64), ("layer", 2 * 32 + 2 * 64)]
)
def test_parameters_at_28_are_those_counted_by_hand(norm: str, shifts: int) -> None:
    w = 16
    weights = w * 16 + w + w * 2 * w * 16 + 2 * w * 4 * w * 9 + 4 * w * 16 + 1
    critic = WGAN(width=w, norm=norm).discriminator(SPEC)  # type: ignore[arg-type]  # a str
    assert sum(p.numel() for p in critic.parameters()) == weights + shifts


def test_layer_norm_makes_each_sample_standard_over_channels_and_places() -> None:
    norm = Discriminator(IMAGE, 4, "layer")[3]
    maps = 3 * torch.randn(6, 8, 7, 7) + 2
    normed = norm(maps)
    torch.testing.assert_close(normed.mean((1, 2, 3)), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        normed.var((1, 2, 3), correction=0), torch.ones(6), atol=1e-4, rtol=0
    )


def test_one_pass_is_one_power_iteration_on_every_weight() -> None:
    critic = Discriminator(IMAGE, 4, "spectral")
    state = {key: value.clone() for key, value in critic.state_dict().items()}
    critic(torch.zeros(2, *IMAGE))
    after = critic.state_dict()
    layers = [key.removesuffix(".0._u") for key in state if key.endswith("._u")]
    assert len(layers) == 4  # three convolutions and the last layer
    for layer in layers:
        W = state[f"{layer}.original"].flatten(1)
        u = normalize(W @ state[f"{layer}.0._v"], dim=0)
        v = normalize(W.T @ u, dim=0)
        torch.testing.assert_close(after[f"{layer}.0._u"], u)
        torch.testing.assert_close(after[f"{layer}.0._v"], v)
        weight = critic.get_submodule(layer.partition(".")[0]).eval().weight
        assert isinstance(weight, Tensor)
        torch.testing.assert_close(weight.flatten(1), W / (u @ W @ v))


def test_the_largest_singular_value_of_every_weight_goes_to_1() -> None:
    torch.manual_seed(0)
    critic = Discriminator(IMAGE, 4, "spectral")
    for _ in range(50):
        critic(torch.zeros(2, *IMAGE))
    largest = [float(torch.linalg.svdvals(W)[0]) for W in matrices(critic.eval())]
    assert largest == pytest.approx([1.0] * 4, abs=1e-3)


def test_looking_at_a_spectral_critic_at_rest_does_not_change_it() -> None:
    critic = Discriminator(IMAGE, 4, "spectral").eval()
    before = copy.deepcopy(critic.state_dict())
    critic(torch.randn(2, *IMAGE))
    assert all(torch.equal(value, before[key]) for key, value in critic.state_dict().items())


def test_a_spectral_critic_is_copied_and_rebuilt_from_its_state() -> None:
    critic = Discriminator(IMAGE, 4, "spectral")
    images = torch.randn(2, *IMAGE)
    critic(images)
    rebuilt = Discriminator(IMAGE, 4, "spectral")
    rebuilt.load_state_dict(critic.state_dict())
    assert torch.equal(rebuilt(images), copy.deepcopy(critic)(images))


@NORMS
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_resumed_run_is_the_run_that_never_stopped(
    norm: str, precision: str, tmp_path: Path
) -> None:
    settings = {"arch.norm": norm, "compute.precision": precision}
    whole = trained(tmp_path / "whole", **settings)
    part = trained(tmp_path / "part", steps=3, planned_steps=6, **settings)
    gan_toolkit.train(resume=part.path, data=PICTURES, settings={"steps": 6})
    expected, resumed = last_tensors(whole), last_tensors(part)
    assert expected.keys() == resumed.keys()
    assert any(key.endswith("._u") for key in expected) == (norm == "spectral")
    assert all(torch.equal(resumed[key], value) for key, value in expected.items())
    samples = [gan_toolkit.load(run.path).sample(3) for run in (whole, part)]
    assert torch.equal(*samples)


def test_the_default_recipe_is_the_gradient_penalty_at_a_rate_that_falls_to_nothing() -> None:
    recipe = resolve(Request(arch="wgan", data="digits"), Catalogue.discover())
    assert recipe.names == {
        "arch": "wgan",
        "data": "digits",
        "terms.adversarial": "wasserstein",
        "terms.penalty": "wgan-gp",
    }
    for update in recipe.plan.updates.values():
        lr = update.optimiser.lr
        assert isinstance(lr, Schedule)
        assert lr.at(1) == pytest.approx(lr.at(0) / 100)
    assert recipe.plan.ema.half_life_kimg > 0


def test_the_first_wgan_keeps_its_critic_within_a_hundredth(tmp_path: Path) -> None:
    tensors = last_tensors(trained(tmp_path / "run", **CLIPPED))
    largest = {
        name: max(
            float(tensor.abs().max())
            for key, tensor in tensors.items()
            if key.startswith(f"networks/{name}/") and key.endswith(("weight", "bias"))
        )
        for name in ("discriminator", "generator")
    }
    assert largest["discriminator"] == pytest.approx(0.01)
    assert largest["generator"] > 0.01
    assert int(tensors["optimisers/discriminator/discriminator/0.weight/step"]) == 30


def test_dcgan_takes_the_penalty_of_each_sample_only_without_batch_norm(tmp_path: Path) -> None:
    settings = {"batch": 4, "steps": 2, "arch.width": 4, "terms.gp": {"name": "wgan-gp"}}
    with pytest.raises(RecipeError, match=r"batch norm in 'discriminator' mixes the samples"):
        gan_toolkit.train(arch="dcgan", data=PICTURES, settings=settings, out=tmp_path / "batch")
    for norm in ("layer", "spectral", "none"):
        gan_toolkit.train(
            arch="dcgan",
            data=PICTURES,
            settings={**settings, "arch.norm": norm},
            out=tmp_path / norm,
        )
