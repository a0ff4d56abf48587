"""The extractor `inception`: what papers look with when they say FID, KID or Inception Score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_toolkit import foreign
from gan_toolkit.data import DataSpec
from gan_toolkit.scoring import Extractor, Seen, in_parts
from gan_toolkit.streams import global_stream
from gantk_inception.network import CLASSES, SIDE, InceptionV3, stretched
from gantk_inception.weights import SHA256, obtain

AT_ONCE = 32
"""Images whose maps are in memory at once."""


class Inception(Extractor):
    """The Inception-v3 of 2015 (Szegedy et al. 2016): 2,048 features, 1,008 classes.

    Images of 1 or 3 channels in -1 … 1 are rounded to bytes, as a picture file would hold them,
    grey ones repeated in each channel, and brought to 299×299 as TensorFlow 1 did it. The scores
    `fid`, `kid` and `is` taken through it are the ones of papers; classes are known by number. It
    is taken when it is named: on a processor it sees about ten images a second and core.
    """

    sha256: ClassVar[str] = SHA256
    resize: ClassVar[str] = f"all → 8 bits → {SIDE}×{SIDE}, bilinear as in TensorFlow 1"
    classes: ClassVar[tuple[str, ...]] = tuple(map(str, range(CLASSES)))
    titles: ClassVar[Mapping[str, str]] = {"fd": "fid", "kid": "kid", "is": "is"}

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why it cannot look at such samples."""
        shape = spec.sample.shape
        if len(shape) == 3 and shape[0] in {1, 3} and spec.sample.low is not None:
            return []
        return [f"inception looks at images of 1 or 3 channels; '{spec.name}' has {list(shape)}."]

    def open(self) -> nn.Module:
        """Return the network: images [N, C, H, W] in -1 … 1, any size → `Seen`.

        Raises `DataError` when its weights are not here and cannot be downloaded.
        """
        with global_stream(0, "inception"):  # initial weights are replaced; nobody's draws move
            network = InceptionV3()
        network.take(foreign.read(obtain()))
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's gap
        return Looking(network).eval()


class Looking(nn.Module):
    """The network behind bytes and the size it was trained on."""

    def __init__(self, network: InceptionV3) -> None:
        super().__init__()
        self.network = network.requires_grad_(requires_grad=False)

    def forward(self, images: Tensor) -> Seen:
        """Return features and logits of images [N, C, H, W] in -1 … 1."""
        return in_parts(self._look, images, AT_ONCE)

    def _look(self, images: Tensor) -> Seen:
        pixels = ((images + 1) * 127.5).round().clamp(0, 255).expand(-1, 3, -1, -1)
        return Seen(*self.network((stretched(pixels) - 128) / 128))
