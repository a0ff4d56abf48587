"""The extractors `digits` and `strict-digits`: classifiers, from weights in this folder."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import ClassVar

import torch
from safetensors.torch import load
from torch import Tensor, nn

from gan_toolkit.data import DataSpec
from gan_toolkit.errors import DataError
from gan_toolkit.scoring import Extractor, Seen, resized
from gan_toolkit.streams import global_stream
from gantk_digitnet.network import CLASSES, SIDE, DigitNet


class Digits(Extractor):
    """A classifier of MNIST's digits: 64 features, ten classes.

    It looks at images of any size, grey or RGB, in -1 … 1, white on black. RGB is made grey by its
    mean; any size but 28×28 is brought to it, bilinear with antialiasing.
    """

    weights: ClassVar[str] = "digits.safetensors"
    sha256: ClassVar[str] = "9573375d16be2c94780159efa906e931687162077b600241cfd82c8fa17204af"
    resize: ClassVar[str] = f"all → {SIDE}×{SIDE}, bilinear, antialiased"
    classes: ClassVar[tuple[str, ...]] = CLASSES

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why it cannot look at such samples."""
        shape = spec.sample.shape
        if len(shape) == 3 and shape[0] in {1, 3} and spec.sample.low is not None:
            return []
        return [f"digits looks at images of 1 or 3 channels; '{spec.name}' has {list(shape)}."]

    def suits(self, spec: DataSpec) -> bool:
        """Return whether the data's classes are the ten digits."""
        return spec.classes == CLASSES

    def open(self) -> nn.Module:
        """Return the network: images [N, C, H, W] in -1 … 1 → `Seen`.

        Raises `DataError` when the file is not the one that was shipped.
        """
        content = (files(__package__) / self.weights).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.sha256:
            raise DataError(
                f"The weights in {self.weights} of gantk_digitnet are damaged: SHA-256 "
                f"{digest[:16]}…, not {self.sha256[:16]}…. Reinstall what brings it."
            )
        with global_stream(0, "digits"):  # initial weights are replaced; nobody's draws move
            network = DigitNet()
        network.load_state_dict(load(content))
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's gap
        return _Looking(network).eval()


class StrictDigits(Digits):
    """The same classifier, trained to be unsure of what is no digit.

    Beside each digit it was shown a pair of digits averaged, or noise, and told that all ten
    classes are as likely (Hendrycks et al. 2019, arXiv:1812.04606). Taken when it is named.
    """

    weights: ClassVar[str] = "strict.safetensors"
    sha256: ClassVar[str] = "8bec2aa036971e434ed03087b89496d15db1e455229056d50b447ff4f45fdc94"

    def suits(self, spec: DataSpec) -> bool:
        """Return False: distances on `digits` are the ones to compare."""
        del spec
        return False


class _Looking(nn.Module):
    """The classifier behind a fixed grey 28×28 window."""

    def __init__(self, network: DigitNet) -> None:
        super().__init__()
        self.network = network.requires_grad_(requires_grad=False)

    def forward(self, images: Tensor) -> Seen:
        """Return features and logits of images [N, C, H, W] in -1 … 1."""
        grey = images.mean(1, keepdim=True)  # [N, 1, H, W]
        return Seen(*self.network(resized(grey, (SIDE, SIDE))))
