"""Relativistic losses (Jolicoeur-Martineau 2019, arXiv:1807.00734): reals realer than fakes.

C is the logit. Both players look at real and fake logits together, so each loss has one part,
`pair`, which an update takes whole. In G's update real logits cost a pass through D; with
`fresh_reals` on that update they are those of new reals.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from gan_toolkit import Loss
from gan_toolkit.terms import Logits, Parts


class RelativisticPairing(Loss):
    """Relativistic GAN, RpGAN (Jolicoeur-Martineau 2019, section 4.1).

    L_D = -log σ(C(x) - C(G(z))), L_G = -log σ(C(G(z)) - C(x)), means over pairs of equal row: x_i
    with G(z_i), as in R3GAN (Huang et al. 2024). A conditional batch's pairs carry the same label,
    unless `fake_labels` draws those of fakes apart.
    """

    def discriminator(self, logits: Logits) -> Parts:
        """Return how little each real exceeds its fake."""
        return {"pair": softplus(logits.fake_logits - logits.real_logits).mean()}

    def generator(self, logits: Logits) -> Parts:
        """Return how little each fake exceeds its real."""
        return {"pair": softplus(logits.real_logits - logits.fake_logits).mean()}


class RelativisticAverage(Loss):
    """Relativistic average GAN, RaSGAN (Jolicoeur-Martineau 2019, section 4.3).

    L_D = -E log σ(C(x) - E C(G(z))) - E log(1 - σ(C(G(z)) - E C(x))), L_G the same with real and
    fake exchanged. E is the mean of the rows that are judged together: of a micro-batch when
    `accumulate` splits the batch.
    """

    def discriminator(self, logits: Logits) -> Parts:
        """Return how little reals exceed the average fake, and fakes fall below the average real.

        Not halved, as in the paper's text.
        """
        return {"pair": _apart(logits.real_logits, logits.fake_logits)}

    def generator(self, logits: Logits) -> Parts:
        """Return the same with real and fake exchanged."""
        return {"pair": _apart(logits.fake_logits, logits.real_logits)}


def _apart(upper: Tensor, lower: Tensor) -> Tensor:
    """Return the cross-entropy of `upper` lying above the mean of `lower`, and the reverse: 0-d."""
    above = softplus(lower.mean() - upper).mean()
    below = softplus(lower - upper.mean()).mean()
    return above + below
