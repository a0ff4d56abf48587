"""The DCGAN networks are those of the paper, at the paper's size and at others."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gan_toolkit import DataSpec, FieldSpec
from gan_toolkit.layers import LeakyReLU
from gantk_dcgan.networks import DCGAN, Discriminator, Generator


def spec(*shape: int) -> DataSpec:
    """Return a data specification of one image shape."""
    field = FieldSpec(shape=shape, low=-1.0, high=1.0)
    return DataSpec(name="test", fields={"sample": field})


def maps(network: nn.Module, inputs: torch.Tensor) -> list[tuple[int, ...]]:
    """Return the shapes of G's first map and of what leaves the convolutions, batch left out."""
    seen: list[tuple[int, ...]] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Unflatten):
            module.register_forward_hook(lambda m, i, out: seen.append(tuple(out.shape[1:])))
    network(inputs)
    return seen


def test_at_64_the_maps_are_those_of_the_papers_figure_1() -> None:
    G = Generator((3, 64, 64), latent=100, width=128)
    assert maps(G, torch.zeros(2, 100)) == [
        (1024, 4, 4),
        (512, 8, 8),
        (256, 16, 16),
        (128, 32, 32),
        (3, 64, 64),
    ]


def test_the_discriminator_mirrors_the_generator() -> None:
    D = Discriminator((1, 28, 28), width=16)
    assert maps(D, torch.zeros(2, 1, 28, 28)) == [(16, 14, 14), (32, 7, 7), (64, 4, 4)]
    G = Generator((1, 28, 28), latent=8, width=16)
    assert maps(G, torch.zeros(2, 8)) == [(64, 4, 4), (32, 7, 7), (16, 14, 14), (1, 28, 28)]


def test_parameters_at_28_are_those_counted_by_hand() -> None:
    w, z = 16, 64
    G = (
        z * 4 * w * 16
        + 2 * 4 * w
        + 4 * w * 2 * w * 9
        + 2 * 2 * w
        + 2 * w * w * 16
        + 2 * w
        + w * 16
        + 1
    )
    D = w * 16 + w + w * 2 * w * 16 + 2 * 2 * w + 2 * w * 4 * w * 9 + 2 * 4 * w + 4 * w * 16 + 1
    networks = DCGAN(width=w, latent=z).networks(spec(1, 28, 28), 0)
    counted = {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()}
    assert counted == {"generator": G, "discriminator": D}


@pytest.mark.parametrize(
    "shape",
    [(1, 16, 16), (3, 32, 32), (4, 48, 64), (2, 28, 28), (3, 128, 64), (1, 8, 8), (3, 17, 31)],
)
def test_any_size_from_8_comes_out_in_range_and_is_judged(shape: tuple[int, ...]) -> None:
    arch = DCGAN(width=2, latent=5)
    assert arch.refusals(spec(*shape)) == []
    nets = arch.networks(spec(*shape), 0)
    fakes = arch.generate(nets, {"z": torch.randn(3, 5)}, {}, {})["sample"]
    assert fakes.shape == (3, *shape)
    assert fakes.abs().max() <= 1
    assert arch.judge(nets, {"sample": fakes}, {}).logits.shape == (3,)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((5, 32, 32), "1 to 4 channels, not 5"),
        ((1, 7, 32), r"8×8 or larger, not 7×32; try `--set data\.resolution=16`"),
        ((2,), r"makes images \[C, H, W\], but samples of 'test' are \[2\]"),
    ],
)
def test_a_shape_that_cannot_be_made_is_refused_with_a_reason(
    shape: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(AssertionError, match=reason):
        assert not DCGAN().refusals(spec(*shape)), DCGAN().refusals(spec(*shape))[0]


def test_batch_norm_is_everywhere_but_in_gs_output_and_ds_input() -> None:
    G = list(Generator((3, 64, 64), latent=10, width=4))
    D = list(Discriminator((3, 64, 64), width=4))
    makes_maps = nn.Unflatten | nn.ConvTranspose2d
    after_g = [type(G[i + 1]) for i, m in enumerate(G) if isinstance(m, makes_maps)]
    after_d = [type(D[i + 1]) for i, m in enumerate(D) if isinstance(m, nn.Conv2d)]
    assert after_g == [nn.BatchNorm2d] * 4 + [nn.Tanh]
    assert after_d == [LeakyReLU] + [nn.BatchNorm2d] * 3


@pytest.mark.parametrize("norm", ["layer", "spectral", "none"])
def test_another_norm_takes_the_place_of_batch_norm_in_d_alone(norm: str) -> None:
    nets = DCGAN(width=4, norm=norm).networks(spec(3, 64, 64), 0)  # type: ignore[arg-type]  # a str
    counted = {
        name: sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())
        for name, net in nets.items()
    }
    assert counted == {"generator": 4, "discriminator": 0}
    layer_norms = [m for m in nets["discriminator"].modules() if isinstance(m, nn.GroupNorm)]
    assert [m.num_groups for m in layer_norms] == ([1] * 3 if norm == "layer" else [])


def test_weights_start_from_the_papers_normal() -> None:
    torch.manual_seed(0)
    G = Generator((3, 64, 64), latent=100, width=32)
    for module in G.modules():
        if isinstance(module, nn.ConvTranspose2d):
            weight = module.weight.detach()
            error = 0.02 / math.sqrt(weight.numel())
            assert abs(float(weight.mean())) < 5 * error
            assert abs(float(weight.std()) - 0.02) < 5 * error


def test_without_a_norm_ds_weights_start_from_hes_normal() -> None:
    torch.manual_seed(0)
    D = Discriminator((3, 64, 64), width=32, norm="none")
    layers = [module for module in D if isinstance(module, nn.Conv2d | nn.Linear)]
    for layer, inputs in zip(layers, [3 * 16, 32 * 16, 64 * 16, 128 * 16, 256 * 16], strict=True):
        weight = layer.weight.detach()
        wanted = math.sqrt(2 / ((1 + 0.2**2) * inputs))
        assert abs(float(weight.std()) / wanted - 1) < 5 / math.sqrt(2 * weight.numel())
        assert layer.bias is not None
        assert not layer.bias.any()
