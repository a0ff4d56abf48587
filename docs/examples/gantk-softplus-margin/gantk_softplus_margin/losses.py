"""The loss `softplus-margin`."""

from __future__ import annotations

from gan_toolkit import Field, Loss
from gan_toolkit.terms import Logits, Parts
from torch.nn.functional import softplus


class SoftplusMargin(Loss):
    """Softplus with a margin. Ours: no paper proposes it, and nothing is claimed for it.

    L_D = softplus(m - D(x)) + softplus(m + D(G(z))), L_G = softplus(-D(G(z))), means over the
    batch; D is the logit, m the margin, and softplus(t) = log(1 + exp t).

    With m = 0 it is the non-saturating loss. As softplus(t) lies above max(0, t) by log 2 at most,
    L_D is also a hinge loss of margin m with a rounded corner: its slope is -σ(m - D(x)), so what
    lies beyond the margin still teaches, the less the further it is.
    """

    margin: float = Field(1.0, ge=0, le=100, description="logit that D aims beyond, on either side")

    def discriminator(self, logits: Logits) -> Parts:
        """Return what is missing to the margin on either side."""
        return {
            "real": softplus(self.margin - logits.real_logits).mean(),
            "fake": softplus(self.margin + logits.fake_logits).mean(),
        }

    def generator(self, logits: Logits) -> Parts:
        """Return -log of the probability that D is fooled; no margin, or G would aim past reals."""
        return {"fake": softplus(-logits.fake_logits).mean()}
