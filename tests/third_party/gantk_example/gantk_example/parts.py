"""The parts themselves."""

from __future__ import annotations

import math

from torch import nn

from gan_toolkit import DataSpec, Loss, TwoNetworks
from gan_toolkit.terms import Logits, Parts


class Tiny(TwoNetworks):
    """One linear layer a player."""

    def generator(self, spec: DataSpec) -> nn.Module:
        shape = spec.sample.shape
        return nn.Sequential(
            nn.Linear(self.latent, math.prod(shape)), nn.Tanh(), nn.Unflatten(1, shape)
        )

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(spec.sample.shape), 1))


class Squared(Loss):
    """Least squares (Mao et al. 2017, equation 9 with a = 0, b = c = 1)."""

    def discriminator(self, logits: Logits) -> Parts:
        return {
            "real": (logits.real_logits - 1).square().mean() / 2,
            "fake": logits.fake_logits.square().mean() / 2,
        }

    def generator(self, logits: Logits) -> Parts:
        return {"fake": (logits.fake_logits - 1).square().mean() / 2}
