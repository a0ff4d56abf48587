"""The networks of WGAN on images: DCGAN's, with a critic whose verdicts are each sample's own."""

from __future__ import annotations

from typing import Literal

from gan_toolkit import Field
from gantk_dcgan.networks import DCGAN


class WGAN(DCGAN):
    """Wasserstein GAN (Arjovsky et al. 2017, arXiv:1701.07875).

    DCGAN's generator, and its discriminator without batch norm as the critic: a penalty on the
    slope at each sample is not defined where a batch is normalised together (Gulrajani et al. 2017,
    arXiv:1704.00028, section 4).

    Images [N, C, H, W] in -1 … 1, C from 1 to 4, H and W from 8 up: 28×28 and 48×64 too.
    """

    norm: Literal["layer", "spectral", "none"] = Field(
        "none", description="normalisation in the critic"
    )
