from gan_toolkit import Batch, Component, Field, Play, Scheduled, Term, hookimpl
from gan_toolkit.architecture import Scalars
from gan_toolkit.terms import Parts, State


class R1(Term):
    """Gradient penalty on real images (Mescheder et al. 2018, equation 9): gamma/2 · |grad D|²."""

    gamma: Scheduled = Field(10.0, description="weight of the penalty")

    roles = ("discriminator",)
    needs = ("real_gradients",)
    second_order = True
    per_sample = True

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        del draws  # it needs no random inputs
        squared = play.real_gradients.flatten(1).square().sum(1)  # [N]
        return {"r1": s["gamma"] / 2 * squared.mean()}, state


@hookimpl
def gantk_components() -> list[Component]:
    return [Component("penalty", "my-r1", R1, "Gradient penalty on real images")]
