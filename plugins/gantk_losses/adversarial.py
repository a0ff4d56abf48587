"""The two losses of the first GAN paper (Goodfellow et al. 2014, arXiv:1406.2661).

With D = sigmoid(logit): -log D = softplus(-logit) and -log(1 - D) = softplus(logit).
"""

from __future__ import annotations

from torch.nn.functional import softplus

from gan_toolkit import Field, Loss
from gan_toolkit.terms import Logits, Parts


class NonSaturating(Loss):
    """Non-saturating loss (Goodfellow et al. 2014, section 3).

    L_D = -log D(x) - log(1 - D(G(z))), L_G = -log D(G(z)), means over the batch. With `smoothing` ε
    D's target for reals is 1 - ε (Salimans et al. 2016, section 3.4); that for fakes stays 0.
    """

    smoothing: float = Field(
        0.0, ge=0, lt=1, description="one-sided: D's real target is 1 minus it"
    )

    def discriminator(self, logits: Logits) -> Parts:
        """Return both halves of the cross-entropy."""
        real = softplus(-logits.real_logits)
        if self.smoothing:  # ε (-log(1 - D) + log D) = ε logit
            real = real + self.smoothing * logits.real_logits
        return {"real": real.mean(), "fake": softplus(logits.fake_logits).mean()}

    def generator(self, logits: Logits) -> Parts:
        """Return -log D(G(z)); its gradient does not vanish where D is sure."""
        return {"fake": softplus(-logits.fake_logits).mean()}


class Minimax(NonSaturating):
    """Minimax loss (Goodfellow et al. 2014, equation 1): L_G = log(1 - D(G(z)))."""

    def generator(self, logits: Logits) -> Parts:
        """Return log(1 - D(G(z))); zero gradient where D is sure."""
        return {"fake": -softplus(logits.fake_logits).mean()}
