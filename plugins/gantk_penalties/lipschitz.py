"""Penalties that hold D's slope to 1."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from gan_toolkit import Batch, DataSpec, Draw, Play, Uniform
from gan_toolkit.data import SAMPLE
from gantk_penalties.slopes import SlopePenalty, between


class WGANGP(SlopePenalty):
    """WGAN-GP (Gulrajani et al. 2017, arXiv:1704.00028, equation 3; λ = 10).

    λ E (‖∇D(x̂)‖ - 1)², x̂ = ε x + (1 - ε) G(z), ε uniform in [0, 1) for each row.
    """

    def cost(self, slopes: Tensor) -> Tensor:
        """Return the squared distance from slope 1."""
        return (slopes - 1).square()


class WGANLP(SlopePenalty):
    """WGAN-LP (Petzka et al. 2018, arXiv:1709.08894, equation 8), the one-sided WGAN-GP.

    λ E max(0, ‖∇D(x̂)‖ - 1)²: a slope below 1 costs nothing. Points and λ are those of WGAN-GP.
    """

    def cost(self, slopes: Tensor) -> Tensor:
        """Return the squared excess over slope 1."""
        return relu(slopes - 1).square()


class DRAGAN(SlopePenalty):
    """DRAGAN (Kodali et al. 2017, arXiv:1705.07215; λ = 10, k = 1), around the reals.

    λ E (‖∇D(x + δ)‖ - k)². δ is not the paper's Gaussian but what its authors' program draws:
    α ½ std u, std that of all numbers of the batch, u uniform in [0, 1) for each number, α for each
    row. When `accumulate` splits the batch, std is that of the micro-batch.
    """

    def cost(self, slopes: Tensor) -> Tensor:
        """Return the squared distance from slope 1."""
        return (slopes - 1).square()

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        """Return `mix`, the share α of the way, and `noise`, the direction u."""
        return {**super().draws(spec), "noise": Uniform(spec.sample.shape)}

    def points(self, play: Play, draws: Batch) -> Tensor:
        """Return points beside the reals: [N, *sample shape]."""
        reals = play.reals[SAMPLE]
        return between(reals, reals + reals.std(correction=0) / 2 * draws["noise"], draws["mix"])
