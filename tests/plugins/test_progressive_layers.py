"""The layers of progressive growing are the paper's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import conv2d

from gantk_progressive.layers import (
    Convolution,
    Dense,
    MinibatchDeviation,
    PixelNorm,
    Projection,
)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("kernel", "gain"), [(1, 1.0), (3, math.sqrt(2))])
def test_a_convolution_uses_its_weights_times_hes_constant(kernel: int, gain: float) -> None:
    layer = Convolution(5, 7, kernel, gain)
    x = noise(2, 5, 6, 6)
    scaled = layer.weight * gain / math.sqrt(5 * kernel * kernel)
    expected = conv2d(x, scaled, layer.bias, padding=(kernel - 1) // 2)
    torch.testing.assert_close(layer(x), expected)


def test_weights_start_from_a_unit_normal_and_biases_from_0() -> None:
    torch.manual_seed(0)
    for layer in (Convolution(40, 50, 3), Dense(100, 200), Projection(40, 30, 4)):
        error = 1 / math.sqrt(layer.weight.numel())
        assert abs(float(layer.weight.detach().std()) - 1) < 4 * error
        assert not layer.bias.any()


def test_hes_constant_keeps_the_mean_square_through_a_leaky_relu() -> None:
    torch.manual_seed(0)
    out = nn.functional.leaky_relu(Dense(400, 4000)(torch.randn(50, 400)), 0.2)
    assert float(out.detach().square().mean()) == pytest.approx(1 + 0.2**2, rel=0.05)


def test_the_first_layer_is_a_padded_4x4_convolution_of_a_1x1_map() -> None:
    layer = Projection(5, 6, 4)
    z = noise(3, 5)
    plain = nn.Conv2d(5, 6, 4, padding=3)
    with torch.no_grad():
        plain.weight.copy_(layer.weight.transpose(0, 1).flip(2, 3) * math.sqrt(2 / (5 * 16)))
        plain.bias.copy_(layer.bias)  # type: ignore[union-attr]  # a convolution has one by default
    torch.testing.assert_close(layer(z), plain(z[:, :, None, None]))


@pytest.mark.parametrize("shape", [(4, 9), (4, 9, 3, 3)])
def test_pixel_norm_leaves_a_mean_square_of_1_in_every_pixel(shape: tuple[int, ...]) -> None:
    x = 100 * noise(*shape)
    out = PixelNorm()(x)
    torch.testing.assert_close(out.square().mean(1), torch.ones(shape[:1] + shape[2:]))
    assert torch.equal(out.sign(), x.sign())


def deviation(x: NDArray[np.float64], group: int) -> NDArray[np.float64]:
    """Return the extra map by loops, as the paper's words have it."""
    n = len(x)
    size = max(s for s in range(1, min(group, n) + 1) if n % s == 0)
    groups = n // size
    out = np.empty((n, 1, *x.shape[2:]))
    for row in range(n):
        members = [x[other] for other in range(n) if other % groups == row % groups]
        out[row] = np.sqrt(np.var(np.stack(members), axis=0) + 1e-8).mean()
    return out


@given(st.integers(1, 12), st.integers(1, 6))
def test_minibatch_deviation_equals_loops_over_groups(n: int, group: int) -> None:
    x = noise(n, 3, 2, 2, seed=n).double()
    out = MinibatchDeviation(group)(x)
    assert torch.equal(out[:, :3], x)
    np.testing.assert_allclose(out[:, 3:].numpy(), deviation(x.numpy(), group), rtol=1e-9)


def test_minibatch_deviation_has_a_gradient_where_all_images_are_equal() -> None:
    x = torch.ones(4, 2, 3, 3, requires_grad=True)
    MinibatchDeviation(4)(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
