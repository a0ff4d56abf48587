"""The data set `stacked-mnist`: a thousand modes that can be counted."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, ClassVar, Literal

from gan_toolkit.data import (
    LABEL,
    SAMPLE,
    Batch,
    DataSet,
    DataSpec,
    FieldSpec,
    Progress,
    Stored,
    silent,
)
from gan_toolkit.options import Field
from gantk_mnist.data import MNIST, SIDE

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CLASSES = tuple(f"{number:03}" for number in range(1000))


class StackedMNIST(DataSet):
    """Colour images whose red, green and blue are three MNIST digits drawn at random.

    The label is the three-digit number they spell, red first: 0 … 999 (Metz et al. 2017). PacGAN's
    protocol, the default, draws 128,000 such images once from the training half (Lin et al. 2018).
    """

    licence: ClassVar[str] = MNIST.licence
    source: ClassVar[str] = f"digits of {MNIST.source}; stacked as by Metz et al. 2017"

    count: int = Field(128_000, ge=1, le=10_000_000, description="number of images")
    seed: int = Field(0, ge=0, description="decides which digits are stacked")
    split: Literal["train", "test", "all"] = Field(
        "train", description="half of MNIST that the digits are drawn from"
    )
    resolution: int = Field(
        SIDE, ge=4, le=1024, description="side in pixels, made as by `mnist`: 32 adds a black rim"
    )

    def probe(self, timeout_s: float) -> str:
        """Return where MNIST lies or would come from. Raises `DataError` within `timeout_s`."""
        return self._digits.probe(timeout_s)

    def open(self, progress: Progress = silent) -> Stored:
        """Return the images: `sample` uint8 [N, 3, R, R], `label` int64 [N] of 0 … 999.

        Nothing but MNIST is packed: rows are stacked when they are asked for. Raises `DataError`
        when MNIST cannot be had.
        """
        import torch

        from gan_toolkit.streams import stream

        digits = self._digits.open(progress)
        assert digits.spec.length is not None
        generator = stream(self.seed, "stacked-mnist")
        table = torch.randint(digits.spec.length, (self.count, 3), generator=generator)
        content = digits.spec.fingerprint.encode() + table.numpy().astype("<i8").tobytes()
        spec = DataSpec(
            name="stacked-mnist",
            fields={
                SAMPLE: FieldSpec(shape=(3, self.resolution, self.resolution), low=-1.0, high=1.0),
                LABEL: FieldSpec(shape=(), classes=CLASSES),
            },
            fingerprint=hashlib.sha256(content).hexdigest(),
            licence=self.licence,
            source=self.source,
        )
        return Stacked(spec, digits, table)

    @property
    def _digits(self) -> MNIST:
        return MNIST(split=self.split, resolution=self.resolution)


class Stacked(Stored):
    """Images whose three channels are rows of `digits`, found in a table [N, 3].

    What is stored is the table: 3 MB for 128,000 images, which would be 300 MB stacked.
    """

    def __init__(self, spec: DataSpec, digits: Stored, table: Tensor) -> None:
        super().__init__(spec, {SAMPLE: table})
        self._digits = digits

    def gather(self, indices: Tensor) -> Batch:
        """Return the rows at `indices` [N], int64, on the device that holds them."""
        three = super().gather(indices)[SAMPLE]  # [N, 3]
        rows = self._digits.gather(three.flatten())
        images = rows[SAMPLE].squeeze(1).unflatten(0, three.shape)  # [N, 3, R, R]
        hundreds, tens, ones = rows[LABEL].view(three.shape).unbind(1)
        return {SAMPLE: images, LABEL: 100 * hundreds + 10 * tens + ones}

    def to(self, device: torch.device) -> Stacked:
        """Return the same rows held on `device`."""
        return Stacked(self.spec, self._digits.to(device), self._rows[SAMPLE].to(device))
