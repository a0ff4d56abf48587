"""Weights & Biases and trackio, which answer the same calls: init, log, finish, Image."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import ClassVar

from torch import nn

from gan_toolkit import DataSpec, Recipe
from gan_toolkit.errors import UsageError
from gan_toolkit.recipe import flat
from gan_toolkit.run import Row, Run, step_of
from gan_toolkit.tracking import Tracker
from gantk_trackers.figures import figures

PROJECT = "gan-toolkit"


class _Hosted(Tracker):
    """Sends figures and grids to a module with wandb's calls, its own login and settings obeyed."""

    MODULE: ClassVar[str]

    def __init__(self) -> None:
        try:
            self._module: ModuleType = import_module(self.MODULE)
        except ImportError as error:
            raise UsageError(
                f"The tracker '{self.MODULE}' needs a package: "
                f"`pip install 'gan-toolkit[{self.MODULE}]'`."
            ) from error
        self._recipe: dict[str, object] = {}
        self._open = False

    def built(self, recipe: Recipe, spec: DataSpec, networks: Mapping[str, nn.Module]) -> None:
        """Keep the recipe, without what belongs to this machine."""
        del spec, networks
        self._recipe = flat(recipe.values(exported=True))

    def began(self, path: Path, step: int, length: int) -> None:
        """Open a run of the folder's name in the project `gan-toolkit`."""
        del step, length
        with redirect_stdout(sys.stderr):  # stdout is for the run's folder
            self._module.init(
                project=PROJECT, name=path.name, config=self._recipe, **self._more(path)
            )
        self._open = True

    def row(self, row: Row) -> None:
        """Send the figures."""
        self._module.log(figures(row), step=row["step"])

    def drew(self, path: Path) -> None:
        """Send a sample grid."""
        self._module.log({"samples": self._module.Image(str(path))}, step=step_of(path))

    def close(self) -> None:
        """Finish what was begun."""
        if self._open:
            with redirect_stdout(sys.stderr):
                self._module.finish()

    def _more(self, path: Path) -> dict[str, object]:
        """Return further arguments of `init`."""
        raise NotImplementedError


class WeightsAndBiases(_Hosted):
    """Weights & Biases; `WANDB_MODE=offline` keeps everything below the run's folder."""

    MODULE: ClassVar[str] = "wandb"

    def _more(self, path: Path) -> dict[str, object]:
        return {"dir": str(path), "id": Run(path).id, "resume": "allow"}


class Trackio(_Hosted):
    """Trackio: a local dashboard, `trackio show --project gan-toolkit`. It keeps its own folder."""

    MODULE: ClassVar[str] = "trackio"

    def _more(self, path: Path) -> dict[str, object]:
        del path
        return {"resume": "allow"}
