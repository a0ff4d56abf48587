from gan_toolkit import Component, Loss, hookimpl
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


@hookimpl
def gantk_components() -> list[Component]:
    return [
        Component("loss", "squared-hinge", SquaredHinge, "Squared hinge loss", paper="ours, 2026"),
        Component(
            "loss",
            "hinge-2",
            SquaredHinge,
            "The former name of squared-hinge",
            paper="ours, 2026",
            deprecated="use 'squared-hinge'; version 2 of my-losses drops this name",
        ),
    ]
