"""The conditional DCGAN: a generator and a discriminator that are told the class of an image."""

from __future__ import annotations

import itertools
import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.nn.utils.parametrizations import spectral_norm

from gan_toolkit import DataSpec, Field, Judged, TwoNetworks
from gan_toolkit.architecture import Networks, Scalars, image_refusals
from gan_toolkit.data import LABEL, SAMPLE, Batch
from gan_toolkit.layers import Conv2d, ConvTranspose2d, LeakyReLU

Conditioning = Literal["concatenation", "embedding", "projection", "classifier"]
Norm = Literal["batch", "none", "spectral"]
Size = tuple[int, int]


class CDCGAN(TwoNetworks):
    """Conditional DCGAN (Radford et al. 2016, arXiv:1511.06434, and their conditional MNIST code).

    Two dense layers and 5×5 strided convolutions. G is told the class by a vector beside z and
    beside the hidden layer, and by constant maps beside every map. How D is told is `conditioning`:

    - `concatenation`: one-hot vectors and maps beside every layer's input, as in G;
    - `embedding`: the same with a learned vector a class, in G too;
    - `projection`: yᵀVφ(x) joins the logit (Miyato & Koyama 2018, arXiv:1802.05637, equation 3);
    - `classifier`: not at all; a head names the class, which the loss `auxiliary-classifier`
      teaches both players (Odena et al. 2017, arXiv:1610.09585).

    Images [N, C, H, W] in 0 … 1, C from 1 to 4, H and W from 8 up: 28×28 and 48×64 too.
    """

    sample_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    conditions: ClassVar[tuple[str, ...]] = (LABEL,)

    conditioning: Conditioning = Field("concatenation", description="how D is told the class")
    norm: Norm = Field(
        "batch", description="normalisation in D; a gradient penalty needs none or spectral"
    )
    width: int = Field(64, ge=1, le=1024, description="channels of the layers next to the image")
    hidden: int = Field(1024, ge=1, le=65536, description="size of the hidden dense layers")
    smallest: int = Field(
        7, ge=4, le=7, description="sides are halved until the shorter is no more than this"
    )
    embedding: int = Field(
        32, ge=1, le=4096, description="size of a class's learned vector (conditioning: embedding)"
    )

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why samples of this shape, or without classes, cannot be made."""
        reasons = image_refusals("cdcgan", spec, instead="try `--arch mlp`", smallest=8)
        if len(spec.sample.shape) == 3 and LABEL in spec.fields and not spec.classes:
            reasons.append(
                f"cdcgan needs the names of the classes, but '{spec.name}' has none; "
                "`--arch dcgan` needs no classes."
            )
        return reasons

    def heads(self, spec: DataSpec) -> tuple[str, ...]:
        """Return `class` when D has the auxiliary classifier."""
        del spec
        return ("class",) if self.conditioning == "classifier" else ()

    def generator(self, spec: DataSpec) -> nn.Module:
        """Return G: z [N, latent], y [N] → [N, C, H, W] in 0 … 1."""
        return Generator(self, spec.sample.shape, len(spec.classes))

    def discriminator(self, spec: DataSpec) -> nn.Module:
        """Return D: x [N, C, H, W], y [N] → logits [N], φ(x) [N, hidden], class logits or none."""
        return Discriminator(self, spec.sample.shape, len(spec.classes))

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        """Return G(z, y)."""
        del s
        return {SAMPLE: nets["generator"](draws["z"], batch[LABEL])}

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        """Return D(x, y): logits [N], features [N, hidden], and the head `class` [N, classes]."""
        del s
        logits, features, named = nets["discriminator"](batch[SAMPLE], batch[LABEL])
        return Judged(logits, features, {} if named is None else {"class": named})


class Generator(nn.Module):
    """[z, y] → hidden layer → smallest map → double until the image is reached."""

    def __init__(self, options: CDCGAN, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.classes = Classes(classes, options)
        told = self.classes.size
        sizes = _sizes(shape, options.smallest)[::-1]
        widths = [options.width << place for place in reversed(range(len(sizes) - 1))]
        flat = widths[0] * math.prod(sizes[0])
        self.hidden = nn.Sequential(
            nn.Linear(options.latent + told, options.hidden, bias=False),
            nn.BatchNorm1d(options.hidden),
            nn.ReLU(inplace=True),
        )
        self.map = nn.Sequential(
            nn.Linear(options.hidden + told, flat, bias=False),
            nn.BatchNorm1d(flat),
            nn.ReLU(inplace=True),
            nn.Unflatten(1, (widths[0], *sizes[0])),
        )
        self.levels = nn.ModuleList()
        channels = itertools.pairwise([*widths, shape[0]])
        for (inner, outer), size in zip(channels, sizes[1:], strict=True):
            last = size == sizes[-1]
            even = (1 - size[0] % 2, 1 - size[1] % 2)
            double = ConvTranspose2d(inner + told, outer, 5, 2, 2, even, bias=last)
            after = [nn.Sigmoid()] if last else [nn.BatchNorm2d(outer), nn.ReLU(inplace=True)]
            self.levels.append(nn.Sequential(double, *after))
        self.apply(_initialise)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """Return images [N, C, H, W] of the classes y [N]."""
        told = self.classes(y)
        x: Tensor = self.map(_joined(self.hidden(_joined(z, told)), told))
        for level in self.levels:
            x = level(_joined(x, told))
        return x


class Discriminator(nn.Module):
    """Halve until the smallest map is reached → hidden layer φ → one logit."""

    def __init__(self, options: CDCGAN, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.count = classes
        told = 0
        self.classes: Classes | None = None
        if options.conditioning in {"concatenation", "embedding"}:
            self.classes = Classes(classes, options)
            told = self.classes.size
        sizes = _sizes(shape, options.smallest)
        widths = [options.width << place for place in range(len(sizes) - 1)]
        self.levels = nn.ModuleList()
        for inner, outer in itertools.pairwise([shape[0], *widths]):
            batch = options.norm == "batch" and len(self.levels) > 0
            halve = Conv2d(inner + told, outer, 5, 2, 2, bias=not batch)
            after = [nn.BatchNorm2d(outer)] if batch else []
            self.levels.append(nn.Sequential(halve, *after, LeakyReLU(0.2, inplace=True)))
        flat, batch = widths[-1] * math.prod(sizes[-1]), options.norm == "batch"
        self.hidden = nn.Sequential(
            nn.Linear(flat + told, options.hidden, bias=not batch),
            *([nn.BatchNorm1d(options.hidden)] if batch else []),
            nn.ReLU(inplace=True),
        )
        self.logit = nn.Linear(options.hidden + told, 1)
        self.projection: nn.Module | None = None
        if options.conditioning == "projection":
            self.projection = nn.Linear(options.hidden, classes, bias=False)
        self.classifier: nn.Module | None = None
        if options.conditioning == "classifier":
            self.classifier = nn.Linear(options.hidden, classes)
        self.apply(_initialise)
        if options.norm == "spectral":
            for module in list(self.modules()):
                if isinstance(module, nn.Conv2d | nn.Linear):
                    spectral_norm(module)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return logits [N], features φ(x) [N, hidden] and class logits [N, classes] or None."""
        told = None if self.classes is None else self.classes(y)
        for level in self.levels:
            x = level(_joined(x, told))
        features: Tensor = self.hidden(_joined(x.flatten(1), told))
        logits: Tensor = self.logit(_joined(features, told)).squeeze(1)
        if self.projection is not None:  # yᵀVφ(x), equation 3 of Miyato & Koyama 2018
            hot = one_hot(y, self.count)
            logits = logits + (hot * self.projection(features)).sum(1)
        return logits, features, None if self.classifier is None else self.classifier(features)


class Classes(nn.Module):
    """Class numbers [N] → one vector each [N, size]: one-hot, or learned."""

    def __init__(self, classes: int, options: CDCGAN) -> None:
        super().__init__()
        learned = options.conditioning == "embedding"
        self.count = classes
        self.size = options.embedding if learned else classes
        self.learned = nn.Embedding(classes, self.size) if learned else None

    def forward(self, y: Tensor) -> Tensor:
        """Return vectors [N, size]."""
        if self.learned is None:
            return one_hot(y, self.count).float()
        vectors: Tensor = self.learned(y)
        return vectors


def _joined(x: Tensor, told: Tensor | None) -> Tensor:
    """Return vectors [N, d] or maps [N, d, H, W] with the class vectors [N, k] beside them."""
    if told is None:
        return x
    if x.dim() == 4:
        told = told[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, told], 1)


def _sizes(shape: tuple[int, ...], smallest: int) -> list[Size]:
    """Return the map sizes from the image down, each half of the one before, rounded up."""
    sizes = [(shape[1], shape[2])]
    while min(sizes[-1]) > smallest:
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
