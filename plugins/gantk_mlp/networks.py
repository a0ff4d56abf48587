"""Multi-layer perceptrons that generate and judge samples of any shape."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_toolkit import Batch, DataSpec, Field, Judged, TwoNetworks
from gan_toolkit.architecture import Networks, Scalars
from gan_toolkit.data import SAMPLE

Activation = Literal["leaky-relu", "relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid"]
Norm = Literal["none", "batch", "layer"]
Initialisation = Literal["torch", "glorot"]
Sizes = Annotated[tuple[Annotated[int, Field(ge=1, le=65536)], ...], Field(max_length=64)]

ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
"""Every activation without options of its own; `leaky-relu` takes `leak`."""


class MLP(TwoNetworks):
    """Dense layers in G and D, as in the first GAN paper (Goodfellow et al. 2014, section 5).

    Samples [N, …] of any shape: images are laid out flat. G ends in tanh where samples are bounded
    (-1 … 1) and is linear where they are not. D judges by the features that its last layer reads:
    those of a linear layer of size `features`, else its last hidden layer.
    """

    hidden: Sizes = Field((64, 64, 64), description="sizes of the hidden layers, from the input on")
    discriminator_hidden: Sizes | None = Field(
        None, description="those of D, from the sample on; as `hidden` when left out"
    )
    activation: Activation = Field("leaky-relu", description="after each hidden layer")
    discriminator_activation: Activation | None = Field(
        None, description="after those of D; as `activation` when left out"
    )
    leak: float = Field(0.2, ge=0, lt=1, description="slope of leaky-relu below 0")
    features: int | None = Field(
        None, ge=1, le=65536, description="size of a linear layer before D's logit"
    )
    initialisation: Initialisation = Field(
        "torch", description="torch's own, or Glorot uniform weights and zero biases"
    )
    generator_gain: float = Field(
        1.0,
        gt=0,
        le=10,
        description="how many times larger G's hidden weights begin; a norm undoes it",
    )
    generator_bias: float = Field(
        0.0,
        ge=0,
        le=10,
        description="G's hidden biases begin uniform within ± this; 0: as `initialisation` does",
    )
    generator_norm: Norm = Field("none", description="before each activation of G")
    discriminator_norm: Norm = Field(
        "none", description="before each activation of D; batch norm bars gradient penalties"
    )
    spectral_norm: bool = Field(False, description="D's weights have a largest singular value of 1")
    octaves: int = Field(
        0, ge=0, le=24, description="Fourier features that D sees of each number, by octave"
    )
    wavelength: float = Field(
        2.0, gt=0, le=1e6, description="of the longest Fourier feature, in units of the sample"
    )
    rolloff: float = Field(
        0.0,
        ge=0,
        le=24,
        description="an octave's features are 2^-this times those of the one before",
    )

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why samples of this shape cannot be made."""
        if spec.sample.shape:
            return []
        numbers = f"samples of '{spec.name}' are single numbers"
        return [f"mlp makes vectors and images, but {numbers}; give them as vectors [N, 1]."]

    def generator(self, spec: DataSpec) -> nn.Module:
        """Return G: [N, latent] → [N, *sample shape]."""
        shape = spec.sample.shape
        sizes = [self.latent, *self.hidden]
        layers = self._hidden(sizes, self.generator_norm, self.activation)
        self._strengthen(layers)
        layers.append(self._dense(last(self.hidden, self.latent), math.prod(shape)))
        if len(shape) > 1:
            layers.append(nn.Unflatten(1, shape))
        if spec.sample.low is not None:
            layers.append(nn.Tanh())
        return nn.Sequential(*layers)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        """Return D: [N, *sample shape] → [N, 1] logits and the features [N, d] they come from."""
        inputs = math.prod(spec.sample.shape)
        hidden = self.hidden if self.discriminator_hidden is None else self.discriminator_hidden
        layers: list[nn.Module] = [nn.Flatten()]
        if self.octaves:
            layers.append(Octaves(self.octaves, self.wavelength, self.rolloff))
            inputs *= 1 + 2 * self.octaves
        activation = self.discriminator_activation or self.activation
        layers += self._hidden([inputs, *hidden], self.discriminator_norm, activation)
        width = last(hidden, inputs)
        if self.features is not None:
            layers.append(self._dense(width, self.features))
            width = self.features
        D = Discriminator(nn.Sequential(*layers), self._dense(width, 1))
        if self.spectral_norm:
            for module in list(D.modules()):
                if isinstance(module, nn.Linear):
                    spectral_norm(module)
        return D

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        """Return discriminator(x) as [N] logits with its features."""
        del s
        logits, features = nets["discriminator"](batch[SAMPLE])
        return Judged(logits.flatten(), features)

    def _hidden(self, sizes: Sequence[int], norm: Norm, activation: Activation) -> list[nn.Module]:
        """Return dense layer, norm and activation from each size to the next."""
        layers: list[nn.Module] = []
        for inner, outer in itertools.pairwise(sizes):
            layers.append(self._dense(inner, outer))
            if norm != "none":
                layers.append(nn.BatchNorm1d(outer) if norm == "batch" else nn.LayerNorm(outer))
            layers.append(
                nn.LeakyReLU(self.leak) if activation == "leaky-relu" else ACTIVATIONS[activation]()
            )
        return layers

    @torch.no_grad()
    def _strengthen(self, layers: Sequence[nn.Module]) -> None:
        """Let G's hidden layers begin with larger weights, and with biases, where that is asked.

        Under tanh a gain above 1 makes a network that folds its input, the more so the deeper it
        is (Poole et al. 2016, arXiv:1606.05340), where it would begin almost linear. With
        Glorot's zero biases it begins as an odd function, G(-z) = -G(z).
        """
        for layer in layers:
            if isinstance(layer, nn.Linear):
                layer.weight *= self.generator_gain
                if self.generator_bias:
                    nn.init.uniform_(layer.bias, -self.generator_bias, self.generator_bias)

    def _dense(self, inputs: int, outputs: int) -> nn.Linear:
        layer = nn.Linear(inputs, outputs)
        if self.initialisation == "glorot":
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        return layer


class Discriminator(nn.Module):
    """x → features → one logit."""

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits [N, 1] and features [N, d]."""
        features = self.body(x)
        return self.head(features), features


class Octaves(nn.Module):
    """x → x and its sines and cosines, each octave half the wavelength of the one before.

    [N, d] → [N, d (1 + 2 octaves)]. A layer of dense weights alone learns coarse structure long
    before fine structure (Tancik et al. 2020, arXiv:2006.10739; octaves as in Mildenhall et al.
    2020, arXiv:2003.08934, equation 4). With a rolloff above 0 octave k is multiplied by
    2^(-rolloff k), so that coarse structure still comes first.
    """

    frequencies: Tensor
    strengths: Tensor

    def __init__(self, octaves: int, wavelength: float, rolloff: float = 0.0) -> None:
        super().__init__()
        octave = torch.arange(octaves, dtype=torch.float64)
        frequencies = (2 * math.pi / wavelength * 2**octave).float()
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.register_buffer("strengths", (2 ** (-rolloff * octave)).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (x, sines, cosines)."""
        angles = x.unsqueeze(2) * self.frequencies  # [N, d, octaves]
        waves = torch.stack([angles.sin(), angles.cos()], 1) * self.strengths  # [N, 2, d, octaves]
        return torch.cat([x, waves.flatten(1)], 1)


def last(sizes: Sequence[int], otherwise: int) -> int:
    """Return the last size, or what stands for it where there is none."""
    return sizes[-1] if sizes else otherwise
