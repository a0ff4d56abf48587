"""What an architecture promises: networks for a data specification, and how they play.

Everything random is handed in (`draws`), everything that changes with time is handed in (`s`), so
`generate` and `judge` are functions: an eager, a compiled and a captured engine may all run them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator
from torch import Tensor, nn

from gan_toolkit.data import SAMPLE, Batch, DataSpec
from gan_toolkit.options import Field, Options
from gan_toolkit.streams import Draw, Mixture, Normal, Uniform

Networks = Mapping[str, Callable[..., Any]]  # Any: a network may return a tuple of tensors
"""Networks by name, to be called and not looked into: an engine may pass functional stand-ins."""
Scalars = Mapping[str, Tensor]
"""Scheduled numbers of this step by name, each a 0-d tensor."""


@dataclass(frozen=True)
class Judged:
    """What the discriminator says of a batch."""

    logits: Tensor
    """[N] or [N, …] (patches); positive means real."""
    features: Tensor | None = None
    """[N, d], for terms that match or show features."""
    heads: Mapping[str, Tensor] = field(default_factory=dict)
    """Further outputs by name: class logits of ACGAN, codes of InfoGAN."""

    def widened(self) -> Judged:
        """Return the same verdict in float32: losses are not computed in less."""
        return Judged(
            self.logits.float(),
            None if self.features is None else self.features.float(),
            {name: head.float() for name, head in self.heads.items()},
        )


class Architecture(Options):
    """Options that build named networks and play them. The plugin kind `architecture`.

    `sample_range` is what the networks want images in; data is normalised to it on the device.
    `ema` names the networks that are averaged; `exports` names those that a bundle holds;
    `conditions` names the fields of a batch that `generate` reads: labels, input images.
    `mixes_rows` names the networks in which the rows of a batch see one another in eval mode too,
    as by the batch's own statistics; a sample is then a function of its block (see `sampling`).
    """

    sample_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    ema: ClassVar[tuple[str, ...]] = ("generator",)
    exports: ClassVar[tuple[str, ...]] = ("generator",)
    conditions: ClassVar[tuple[str, ...]] = ()
    mixes_rows: ClassVar[tuple[str, ...]] = ()

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why these options cannot serve this data, one sentence a reason; empty if fine."""
        del spec
        return []

    def stage_at(self, nimg: int) -> int:
        """Return the growth stage after `nimg` real images; a new number rebuilds the networks."""
        del nimg
        return 0

    def scalars(self, nimg: int) -> dict[str, float]:
        """Return this architecture's own scheduled numbers (a fade-in), by name, for `s`."""
        del nimg
        return {}

    def minibatches(self, spec: DataSpec, nimg: int) -> int:
        """Return how many minibatches a batch is cut into now, each with updates of its own.

        Smaller minibatches for larger stages: a step draws as many images as ever. Where it does
        not divide the batch, the greatest number that divides both is taken.
        """
        del spec, nimg
        return 1

    def heads(self, spec: DataSpec) -> tuple[str, ...]:
        """Return the names of the heads that `judge` returns beside logits; each needs a term."""
        del spec
        return ()

    def networks(self, spec: DataSpec, stage: int) -> Mapping[str, nn.Module]:
        """Return fresh networks by name for a stage.

        Initialisation may use torch's generator; parameters that a later stage keeps keep names.
        """
        raise NotImplementedError

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        """Return the random inputs of `generate` by name."""
        raise NotImplementedError

    def seen(self, batch: Batch, s: Scalars) -> Batch:
        """Return a real batch as every term is to see it now: with less detail while growing."""
        del s
        return batch

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        """Return fakes by field name; `batch` holds what conditions them (labels, images)."""
        raise NotImplementedError

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        """Return the discriminator's verdict on a batch of reals or fakes."""
        raise NotImplementedError


def image_refusals(who: str, spec: DataSpec, *, instead: str, smallest: int = 1) -> list[str]:
    """Return why `who` cannot make samples of `spec` as images [C, H, W], C from 1 to 4.

    `instead` says what makes samples that are no images, `smallest` is the least side.
    """
    shape = spec.sample.shape
    if len(shape) != 3:
        samples = f"samples of '{spec.name}' are {list(shape)}"
        return [f"{who} makes images [C, H, W], but {samples}; {instead}."]
    channels, height, width = shape
    reasons = []
    if not 1 <= channels <= 4:
        reasons.append(
            f"{who} makes images of 1 to 4 channels, not {channels}; "
            "for a folder try `--set data.channels=3`."
        )
    if min(height, width) < smallest:
        reasons.append(
            f"{who} makes images of {smallest}×{smallest} or larger, not {height}×{width}; "
            "try `--set data.resolution=16`."
        )
    return reasons


class TwoNetworks(Architecture):
    """One generator of `z`, one discriminator of samples: what most plugins need.

    A subclass writes `generator(spec)`: [N, latent] → [N, *sample shape], and
    `discriminator(spec)`: [N, *sample shape] → [N] or [N, 1] logits.
    """

    latent: int = Field(100, ge=1, le=65536, description="size of the latent z")
    prior: Literal["normal", "uniform", "mixture"] = Field(
        "normal",
        description="distribution of z: standard normal, uniform within `bounds`, or a mixture of "
        "`components` normals",
    )
    bounds: tuple[float, float] = Field((-1.0, 1.0), description="limits of a uniform z")
    components: int = Field(
        50,
        ge=2,
        le=65535,
        description="normals of a mixture; so many entries of z say which, the rest vary",
    )

    @model_validator(mode="after")
    def _bounds_rise(self) -> Self:
        if self.bounds[0] >= self.bounds[1]:
            raise ValueError(f"bounds = {list(self.bounds)} must rise, like [-1.0, 1.0]")
        return self

    @model_validator(mode="after")
    def _components_fit(self) -> Self:
        if self.prior == "mixture" and self.components >= self.latent:
            raise ValueError(
                f"components = {self.components} leave nothing of latent = {self.latent} to vary; "
                f"try `--set arch.latent={2 * self.components}`, or fewer components"
            )
        return self

    def generator(self, spec: DataSpec) -> nn.Module:
        """Return the generator."""
        raise NotImplementedError

    def discriminator(self, spec: DataSpec) -> nn.Module:
        """Return the discriminator."""
        raise NotImplementedError

    def networks(self, spec: DataSpec, stage: int) -> Mapping[str, nn.Module]:
        """Return both networks."""
        del stage
        return {"generator": self.generator(spec), "discriminator": self.discriminator(spec)}

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        """Return `z`: [latent] from the prior."""
        del spec
        shape = (self.latent,)
        if self.prior == "uniform":
            return {"z": Uniform(shape, *self.bounds)}
        if self.prior == "mixture":
            return {"z": Mixture(shape, components=self.components)}
        return {"z": Normal(shape)}

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        """Return generator(z)."""
        del batch, s
        return {SAMPLE: nets["generator"](draws["z"])}

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        """Return discriminator(x) as [N] logits."""
        del s
        return Judged(nets["discriminator"](batch[SAMPLE]).flatten())
