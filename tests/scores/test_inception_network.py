"""The Inception network of the FID: its shape, its quirks, how images come to it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from gan_toolkit.streams import global_stream, stream
from gantk_inception import extractor
from gantk_inception.extractor import Looking
from gantk_inception.network import COUNTER, Block, InceptionV3, Step, halved, mean, most, stretched
from gantk_inception.weights import BYTES


@pytest.fixture(scope="module")
def network() -> InceptionV3:
    with global_stream(0, "test"):
        return InceptionV3().eval().requires_grad_(requires_grad=False)


def images(n: int, *shape: int) -> Tensor:
    return torch.rand(n, *shape, generator=stream(0, "test", *shape)) * 2 - 1


def test_its_tensors_fill_the_published_file(network: InceptionV3) -> None:
    tensors = {n: t for n, t in network.state_dict().items() if not n.endswith(COUNTER)}
    size = sum(4 * tensor.numel() for tensor in tensors.values())
    assert size < BYTES < size + 500 * len(tensors)  # beside them, a name and a header for each


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("Conv2d_4a_3x3.conv.weight", (192, 80, 3, 3)),
        ("Mixed_5b.branch_pool.conv.weight", (32, 192, 1, 1)),
        ("Mixed_6a.branch3x3.conv.weight", (384, 288, 3, 3)),
        ("Mixed_6c.branch7x7dbl_3.conv.weight", (160, 160, 1, 7)),
        ("Mixed_7a.branch7x7x3_4.bn.running_var", (192,)),
        ("Mixed_7c.branch3x3dbl_3b.conv.weight", (384, 384, 3, 1)),
        ("Mixed_7c.branch1x1.conv.weight", (320, 2048, 1, 1)),
        ("fc.weight", (1008, 2048)),
    ],
)
def test_layers_are_named_and_shaped_as_published(
    network: InceptionV3, name: str, shape: tuple[int, ...]
) -> None:
    assert tuple(network.state_dict()[name].shape) == shape


def test_maps_have_the_papers_sizes(network: InceptionV3) -> None:
    sides: dict[str, tuple[int, ...]] = {}
    hooks = [
        part.register_forward_hook(lambda _, __, out, name=name: sides.update({name: out.shape}))
        for name, part in network.named_children()
        if name != "fc"
    ]
    features, logits = network(torch.zeros(1, 3, 299, 299))
    for hook in hooks:
        hook.remove()
    assert {name: tuple(shape[1:3]) for name, shape in sides.items()} == {
        "Conv2d_1a_3x3": (32, 149),
        "Conv2d_2a_3x3": (32, 147),
        "Conv2d_2b_3x3": (64, 147),
        "Conv2d_3b_1x1": (80, 73),
        "Conv2d_4a_3x3": (192, 71),
        "Mixed_5b": (256, 35),
        "Mixed_5c": (288, 35),
        "Mixed_5d": (288, 35),
        **{f"Mixed_6{letter}": (768, 17) for letter in "abcde"},
        "Mixed_7a": (1280, 8),
        "Mixed_7b": (2048, 8),
        "Mixed_7c": (2048, 8),
    }
    assert features.shape == (1, 2048)
    assert logits.shape == (1, 1008)


def test_a_mean_at_the_rim_leaves_out_what_lies_beyond() -> None:
    assert torch.equal(mean(torch.ones(1, 2, 5, 5)), torch.ones(1, 2, 5, 5))
    corner = torch.zeros(1, 1, 4, 4)
    corner[..., 0, 0] = 4
    assert float(mean(corner)[0, 0, 0, 0]) == 1  # of four pixels, not of nine


def test_only_the_last_block_takes_a_maximum(network: InceptionV3) -> None:
    pools = {
        name: part.paths[-1][0]
        for name, part in network.named_children()
        if isinstance(part, Block)
    }
    assert {name for name, pool in pools.items() if pool is most} == {"Mixed_7c"}
    assert {name for name, pool in pools.items() if pool is halved} == {"Mixed_6a", "Mixed_7a"}
    assert sum(pool is mean for pool in pools.values()) == 8


def test_a_name_on_two_paths_is_one_layer() -> None:
    first = Step("first", 3)
    block = Block(2, [first, Step("left", 4)], [first, Step("right", 5, (3, 3))])
    assert {name.partition(".")[0] for name in block.state_dict()} == {"first", "left", "right"}
    assert block.eval()(torch.zeros(1, 2, 6, 6)).shape == (1, 9, 6, 6)


def test_logits_know_no_bias(network: InceptionV3) -> None:
    rows = images(2, 3, 299, 299)
    features, logits = network(rows)
    torch.testing.assert_close(logits, functional.linear(features, network.fc.weight))
    network.fc.bias.add_(3)
    assert torch.equal(network(rows)[1], logits)


@pytest.mark.parametrize(("height", "width"), [(2, 3), (7, 5), (9, 16)])
def test_images_are_stretched_as_tensorflow_1_did(height: int, width: int) -> None:
    image, side = images(1, 1, height, width), 8
    found = stretched(image, side)[0, 0]
    for i in range(side):
        for j in range(side):
            y, x = i * height / side, j * width / side  # no half pixel
            top, left = math.floor(y), math.floor(x)
            below, right = min(top + 1, height - 1), min(left + 1, width - 1)
            upper = image[0, 0, top, left] * (1 - x + left) + image[0, 0, top, right] * (x - left)
            lower = image[0, 0, below, left] * (1 - x + left) + image[0, 0, below, right] * (
                x - left
            )
            expected = upper * (1 - y + top) + lower * (y - top)
            assert float(found[i, j]) == pytest.approx(float(expected), abs=1e-5)


def test_an_image_of_the_right_size_is_not_touched() -> None:
    image = images(1, 3, 299, 299)
    assert torch.equal(stretched(image), image)


def test_samples_are_seen_as_a_picture_file_would_hold_them(network: InceptionV3) -> None:
    exact = torch.randint(256, (2, 3, 9, 9), generator=stream(0, "bytes")).float() / 127.5 - 1
    looking = Looking(network)
    assert torch.equal(
        looking(exact).features, looking((exact + 0.4 / 127.5).clamp(-1, 1)).features
    )


def test_grey_is_seen_as_the_same_in_each_channel_and_parts_make_no_difference(
    network: InceptionV3, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey = images(3, 1, 12, 12)
    looking = Looking(network)
    whole = looking(grey)
    monkeypatch.setattr(extractor, "AT_ONCE", 2)
    torch.testing.assert_close(looking(grey.expand(-1, 3, -1, -1)), whole)
