"""Layers that are faster than torch's compute what torch's compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import grad
from torch.utils.flop_counter import FlopCounterMode

from gan_toolkit import system
from gan_toolkit.layers import Conv2d, ConvTranspose2d, LeakyReLU

Options = dict[str, Any]  # Any: of torch's layers
DOWN: list[tuple[tuple[int, ...], Options]] = [
    ((3, 5, 8, 6), {"kernel_size": 4, "stride": 2, "padding": 1}),
    ((2, 1, 7, 5), {"kernel_size": (3, 4), "stride": (2, 1), "padding": (1, 2)}),
    ((2, 1, 9, 8), {"kernel_size": 4, "stride": 3, "bias": False}),
    ((2, 4, 7, 7), {"kernel_size": 3, "padding": 2, "dilation": 2, "groups": 2}),
    ((2, 1, 9, 9), {"kernel_size": 3, "dilation": (1, 2)}),
    ((2, 3, 5, 5), {"kernel_size": 3, "padding": "same"}),
    ((2, 3, 6, 6), {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"}),
]
SHAPES: list[tuple[tuple[int, ...], Options]] = [
    ((3, 5, 7, 7), {"kernel_size": 4, "stride": 2, "padding": 1}),
    ((3, 5, 4, 6), {"kernel_size": (3, 4), "stride": 2, "padding": 1, "bias": False}),
    ((2, 3, 7, 5), {"kernel_size": 5, "stride": 2, "padding": 2, "output_padding": (1, 0)}),
    ((2, 3, 4, 4), {"kernel_size": 3, "stride": (1, 3), "padding": (0, 1), "dilation": (2, 1)}),
    ((1, 1, 1, 1), {"kernel_size": 4}),
]


def pair(inner: int, outer: int = 1, **options: Any) -> tuple[nn.Module, nn.Module]:
    """Return torch's transposed convolution and ours with the same weights."""
    return alike(nn.ConvTranspose2d, ConvTranspose2d, inner, outer, **options)


def alike(
    theirs: type[nn.Module], ours: type[nn.Module], *sizes: int, **options: Any
) -> tuple[nn.Module, nn.Module]:
    """Return two layers of equal weights in float64."""
    torch.manual_seed(0)
    first, second = theirs(*sizes, **options), ours(*sizes, **options)
    second.load_state_dict(first.state_dict())
    return first.double(), second.double()


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


def maps(*shape: int, layout: torch.memory_format = torch.contiguous_format) -> Tensor:
    """Return normal maps in float64 to differentiate by."""
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return x.to(memory_format=layout).requires_grad_()


@pytest.mark.parametrize(("shape", "options"), DOWN)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_convolution_is_torchs_and_so_are_its_derivatives(
    shape: tuple[int, ...], options: Options, layout: torch.memory_format
) -> None:
    theirs, ours = alike(nn.Conv2d, Conv2d, shape[1], 4, **options)
    x = maps(*shape, layout=layout)

    torch.testing.assert_close(derivatives(ours, x), derivatives(theirs, x))


