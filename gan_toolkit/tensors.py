"""Train on a tensor from Python, with no data set plugin."""

from __future__ import annotations

import hashlib
from typing import ClassVar

import torch
from pydantic import PrivateAttr
from torch import Tensor

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
from gan_toolkit.errors import DataError


class TensorData(DataSet):
    """Samples handed in from Python; a recipe can name it but not hold it."""

    NAME: ClassVar[str] = "tensor"
    _rows: Batch = PrivateAttr()

    @classmethod
    def of(cls, data: Tensor | tuple[Tensor, Tensor]) -> TensorData:
        """Return the data set of samples, or of (samples, labels). Raises `DataError`."""
        samples, labels = data if isinstance(data, tuple) else (data, None)
        if samples.dim() not in {2, 4} or not len(samples):
            raise DataError(
                f"A tensor of shape {list(samples.shape)} is no data set: give images [N, C, H, W] "
                "or vectors [N, d]."
            )
        if samples.dtype is not torch.uint8:
            samples = samples.detach().to(torch.float32)
            if not samples.isfinite().all():
                raise DataError("The tensor holds NaN or infinity; clean it first.")
            if samples.dim() == 4 and samples.abs().max() > 1:
                raise DataError("Float images must lie in -1 … 1; scale them, or give uint8.")
        elif samples.dim() == 2:
            raise DataError("Vectors must be floats; convert them with `.float()`.")
        rows = {SAMPLE: samples.cpu()}
        if labels is not None:
            if labels.shape != (len(samples),) or labels.is_floating_point() or labels.min() < 0:
                raise DataError("Labels must be whole numbers from 0, one a sample: shape [N].")
            rows[LABEL] = labels.cpu().long()
        found = cls()
        found._rows = rows  # its own private attribute
        return found

    def open(self, progress: Progress = silent) -> Stored:
        """Return the tensor as a source."""
        del progress
        samples = self._rows[SAMPLE]
        image = samples.dim() == 4
        low, high = (-1.0, 1.0) if image else (None, None)
        fields = {SAMPLE: FieldSpec(shape=tuple(samples.shape[1:]), low=low, high=high)}
        if LABEL in self._rows:
            count = int(self._rows[LABEL].max()) + 1
            fields[LABEL] = FieldSpec(shape=(), classes=tuple(map(str, range(count))))
        digest = hashlib.sha256()
        for name, rows in self._rows.items():
            digest.update(f"{name}{rows.dtype}{list(rows.shape)}".encode())
            digest.update(rows.contiguous().numpy().tobytes())
        spec = DataSpec(name=self.NAME, fields=fields, fingerprint=digest.hexdigest())
        return Stored(spec, self._rows)
