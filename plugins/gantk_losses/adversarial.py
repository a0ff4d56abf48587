"""The two losses of the first GAN paper (Goodfellow et al. 2014, arXiv:1406.2661).

With D = sigmoid(logit): -log D = softplus(-logit) and -log(1 - D) = softplus(logit).
"""

from __future__ import annotations

from torch.nn.functional import softplus

from gan_toolkit import Loss
from gan_toolkit.terms import Logits, Parts


class NonSaturating(Loss):
    """Non-saturating loss (Goodfellow et al. 2014, section 3).

    L_D = -log D(x) - log(1 - D(G(z))), L_G = -log D(G(z)), means over the batch.
    """

    def discriminator(self, logits: Logits) -> Parts:
        """Return both halves of the cross-entropy."""
        return {
            "real": softplus(-logits.real_logits).mean(),
            "fake": softplus(logits.fake_logits).mean(),
        }

    def generator(self, logits: Logits) -> Parts:
        """Return -log D(G(z)); its gradient does not vanish where D is sure."""
        return {"fake": softplus(-logits.fake_logits).mean()}


class Minimax(NonSaturating):
    """Minimax loss (Goodfellow et al. 2014, equation 1): L_G = log(1 - D(G(z)))."""

    def generator(self, logits: Logits) -> Parts:
        """Return log(1 - D(G(z))); zero gradient where D is sure."""
        return {"fake": -softplus(logits.fake_logits).mean()}
