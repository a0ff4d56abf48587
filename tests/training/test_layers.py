"""Layers that are faster than torch's compute what torch's compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import grad
from torch.utils.flop_counter import FlopCounterMode

from gan_toolkit.layers import ConvTranspose2d, LeakyReLU

SHAPES = [
    ((3, 5, 7, 7), {"kernel_size": 4, "stride": 2, "padding": 1}),
    ((3, 5, 4, 6), {"kernel_size": (3, 4), "stride": 2, "padding": 1, "bias": False}),
    ((2, 3, 7, 5), {"kernel_size": 5, "stride": 2, "padding": 2, "output_padding": (1, 0)}),
    ((2, 3, 4, 4), {"kernel_size": 3, "stride": (1, 3), "padding": (0, 1), "dilation": (2, 1)}),
    ((1, 1, 1, 1), {"kernel_size": 4}),
]


def pair(channels: int, **options: Any) -> tuple[nn.Module, nn.Module]:
    """Return torch's layer to one channel and ours with the same weights."""
    torch.manual_seed(0)
    theirs = nn.ConvTranspose2d(channels, 1, **options)
    ours = ConvTranspose2d(channels, 1, **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs.double(), ours.double()


def derivatives(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Return maps, their slopes in a random direction, and the slopes of those."""
    wanted = [x, *layer.parameters()]
    maps = layer(x)
    direction = torch.randn(maps.shape, generator=torch.Generator().manual_seed(1)).to(maps)
    slopes = grad((maps.square() * direction).sum(), wanted, create_graph=True)
    return [
        maps,
        *slopes,
        *grad(torch.stack([slope.square().sum() for slope in slopes]).sum(), wanted),
    ]


@pytest.mark.parametrize(("shape", "options"), SHAPES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_convolution_to_one_channel_is_torchs_and_so_are_its_derivatives(
    shape: tuple[int, ...], options: dict[str, Any], layout: torch.memory_format
) -> None:
    theirs, ours = pair(shape[1], **options)
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    x = x.to(memory_format=layout).requires_grad_()

    torch.testing.assert_close(derivatives(ours, x), derivatives(theirs, x))


def test_it_is_no_convolution_of_torchs_that_makes_one_channel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nn.ConvTranspose2d, "forward", None)

    assert ConvTranspose2d(3, 1, 4, 2, 1)(torch.ones(2, 3, 4, 4)).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_size_can_be_asked_for(channels: int) -> None:
    layer = ConvTranspose2d(3, channels, 3, 2, 1)

    assert layer(torch.ones(2, 3, 4, 4), [8, 7]).shape == (2, channels, 8, 7)


def test_maps_need_no_batch() -> None:
    theirs, ours = pair(3, kernel_size=4, stride=2, padding=1)
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    torch.testing.assert_close(ours(x), theirs(x))


def test_bfloat16_is_rounded_once() -> None:
    theirs, ours = pair(64, kernel_size=4, stride=2, padding=1)
    x = torch.randn(4, 64, 8, 8, generator=torch.Generator().manual_seed(2))
    exact = theirs(x.double())

    with torch.autocast("cpu", torch.bfloat16):
        found, torchs = ours.float()(x), theirs.float()(x)

    assert found.dtype == torchs.dtype == torch.bfloat16
    off, theirs_off = ((each - exact).square().mean().sqrt() for each in (found, torchs))
    assert off < 1.5 * theirs_off


@pytest.mark.parametrize(
    ("slope", "inplace"), [(0.2, False), (0.2, True), (0.0, False), (0.0, True), (-0.5, False)]
)
def test_a_leaky_relu_is_torchs_and_so_are_its_derivatives(slope: float, inplace: bool) -> None:
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[0, 0] = 0.0
    x.requires_grad_()
    theirs, ours = (
        nn.Sequential(nn.Linear(5, 3), activation(slope, inplace), nn.Linear(3, 1)).double()
        for activation in (nn.LeakyReLU, LeakyReLU)
    )
    ours.load_state_dict(theirs.state_dict())

    torch.testing.assert_close(derivatives(ours, x), derivatives(theirs, x), rtol=0, atol=0)


def test_a_leaky_relu_sends_no_zeros_back_from_a_penalty() -> None:
    def passes(activation: type[nn.Module]) -> int:
        """Return how many products a penalty's gradient takes."""
        torch.manual_seed(0)
        critic = nn.Sequential(nn.Linear(3, 4), activation(0.2), nn.Linear(4, 1))
        x = torch.randn(5, 3, requires_grad=True)
        (slopes,) = grad(critic(x).sum(), x, create_graph=True)
        with FlopCounterMode(display=False) as counted:
            grad(slopes.square().sum(), list(critic.parameters()), allow_unused=True)
        return int(counted.get_total_flops())

    assert passes(LeakyReLU) < passes(nn.LeakyReLU)
