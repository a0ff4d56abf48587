"""A trained generator: load it in one line, sample it, look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor

from gan_toolkit import bundle
from gan_toolkit.architecture import Scalars
from gan_toolkit.blame import blaming
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import LABEL, Batch, DataSpec, Progress, silent
from gan_toolkit.errors import UsageError
from gan_toolkit.feed import architecture_scalars
from gan_toolkit.pictures import is_picture, to_images
from gan_toolkit.references import find_model
from gan_toolkit.sampling import device_of, draw_samples, grid_size, label_numbers, seeded
from gan_toolkit.walks import walk_inputs


class Generator:
    """Networks that draw samples of `spec`."""

    def __init__(self, path: Path, catalogue: Catalogue, *, as_promised: bool = True) -> None:
        self.path = path
        self._catalogue = catalogue
        self.description, self._architecture, self.networks, self.sha256 = bundle.read_networks(
            path, catalogue, as_promised=as_promised
        )

    @property
    def spec(self) -> DataSpec:
        """What it was trained on: shape, range and classes of its samples."""
        return self.description.data

    @property
    def architecture(self) -> str:
        """Registry name of the architecture."""
        return self.description.architecture

    @property
    def conditions(self) -> tuple[str, ...]:
        """Fields that a sample is made of beside draws: labels, input images."""
        return self._architecture.conditions

    @property
    def grid(self) -> tuple[int, int | None]:
        """How many samples its grid shows and in how many rows; see `grid_size`."""
        return grid_size(self._architecture, self.spec)

    @property
    def parameter_count(self) -> int:
        """Return how many numbers its networks have learned."""
        return sum(p.numel() for net in self.networks.values() for p in net.parameters())

    def reread(self, path: Path) -> Generator:
        """Return the generator in another weights file, its architecture from the same plugins."""
        return Generator(path, self._catalogue)

    def to(self, device: str | torch.device) -> Generator:
        """Move the networks to a device and return this generator."""
        for network in self.networks.values():
            network.to(device)
        return self

    @blaming()
    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        labels: Tensor | Sequence[int | str] | int | str | None = None,
        given: Batch | None = None,
        truncation: float | None = None,
        first: int = 0,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Tensor:
        """Return samples `first` … `first + n - 1` of `seed`, float32, on the CPU.

        Images are [n, C, H, W], vectors [n, d], in the range of `spec.sample`. Sample i of a seed
        is the same bits whatever `n` and `first` are. `labels`: class names or numbers, one for
        all or one each; left out, sample i has class i modulo the number of classes. `given`:
        what else the model is conditioned on, rows [n, …] by field. `truncation`: normal latents
        are drawn within ± so much (Brock et al. 2019, section 3.1). Raises `UsageError` for an
        unknown class, a missing condition or latents that are not normal.
        """
        if n < 0 or first < 0 or seed < 0:
            raise UsageError("n, first and seed must not be negative.")
        return draw_samples(
            self._architecture,
            self.networks,
            self.spec,
            n,
            inputs=seeded(self._architecture.draws(self.spec), seed, truncation),
            s=self._scalars(),
            labels=label_numbers(self.spec, labels, n),
            given=given,
            first=first,
            progress=progress,
        )

    def walk(
        self,
        stops: int,
        frames: int,
        *,
        seed: int = 0,
        label: int | str | None = None,
        truncation: float | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Tensor:
        """Return a closed walk over samples 0 … stops - 1 of `seed`, `frames` frames a leg.

        Float32 [stops * frames, …]; frame k * frames is sample k, of class `label` where classes
        count, 0 when left out. See `walk_inputs` for the way between. Raises `UsageError`.
        """
        if stops < 1 or frames < 1:
            raise UsageError("A walk needs at least one stop and one frame a leg.")
        draws, n = self._architecture.draws(self.spec), stops * frames
        if label is None and LABEL in self._architecture.conditions:
            label = 0
        return draw_samples(
            self._architecture,
            self.networks,
            self.spec,
            n,
            inputs=walk_inputs(draws, seeded(draws, seed, truncation), stops, frames),
            s=self._scalars(),
            labels=label_numbers(self.spec, label, n),
            progress=progress,
        )

    def _scalars(self) -> Scalars:
        about, device = self.description, device_of(self.networks)
        return architecture_scalars(self._architecture, about.nimg, about.fraction, device)

    def images(
        self,
        n: int,
        *,
        seed: int = 0,
        labels: Tensor | Sequence[int | str] | int | str | None = None,
    ) -> list[Image]:
        """Return `n` samples as PIL images. Raises `UsageError` when samples are no images."""
        if not is_picture(self.spec.sample):
            raise UsageError("This model makes no images that can be shown; use sample().")
        return to_images(self.sample(n, seed=seed, labels=labels), self.spec.sample)


@blaming()
def load(
    reference: str | Path,
    *,
    plugins: Iterable[str | Path] = (),
    offline: bool = False,
    progress: Progress = silent,
) -> Generator:
    """Return the generator that a reference means.

    That is a run folder, a bundle folder, a `.safetensors` file, or what an installed resolver
    answers to: the name of a shipped model, `owner/repo[@revision]`, `hf://…`. `plugins` are
    single-file plugins to look the architecture up in, beside those installed; `offline` forbids
    any network. No code comes from the file and nothing is unpickled. Raises `BundleError`.
    """
    catalogue = Catalogue.discover(plugins)
    path = find_model(reference, catalogue, offline=offline, progress=progress)
    return Generator(path, catalogue)
