"""DiffAugment (Zhao et al. 2020, arXiv:2006.10738): one random transform for each sample.

Every draw is uniform in [0, 1) and scaled here, so it does not depend on the size of the images.
"""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator
from torch import Tensor

from gan_toolkit import Batch, DataSpec, Draw, Field, Uniform
from gan_toolkit.architecture import Scalars
from gan_toolkit.augmentation import Augmentation
from gantk_diffaugment.transforms import coloured, cut_out, translated

Policy = Literal["colour", "translation", "cutout"]

DRAWS: dict[Policy, tuple[str, ...]] = {
    "colour": ("brightness", "saturation", "contrast"),
    "translation": ("down", "right"),
    "cutout": ("top", "left"),
}


class DiffAugment(Augmentation):
    """DiffAugment (Zhao et al. 2020, arXiv:2006.10738).

    `colour` brightens by up to ±0.5, multiplies the saturation by 0 … 2 and the contrast by 0.5 …
    1.5; `translation` shifts by up to ⅛ of a side; `cutout` empties a square of half a side. What
    is shifted in or cut out is 0: mid-grey in -1 … 1, the paper's range, and black in 0 … 1.
    """

    policy: tuple[Policy, ...] = Field(
        ("colour", "translation", "cutout"),
        min_length=1,
        description="transforms, in the order they are made",
    )

    @field_validator("policy")
    @classmethod
    def _names_each_once(cls, policy: tuple[Policy, ...]) -> tuple[Policy, ...]:
        if len(set(policy)) < len(policy):
            raise ValueError("name each transform once")
        return policy

    def refusals(self, spec: DataSpec) -> list[str]:
        """Return why samples of this shape cannot be augmented."""
        shape = list(spec.sample.shape)
        if len(shape) == 3:
            return []
        made_of = f"but samples of '{spec.name}' are {shape}; leave the augmentation out."
        return [f"diffaugment transforms images [C, H, W], {made_of}"]

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        """Return a number for each sample and each choice that the policy makes."""
        del spec
        return {name: Uniform((1,)) for transform in self.policy for name in DRAWS[transform]}

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        """Return the images [N, C, H, W] transformed, each by its own draws."""
        del s
        u = {name: draw.view(-1, 1, 1, 1) for name, draw in draws.items()}
        for transform in self.policy:
            match transform:
                case "colour":
                    samples = coloured(samples, u["brightness"], u["saturation"], u["contrast"])
                case "translation":
                    samples = translated(samples, u["down"], u["right"])
                case "cutout":
                    samples = cut_out(samples, u["top"], u["left"])
        return samples
