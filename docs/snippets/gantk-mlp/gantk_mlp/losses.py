from gan_toolkit import Loss
from gan_toolkit.terms import Logits, Parts


class Hinge(Loss):
    """Hinge loss (Lim & Ye 2017): D is pushed no further than a margin of one."""

    def discriminator(self, logits: Logits) -> Parts:
        return {
            "real": (1 - logits.real_logits).relu().mean(),
            "fake": (1 + logits.fake_logits).relu().mean(),
        }

    def generator(self, logits: Logits) -> Parts:
        return {"fake": -logits.fake_logits.mean()}
