"""TensorBoard: scalars, sample grids and the graph of generator and discriminator."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from gan_toolkit import DataSpec, Recipe
from gan_toolkit.data import LABEL
from gan_toolkit.errors import UsageError
from gan_toolkit.feed import architecture_scalars
from gan_toolkit.run import Row, step_of
from gan_toolkit.sampling import at_rest, device_of, first_rows, seeded
from gan_toolkit.tracking import Tracker
from gantk_trackers.figures import figures

FOLDER = "tensorboard"


class TensorBoard(Tracker):
    """Writes `RUN/tensorboard`; look with `tensorboard --logdir RUN/tensorboard`."""

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UsageError(
                "The tracker 'tensorboard' needs a package: "
                "`pip install 'gan-toolkit[tensorboard]'`."
            ) from error
        self._writer_class = SummaryWriter
        self._writer: SummaryWriter | None = None
        self._graph: tuple[nn.Module, tuple[Tensor, ...]] | None = None

    def built(self, recipe: Recipe, spec: DataSpec, networks: Mapping[str, nn.Module]) -> None:
        """Keep what the graph is drawn of."""
        whole = _Whole(recipe, spec, networks)
        self._graph = (whole, whole.inputs())

    def began(self, path: Path, step: int, length: int) -> None:
        """Open the writer; what a resumed run will write again is hidden. Draw the graph once."""
        del length
        folder = path / FOLDER
        first = not folder.exists()
        # `purge_step` hides from that step on; the checkpoint's own step is in the run already.
        self._writer = self._writer_class(folder, purge_step=step + 1 if step else None)
        if first and self._graph is not None:
            whole, inputs = self._graph
            with at_rest({"whole": whole}), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tracing is deprecated, yet TensorBoard's only way
                self._writer.add_graph(whole, inputs)
        self._graph = None

    def row(self, row: Row) -> None:
        """Write the figures."""
        assert self._writer is not None
        for name, value in figures(row).items():
            self._writer.add_scalar(name.replace(".", "/"), value, row["step"])
        self._writer.flush()

    def drew(self, path: Path) -> None:
        """Write a sample grid."""
        assert self._writer is not None
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        self._writer.add_image("samples", pixels, step_of(path), dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()


class _Whole(nn.Module):
    """Draws to fakes to logits, as one module that can be traced."""

    def __init__(self, recipe: Recipe, spec: DataSpec, networks: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(dict(networks))
        self._arch, self._spec = recipe.arch, spec
        self._device = device_of(networks)
        self._s = architecture_scalars(recipe.arch, 0, 0.0, self._device)

    def inputs(self) -> tuple[Tensor, ...]:
        """Return two rows of every draw."""
        draws = first_rows(seeded(self._arch.draws(self._spec), 0), 2)
        self._names = tuple(draws)
        return tuple(rows.to(self._device) for rows in draws.values())

    def forward(self, *draws: Tensor) -> Tensor:
        batch = {
            name: torch.zeros(2, *self._spec.fields[name].shape, device=self._device)
            for name in self._arch.conditions
        }
        if LABEL in batch:
            batch[LABEL] = batch[LABEL].long()
        nets = dict(self.networks.items())
        made = self._arch.generate(nets, dict(zip(self._names, draws, strict=True)), batch, self._s)
        return self._arch.judge(nets, {**batch, **made}, self._s).logits
