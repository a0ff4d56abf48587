from gan_toolkit import Loss
from gan_toolkit.terms import Logits, Parts


class SquaredHinge(Loss):
    """Squared hinge loss: D is pushed to a margin of one, the harder the further it is off."""

    def discriminator(self, logits: Logits) -> Parts:
        return {
            "real": (1 - logits.real_logits).relu().square().mean(),
            "fake": (1 + logits.fake_logits).relu().square().mean(),
        }

    def generator(self, logits: Logits) -> Parts:
        return {"fake": -logits.fake_logits.mean()}
