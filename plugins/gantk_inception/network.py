"""Inception-v3 as Google published it in December 2015 (Szegedy et al. 2016, arXiv:1512.00567).

What papers call FID is measured with this very graph. It differs from later ones in three ways: a
mean over a window leaves out what lies beyond the rim, the last block takes a maximum where the
block before it takes a mean, and there are 1,008 classes.

Layers are named as in the published state dict, so that weights find their places by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 299
FEATURES = 2048
CLASSES = 1008
COUNTER = "num_batches_tracked"
"""Batches seen in training: of no use here, and files have it or not."""

Size = tuple[int, int]
Pool = Callable[[Tensor], Tensor]


class Step(NamedTuple):
    """One layer of a block."""

    name: str
    channels: int
    size: Size = (1, 1)
    """Height and width of the kernel."""
    stride: int = 1


Path = Sequence[Step | Pool]

mean: Pool = partial(
    functional.avg_pool2d, kernel_size=3, stride=1, padding=1, count_include_pad=False
)
most: Pool = partial(functional.max_pool2d, kernel_size=3, stride=1, padding=1)
halved: Pool = partial(functional.max_pool2d, kernel_size=3, stride=2)


class Layer(nn.Module):
    """A convolution without bias, batch norm, ReLU; with `rim` stride 1 keeps the size."""

    def __init__(
        self, inside: int, channels: int, size: Size, stride: int = 1, *, rim: bool = True
    ) -> None:
        super().__init__()
        padding = (size[0] // 2, size[1] // 2) if rim and stride == 1 else 0
        self.conv = nn.Conv2d(inside, channels, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=1e-3)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps [N, channels, H, W]."""
        return functional.relu(self.bn(self.conv(maps)))


