"""The loss: softplus of the logits, with a margin for the discriminator."""

from __future__ import annotations

from gan_toolkit import Field, Loss
from gan_toolkit.terms import Logits, Parts
from torch.nn.functional import softplus


class MyLoss(Loss):
    """Softplus loss with a margin m, means over the batch of logits ℓ.

    L_D = softplus(m - ℓ(x)) + softplus(m + ℓ(G(z))), L_G = softplus(-ℓ(G(z))): D is asked to be
    sure by m. With m = 0 it is the non-saturating loss of Goodfellow et al. 2014, section 3.
    """

    margin: float = Field(1.0, ge=0, le=100, description="how far D's logits are pushed past 0")

    def discriminator(self, logits: Logits) -> Parts:
        """Return what reals and fakes cost D, 0-d each."""
        return {
            "real": softplus(self.margin - logits.real_logits).mean(),
            "fake": softplus(self.margin + logits.fake_logits).mean(),
        }

    def generator(self, logits: Logits) -> Parts:
        """Return what fakes cost G, 0-d."""
        return {"fake": softplus(-logits.fake_logits).mean()}