@pytest.mark.parametrize(("shape", "options"), SHAPES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("channels", [1, 4])
def test_a_transposed_convolution_is_torchs_and_so_are_its_derivatives(
    shape: tuple[int, ...], options: Options, layout: torch.memory_format, channels: int
) -> None:
    theirs, ours = pair(shape[1], channels, **options)
    x = maps(*shape, layout=layout)

    torch.testing.assert_close(derivatives(ours, x), derivatives(theirs, x))


def test_a_transposed_convolution_in_groups_is_torchs_too() -> None:
    theirs, ours = pair(4, 6, kernel_size=3, stride=2, groups=2)
    x = maps(2, 4, 5, 4)

    torch.testing.assert_close(derivatives(ours, x), derivatives(theirs, x))


@pytest.mark.parametrize("layer", [Conv2d, ConvTranspose2d])
def test_only_what_is_asked_for_gets_a_gradient(layer: type[nn.Module]) -> None:
    frozen = layer(2, 3, 3).requires_grad_(requires_grad=False)
    x = torch.ones(1, 2, 5, 5, requires_grad=True)
    frozen(x).sum().backward()
    learning = layer(2, 3, 3)
    still = torch.ones(1, 2, 5, 5)
    learning(still).sum().backward()

    assert x.grad is not None
    assert [weight.grad for weight in frozen.parameters()] == [None, None]
    assert still.grad is None
    assert all(weight.grad is not None for weight in learning.parameters())


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


@pytest.mark.parametrize(
    ("theirs", "ours", "sizes"),
    [
        (nn.ConvTranspose2d, ConvTranspose2d, (64, 1)),
        (nn.ConvTranspose2d, ConvTranspose2d, (16, 8)),
        (nn.Conv2d, Conv2d, (1, 16)),
        (nn.Conv2d, Conv2d, (16, 8)),
    ],
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_bfloat16_is_rounded_as_torch_rounds_it(
    theirs: type[nn.Module],
    ours: type[nn.Module],
    sizes: tuple[int, int],
    layout: torch.memory_format,
) -> None:
    def found(layer: nn.Module, x: Tensor) -> list[Tensor]:
        y = layer(x)
        direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y)
        return [y, *grad((y * direction).sum(), [x, *layer.parameters()])]

    torchs, own = alike(theirs, ours, *sizes, kernel_size=4, stride=2, padding=1)
    x = maps(4, sizes[0], 8, 8, layout=layout)
    exact = found(torchs, x)
    narrow = x.detach().float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        rounded, torchs_own = found(own.float(), narrow), found(torchs.float(), narrow)

    for right, one, other in zip(exact, rounded, torchs_own, strict=True):
        assert one.dtype == other.dtype
        off, theirs_off = ((each - right).square().mean().sqrt() for each in (one, other))
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


def products_of_a_penalty(first: nn.Module, second: nn.Module, x: Tensor) -> int:
    """Return how many operations in products a penalty and its weights' gradient take."""
    critic = nn.Sequential(first, LeakyReLU(0.2), second)
    verdicts = critic(x.requires_grad_()).sum()
    with FlopCounterMode(display=False) as counted:
        (slopes,) = grad(verdicts, x, create_graph=True)
        grad(slopes.square().sum(), list(critic.parameters()), allow_unused=True)
    return int(counted.get_total_flops())


def test_a_penalty_sends_no_zeros_back_through_leaky_relu() -> None:
    one, other = 2 * 5 * 3 * 4, 2 * 5 * 4

    found = products_of_a_penalty(nn.Linear(3, 4), nn.Linear(4, 1), torch.ones(5, 3))

    # A slope, a tangent and a weight's part of each layer; the last hands no tangent on.
    assert found == 3 * one + 2 * other


def test_a_penalty_sends_no_zeros_back_through_convolutions() -> None:
    x = torch.ones(5, 3, 8, 8)
    first, second = (3, 4, 4, 2, 1), (4, 6, 4, 2, 1)
    one, other = 2 * 5 * 16 * 4 * 3 * 16, 2 * 5 * 4 * 6 * 4 * 16

    ours = products_of_a_penalty(Conv2d(*first), Conv2d(*second), x)
    torchs = products_of_a_penalty(nn.Conv2d(*first), nn.Conv2d(*second), x.clone())

    assert ours == 3 * one + 2 * other < torchs


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("channels", [1, 3])
def test_maps_lie_as_torchs_do(layout: torch.memory_format, channels: int) -> None:
    both = alike(nn.Conv2d, Conv2d, channels, 4, kernel_size=4, stride=2, padding=1)
    x = maps(2, channels, 8, 8, layout=layout)
    for layer in both:
        layer.to(memory_format=layout)  # type: ignore[call-overload]  # torch's own types forget it
    theirs, ours = (layer(x).stride() for layer in both)

    assert ours == theirs


def test_single_pixels_in_bfloat16_have_patches_too() -> None:
    layer = Conv2d(8, 4, 1).bfloat16()
    x = torch.ones(2, 8, 1, 1, dtype=torch.bfloat16)

    (found,) = grad(layer(x).sum(), layer.weight)

    assert torch.equal(found, torch.full((4, 8, 1, 1), 2.0, dtype=torch.bfloat16))


@pytest.mark.parametrize(
    ("layer", "shape"), [(Conv2d, (2, 16, 4, 4)), (ConvTranspose2d, (2, 16, 2, 2))]
)
@pytest.mark.parametrize(("fast", "times"), [(True, 1), (True, 8), (False, 1)])
def test_of_few_pixels_a_weights_gradient_is_a_product_where_those_are_fast(
    monkeypatch: pytest.MonkeyPatch,
    layer: type[nn.Module],
    shape: tuple[int, ...],
    fast: bool,
    times: int,
) -> None:
    monkeypatch.setattr("gan_toolkit.layers.multiplies_fast", lambda: fast)
    down = layer(16, 32, kernel_size=4, stride=2, padding=1)
    x = torch.ones(*shape[:2], *(side * times for side in shape[2:]))
    with FlopCounterMode(display=False) as counted:
        down(x).sum().backward()

    used = counted.get_flop_counts()["Global"]
    by_product = torch.ops.aten.convolution_backward not in used
    assert by_product == (fast and times == 1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("theirs", "ours", "shape", "options"),
    [
        (nn.Conv2d, Conv2d, (2, 16, 4, 4), {"kernel_size": 4, "stride": 2, "padding": 1}),
        (nn.Conv2d, Conv2d, (1, 16, 5, 3), {"kernel_size": (3, 4), "padding": (0, 1)}),
        (nn.Conv2d, Conv2d, (1, 8, 3, 5), {"kernel_size": 3, "stride": (1, 2), "bias": False}),
        (
            nn.ConvTranspose2d,
            ConvTranspose2d,
            (2, 16, 2, 3),
            {"kernel_size": (4, 3), "stride": 2, "padding": 1},
        ),
    ],
)
def test_by_products_too_derivatives_are_torchs(
    monkeypatch: pytest.MonkeyPatch,
    theirs: type[nn.Module],
    ours: type[nn.Module],
    shape: tuple[int, ...],
    options: Options,
    layout: torch.memory_format,
) -> None:
    monkeypatch.setattr("gan_toolkit.layers.multiplies_fast", lambda: True)
    torchs, own = alike(theirs, ours, shape[1], 32, **options)
    x = maps(*shape, layout=layout)
    exact = derivatives(torchs, x)
    found = derivatives(own.float(), x.detach().float().requires_grad_())

    for one, right in zip(found, exact, strict=True):
        assert (one - right).norm() <= 1e-5 * right.norm()


@pytest.mark.parametrize(("name", "fast"), [("Intel(R) Xeon(R)", True), ("AMD EPYC 9B45", False)])
def test_products_are_fast_on_the_processors_that_their_library_is_made_for(
    monkeypatch: pytest.MonkeyPatch, name: str, fast: bool
) -> None:
    monkeypatch.setattr(system, "processor", lambda: name)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)

    assert system.multiplies_fast.__wrapped__() == fast


def test_an_output_padded_by_more_than_a_stride_is_torchs() -> None:
    theirs, ours = pair(2, 3, kernel_size=3, dilation=3, output_padding=2)
    x = maps(2, 2, 4, 4)

    torch.testing.assert_close(derivatives(ours, x), derivatives(theirs, x))


def test_layers_know_their_shapes_without_numbers() -> None:
    with torch.device("meta"):
        both = nn.Sequential(Conv2d(3, 4, 4, 2, 1), ConvTranspose2d(4, 1, 4, 2, 1))
        assert both(torch.empty(2, 3, 8, 8)).shape == (2, 1, 8, 8)