class Block(nn.Module):
    """Paths from the same maps, joined by channel; a name on two paths is one layer."""

    def __init__(self, inside: int, *paths: Path) -> None:
        super().__init__()
        self.paths: list[list[Pool]] = []
        for path in paths:
            channels = inside
            self.paths.append([])
            for step in path:
                if isinstance(step, Step):
                    if not hasattr(self, step.name):
                        self.add_module(step.name, Layer(channels, *step[1:]))
                    channels = step.channels
                    step = getattr(self, step.name)  # noqa: PLW2901  # from here on the layer
                self.paths[-1].append(step)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps of all paths, [N, C, H, W]."""
        found = []
        for path in self.paths:
            through = maps
            for step in path:
                through = step(through)
            found.append(through)
        return torch.cat(found, 1)


def block_35(inside: int, pooled: int) -> Block:
    """Return a block of 35×35 maps: 224 + `pooled` channels."""
    return Block(
        inside,
        [Step("branch1x1", 64)],
        [Step("branch5x5_1", 48), Step("branch5x5_2", 64, (5, 5))],
        [
            Step("branch3x3dbl_1", 64),
            Step("branch3x3dbl_2", 96, (3, 3)),
            Step("branch3x3dbl_3", 96, (3, 3)),
        ],
        [mean, Step("branch_pool", pooled)],
    )


def block_35_to_17() -> Block:
    """Return the block from 288 channels of 35×35 to 768 of 17×17."""
    return Block(
        288,
        [Step("branch3x3", 384, (3, 3), 2)],
        [
            Step("branch3x3dbl_1", 64),
            Step("branch3x3dbl_2", 96, (3, 3)),
            Step("branch3x3dbl_3", 96, (3, 3), 2),
        ],
        [halved],
    )


def block_17(narrow: int) -> Block:
    """Return a block of 768 channels of 17×17; `narrow` are the channels within."""
    flat, tall = (1, 7), (7, 1)
    return Block(
        768,
        [Step("branch1x1", 192)],
        [
            Step("branch7x7_1", narrow),
            Step("branch7x7_2", narrow, flat),
            Step("branch7x7_3", 192, tall),
        ],
        [
            Step("branch7x7dbl_1", narrow),
            Step("branch7x7dbl_2", narrow, tall),
            Step("branch7x7dbl_3", narrow, flat),
            Step("branch7x7dbl_4", narrow, tall),
            Step("branch7x7dbl_5", 192, flat),
        ],
        [mean, Step("branch_pool", 192)],
    )


def block_17_to_8() -> Block:
    """Return the block from 768 channels of 17×17 to 1280 of 8×8."""
    return Block(
        768,
        [Step("branch3x3_1", 192), Step("branch3x3_2", 320, (3, 3), 2)],
        [
            Step("branch7x7x3_1", 192),
            Step("branch7x7x3_2", 192, (1, 7)),
            Step("branch7x7x3_3", 192, (7, 1)),
            Step("branch7x7x3_4", 192, (3, 3), 2),
        ],
        [halved],
    )


def block_8(inside: int, pool: Pool) -> Block:
    """Return a block of 2048 channels of 8×8."""
    flat, tall = (1, 3), (3, 1)
    single = Step("branch3x3_1", 384)
    double = Step("branch3x3dbl_1", 448), Step("branch3x3dbl_2", 384, (3, 3))
    return Block(
        inside,
        [Step("branch1x1", 320)],
        [single, Step("branch3x3_2a", 384, flat)],
        [single, Step("branch3x3_2b", 384, tall)],
        [*double, Step("branch3x3dbl_3a", 384, flat)],
        [*double, Step("branch3x3dbl_3b", 384, tall)],
        [pool, Step("branch_pool", 192)],
    )


class InceptionV3(nn.Module):
    """Images [N, 3, 299, 299], bytes less 128 over 128 → 2,048 features and 1,008 logits."""

    def __init__(self) -> None:
        super().__init__()
        three = (3, 3)
        self.Conv2d_1a_3x3 = Layer(3, 32, three, 2)  # [N, 32, 149, 149]
        self.Conv2d_2a_3x3 = Layer(32, 32, three, rim=False)  # [N, 32, 147, 147]
        self.Conv2d_2b_3x3 = Layer(32, 64, three)
        self.Conv2d_3b_1x1 = Layer(64, 80, (1, 1))  # [N, 80, 73, 73]
        self.Conv2d_4a_3x3 = Layer(80, 192, three, rim=False)  # [N, 192, 71, 71]
        self.Mixed_5b = block_35(192, 32)  # [N, 256, 35, 35]
        self.Mixed_5c = block_35(256, 64)  # [N, 288, 35, 35]
        self.Mixed_5d = block_35(288, 64)
        self.Mixed_6a = block_35_to_17()  # [N, 768, 17, 17]
        self.Mixed_6b = block_17(128)
        self.Mixed_6c = block_17(160)
        self.Mixed_6d = block_17(160)
        self.Mixed_6e = block_17(192)
        self.Mixed_7a = block_17_to_8()  # [N, 1280, 8, 8]
        self.Mixed_7b = block_8(1280, mean)  # [N, 2048, 8, 8]
        self.Mixed_7c = block_8(2048, most)
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features [N, 2048] and logits without their bias [N, 1008].

        The Inception Score has been taken without that bias since its first code.
        """
        maps = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images)))
        maps = halved(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(halved(maps))))  # [N, 192, 35, 35]
        for name, part in self.named_children():
            if name.startswith("Mixed"):
                maps = part(maps)
        features = maps.mean((2, 3))
        return features, features @ self.fc.weight.T

    def take(self, state: Mapping[str, Tensor]) -> None:
        """Load the published weights. Raises `RuntimeError` when any is missing or left over."""
        counters = {n: t for n, t in self.state_dict().items() if n.endswith(COUNTER)}
        self.load_state_dict({**counters, **state})


def stretched(images: Tensor, side: int = SIDE) -> Tensor:
    """Return images [N, C, H, W] at `side`×`side`, as TensorFlow 1 resized them.

    Bilinear without antialiasing, and pixel i lies at i · size / side: half a pixel off what other
    libraries do, which moves the FID.
    """
    for axis in (3, 2):
        size = images.shape[axis]
        places = torch.arange(side, device=images.device) * (size / side)
        low = places.long()
        high = (low + 1).clamp(max=size - 1)
        share = (places - low).unflatten(0, (-1, *[1] * (3 - axis)))
        images = torch.lerp(images.index_select(axis, low), images.index_select(axis, high), share)
    return images
