"""What the tutorials' networks take from TensorFlow, pixel by pixel."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gan_toolkit import Architecture, DataSpec, FieldSpec
from gantk_tutorials.keras import Keras
from gantk_tutorials.oreilly import OReilly
from gantk_tutorials.tensorflow import BatchStatistics, DoubledConv2d, SameConv2d

BOTH = pytest.mark.parametrize("arch", [Keras(), OReilly()], ids=["keras", "oreilly"])


def spec(*shape: int) -> DataSpec:
    field = FieldSpec(shape=shape, low=0.0, high=1.0)
    return DataSpec(name="test", fields={"sample": field})


def same(image: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Return TensorFlow's 'SAME' convolution of [H, W] with [k, k], by its documented rule."""
    height, width = image.shape
    k = len(kernel)
    rows, columns = -(-height // stride), -(-width // stride)
    top = max((rows - 1) * stride + k - height, 0) // 2
    left = max((columns - 1) * stride + k - width, 0) // 2
    out = torch.zeros(rows, columns, dtype=image.dtype)
    for i in range(rows):
        for j in range(columns):
            for a in range(k):
                for b in range(k):
                    y, x = i * stride + a - top, j * stride + b - left
                    if 0 <= y < height and 0 <= x < width:
                        out[i, j] += image[y, x] * kernel[a, b]
    return out


@settings(max_examples=20)
@given(
    height=st.integers(3, 7),
    width=st.integers(3, 7),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.sampled_from([1, 2]),
)
def test_same_padding_is_tensorflows(height: int, width: int, kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    convolution = SameConv2d(1, 1, kernel, stride=stride, bias=False)
    image = torch.randn(height, width)
    expected = same(image, convolution.weight.detach()[0, 0], stride)
    torch.testing.assert_close(convolution(image[None, None]).detach()[0, 0], expected)


def test_an_even_side_at_stride_2_is_padded_below_and_on_the_right_only() -> None:
    convolution = SameConv2d(1, 1, 3, stride=2, bias=False)
    nn.init.ones_(convolution.weight)
    counted = convolution(torch.ones(1, 1, 4, 4))[0, 0]
    assert counted.tolist() == [[9, 6], [6, 4]]  # symmetric padding would begin with a 4


def doubled(image: Tensor) -> Tensor:
    """Return TensorFlow 1's bilinear resizing of [H, W] to twice the size, by its rule."""
    height, width = image.shape
    out = torch.zeros(2 * height, 2 * width, dtype=image.dtype)
    for i in range(2 * height):
        for j in range(2 * width):
            low, left = i // 2, j // 2
            high, right = min(low + 1, height - 1), min(left + 1, width - 1)
            y, x = i / 2 - low, j / 2 - left
            top = image[low, left] * (1 - x) + image[low, right] * x
            bottom = image[high, left] * (1 - x) + image[high, right] * x
            out[i, j] = top * (1 - y) + bottom * y
    return out


@settings(max_examples=10)
@given(height=st.integers(1, 5), width=st.integers(1, 5))
def test_a_folded_convolution_is_that_of_the_resized_map(height: int, width: int) -> None:
    torch.manual_seed(0)
    convolution = DoubledConv2d(1, 1).double()
    assert convolution.bias is not None
    image = torch.randn(height, width).double()
    expected = same(doubled(image), convolution.weight.detach()[0, 0], 2) + convolution.bias
    torch.testing.assert_close(convolution(image[None, None])[0, 0], expected.detach())


def test_every_second_pixel_of_a_resized_map_is_the_maps_own() -> None:
    image = torch.randn(4, 5)
    kernel = torch.randn(1, 1)
    torch.testing.assert_close(same(doubled(image), kernel, 2), image * kernel)


@pytest.mark.parametrize("training", [True, False])
def test_batch_statistics_are_the_batchs_own_in_training_and_in_sampling(training: bool) -> None:
    norm = BatchStatistics(3).train(training)
    nn.init.normal_(norm.shift)
    maps = 5 * torch.randn(4, 3, 6, 6) + 2
    mean = maps.mean((0, 2, 3), keepdim=True)
    variance = (maps - mean).square().mean((0, 2, 3), keepdim=True)
    expected = (maps - mean) / (variance + 1e-5).sqrt() + norm.shift.view(1, 3, 1, 1)
    torch.testing.assert_close(norm(maps), expected)
    assert list(norm.state_dict()) == ["shift"]


@BOTH
def test_coloured_images_are_made_in_0_to_1_and_judged(arch: Architecture) -> None:
    shape = (3, 28, 28)
    nets = arch.networks(spec(*shape), 0)
    fakes = arch.generate(nets, {"z": torch.randn(2, 100)}, {}, {})["sample"]
    assert fakes.shape == (2, *shape)
    assert 0 <= fakes.min() < fakes.max() <= 1
    assert arch.judge(nets, {"sample": fakes}, {}).logits.shape == (2,)


@BOTH
@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((1, 32, 32), "; try `--set data.resolution=28`."),
        ((5, 28, 28), "; for a folder try `--set data.channels=3`."),
        ((2,), "; try `--arch mlp`."),
    ],
)
def test_any_other_shape_is_refused(
    arch: Architecture, shape: tuple[int, ...], advice: str
) -> None:
    (reason,) = arch.refusals(spec(*shape))
    assert f"makes images of 28×28, 1 to 4 channels, but samples of 'test' are {list(shape)}" in (
        reason
    )
    assert reason.endswith(advice)
    assert arch.refusals(spec(1, 28, 28)) == []


def test_the_width_of_g_follows_the_latent() -> None:
    G = OReilly(latent=8).generator(spec(1, 28, 28))
    assert [m.out_channels for m in G.modules() if isinstance(m, nn.Conv2d)] == [4, 2, 1]
