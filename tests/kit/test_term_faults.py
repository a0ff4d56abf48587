"""A loss, a penalty or an augmentation with one thing wrong breaks the promise that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from faults import broken
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    softplus,
)

from gan_toolkit import Augmentation, Batch, DataSpec, Draw, Loss, Normal, Play, Term, Uniform
from gan_toolkit.architecture import Scalars
from gan_toolkit.play import Role
from gan_toolkit.plugin import Kind
from gan_toolkit.terms import Logits, Parts, State

SHARED = torch.zeros(())


class Fair(Loss):
    """The cross-entropy that does not saturate."""

    def discriminator(self, logits: Logits) -> Parts:
        return {
            "real": softplus(-logits.real_logits).mean(),
            "fake": softplus(logits.fake_logits).mean(),
        }

    def generator(self, logits: Logits) -> Parts:
        return {"fake": softplus(-logits.fake_logits).mean()}


class Squares(Loss):
    """Least squares towards 0 and 1."""

    def discriminator(self, logits: Logits) -> Parts:
        real, fake = logits.real_logits, logits.fake_logits
        return {"real": (real - 1).square().mean(), "fake": fake.square().mean()}

    def generator(self, logits: Logits) -> Parts:
        return {"fake": (logits.fake_logits - 1).square().mean()}


class Classified(Term):
    """D's head is to name the class."""

    heads: ClassVar[tuple[str, ...]] = ("class",)
    fields: ClassVar[tuple[str, ...]] = ("label",)

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        sides = {"fake": (play.fake, play.fakes)}
        if play.role == "discriminator":
            sides["real"] = (play.real, play.reals)
        return {
            side: cross_entropy(judged.heads["class"], batch["label"])
            for side, (judged, batch) in sides.items()
        }, state


class Matched(Term):
    """G's fakes are to have the mean features of reals."""

    roles: ClassVar[tuple[Role, ...]] = ("generator",)

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        assert play.real.features is not None
        assert play.fake.features is not None
        apart = play.real.features.mean(0).detach() - play.fake.features.mean(0)
        return {"features": apart.square().sum()}, state


class Slope(Term):
    """The squared slope of D on reals."""

    roles: ClassVar[tuple[Role, ...]] = ("discriminator",)
    needs: ClassVar[tuple[str, ...]] = ("real_gradients",)
    second_order: ClassVar[bool] = True
    per_sample: ClassVar[bool] = True

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        return {"slope": self.cost(play.real_gradients.flatten(1))}, state

    def cost(self, gradients: Tensor) -> Tensor:
        return gradients.square().sum(1).mean()


class Mixed(Slope):
    """The slope of D between reals and fakes is to be 1, by draws of its own."""

    needs: ClassVar[tuple[str, ...]] = ()

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"mix": Uniform((1, 1, 1))}

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        points = play.fakes["sample"].lerp(play.reals["sample"], draws["mix"]).detach()
        logits = play.judge({**play.reals, "sample": points.requires_grad_()}).logits
        (gradients,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
        return {"slope": (gradients.flatten(1).norm(dim=1) - 1).square().mean()}, state


class Functional(Slope):
    """The squared slope of D on reals, by `torch.func`."""

    needs: ClassVar[tuple[str, ...]] = ()

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        def judged(x: Tensor) -> Tensor:
            return play.judge({"sample": x}).logits.sum()

        gradients = torch.func.grad(judged)(play.reals["sample"].detach())
        return {"slope": self.cost(gradients.flatten(1))}, state


class Differences(Term):
    """The slope of D from reals to fakes, by differences and no gradient."""

    roles: ClassVar[tuple[Role, ...]] = ("discriminator",)
    per_sample: ClassVar[bool] = True

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        far = (play.reals["sample"] - play.fakes["sample"]).flatten(1).norm(dim=1)
        rise = (play.real_logits - play.fake_logits).view(len(far), -1).mean(1)
        return {"slope": (rise / far).square().mean()}, state


class Anchored(Term):
    """Logits of reals are to stay near the running mean of fakes' logits."""

    roles: ClassVar[tuple[Role, ...]] = ("discriminator",)

    def state(self, spec: DataSpec) -> State:
        return {"mean": torch.zeros(())}

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        mean = state["mean"].lerp(play.fake_logits.mean().detach(), 0.1)
        return {"anchor": (play.real_logits - mean).square().mean()}, self.kept(mean)

    def kept(self, mean: Tensor) -> State:
        return {"mean": mean}


class Consensus(Term):
    """The slope of the loss with respect to D's weights, which batch norm does not falsify."""

    roles: ClassVar[tuple[Role, ...]] = ("discriminator",)
    second_order: ClassVar[bool] = True

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        loss = sum(Fair().discriminator(play).values(), torch.zeros(()))
        weights = list(play.networks["discriminator"].parameters())  # type: ignore[attr-defined]  # a module
        slopes = torch.autograd.grad(loss, weights, create_graph=True)
        return {"slope": torch.stack([slope.square().sum() for slope in slopes]).sum()}, state


class PathLength(Term):
    """The slope of G is to be what it was on average."""

    roles: ClassVar[tuple[Role, ...]] = ("generator",)
    second_order: ClassVar[bool] = True

    def state(self, spec: DataSpec) -> State:
        return {"mean": torch.zeros(())}

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"direction": Normal(spec.sample.shape)}

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        z = play.draws["z"].detach().requires_grad_()
        fakes = play.architecture.generate(play.networks, {"z": z}, play.reals, play.s)
        along = (fakes["sample"] * draws["direction"]).sum()
        (slopes,) = torch.autograd.grad(along, z, create_graph=True)
        lengths = slopes.flatten(1).norm(dim=1)
        mean = state["mean"].lerp(lengths.mean().detach(), 0.1)
        return {"path": (lengths - mean).square().mean()}, {"mean": mean}


class Pooled(Term):
    """D is shown fakes of before, too."""

    roles: ClassVar[tuple[Role, ...]] = ("discriminator",)

    def state(self, spec: DataSpec) -> State:
        return {"pool": torch.zeros(4, *spec.sample.shape)}

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        pool = torch.cat([play.fakes["sample"].detach(), state["pool"]])[:4]
        logits = play.judge({**play.fakes, "sample": pool}).logits
        return {"pool": softplus(logits).mean()}, {"pool": pool}


class Coded(Term):
    """A head is to name a code that one architecture draws."""

    roles: ClassVar[tuple[Role, ...]] = ("generator",)
    heads: ClassVar[tuple[str, ...]] = ("code",)

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        return {"code": cross_entropy(play.fake.heads["code"], play.draws["code"])}, state


class Decayed(Term):
    """Large weights of either player cost."""

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        network = play.networks[play.role]
        assert isinstance(network, nn.Module)
        squares = [weight.square().sum() for weight in network.parameters()]
        return {"size": torch.stack(squares).sum() / 1000}, state


class Varied(Term):
    """Neighbours in a batch are to differ as their latents do (Mao et al. 2019)."""

    roles: ClassVar[tuple[Role, ...]] = ("generator",)

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        made, drawn = (
            (x - x.roll(1, 0)).abs().flatten(1).mean(1)
            for x in (play.fakes["sample"], play.draws["z"])
        )
        return {"sameness": (drawn / (made + 1e-5)).mean()}, state


class Clipped(Term):
    """Weights of D stay within a limit."""

    roles: ClassVar[tuple[Role, ...]] = ("discriminator",)

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        return {}, state

    @torch.no_grad()
    def constrain(self, networks: Mapping[str, nn.Module]) -> None:
        for weight in networks["discriminator"].parameters():
            weight.clamp_(-0.01, 0.01)


class Brightened(Augmentation):
    """Images become brighter or darker."""

    def refusals(self, spec: DataSpec) -> list[str]:
        many = len(spec.sample.shape) == 3
        return [] if many else [f"'{spec.name}' has no images; leave the augmentation out."]

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"light": Uniform((1, 1, 1), -1, 1)}

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        return samples * (1 + draws["light"] / 2)


class Scaled(Augmentation):
    """Samples of any shape become larger or smaller."""

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"size": Uniform((1,), 0.5, 2)}

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        return (samples.flatten(1) * draws["size"]).view_as(samples)


@pytest.mark.parametrize(
    ("kind", "healthy"),
    [
        *[("loss", each) for each in (Fair, Squares, Classified, Matched, Coded, Pooled)],
        *[
            ("penalty", each)
            for each in (
                Slope,
                Mixed,
                Functional,
                Differences,
                Anchored,
                Consensus,
                PathLength,
                Decayed,
                Varied,
                Clipped,
            )
        ],
        *[("augmentation", each) for each in (Brightened, Scaled)],
    ],
)
def test_nothing_is_found_where_nothing_is_wrong(kind: Kind, healthy: type) -> None:
    assert not broken(kind, healthy)


class WrongWayForD(Fair):
    """D is to take fakes for real."""

    def discriminator(self, logits: Logits) -> Parts:
        return {name: -part for name, part in super().discriminator(logits).items()}


class WrongWayForG(Fair):
    """G is to be found out."""

    def generator(self, logits: Logits) -> Parts:
        return {"fake": softplus(logits.fake_logits).mean()}


class DetachedFakes(Fair):
    """D learns from reals alone."""

    def discriminator(self, logits: Logits) -> Parts:
        real, fake = softplus(-logits.real_logits), softplus(logits.fake_logits.detach())
        return {"real": real.mean(), "fake": fake.mean()}


class DetachedG(Fair):
    """G learns nothing."""

    def generator(self, logits: Logits) -> Parts:
        return {"fake": softplus(-logits.fake_logits.detach()).mean()}


class OneSided(Loss):
    """It serves D alone and does not say so."""

    def discriminator(self, logits: Logits) -> Parts:
        return Fair().discriminator(logits)


class Summed(Fair):
    """A larger batch costs more."""

    def generator(self, logits: Logits) -> Parts:
        return {"fake": softplus(-logits.fake_logits).sum()}


class Vector(Fair):
    """One number a row."""

    def generator(self, logits: Logits) -> Parts:
        return {"fake": softplus(-logits.fake_logits)}


class Dotted(Fair):
    """A part whose name an update could not choose."""

    def generator(self, logits: Logits) -> Parts:
        return {"g.fake": softplus(-logits.fake_logits).mean()}


class Logarithm(Fair):
    """Fine until D is sure."""

    def generator(self, logits: Logits) -> Parts:
        return {"fake": -logits.fake_logits.sigmoid().log().mean()}


class InPlace(Fair):
    """Whoever looks next sees other logits."""

    def discriminator(self, logits: Logits) -> Parts:
        real, fake = logits.real_logits.mul_(2), logits.fake_logits
        return {"real": softplus(-real).mean(), "fake": softplus(fake).mean()}


class Noisy(Fair):
    """Its noise is nobody's draw."""

    def discriminator(self, logits: Logits) -> Parts:
        real = logits.real_logits + torch.randn_like(logits.real_logits) / 10
        return {"real": softplus(-real).mean(), "fake": softplus(logits.fake_logits).mean()}


class Counting(Fair):
    """It remembers how often it was asked, where no checkpoint looks."""

    asked: ClassVar[list[int]] = []

    def generator(self, logits: Logits) -> Parts:
        self.asked.append(1)
        return {"fake": softplus(-logits.fake_logits).mean() * len(self.asked)}


class Ordered(Fair):
    """Late rows weigh more."""

    def generator(self, logits: Logits) -> Parts:
        rows = softplus(-logits.fake_logits).view(len(logits.fake_logits), -1).mean(1)
        return {"fake": (rows * torch.linspace(0, 2, len(rows))).mean()}


class ByRows(Fair):
    """Its targets are [N], whatever the logits are."""

    def generator(self, logits: Logits) -> Parts:
        target = torch.ones(len(logits.fake_logits))
        return {"fake": binary_cross_entropy_with_logits(logits.fake_logits, target)}


class UnnamedHead(Classified):
    """It counts on a head without a word."""

    heads: ClassVar[tuple[str, ...]] = ()


class UnnamedField(Classified):
    """It counts on labels without a word."""

    fields: ClassVar[tuple[str, ...]] = ()


class UntaughtHead(Fair):
    """It passes for the teacher of a head."""

    heads: ClassVar[tuple[str, ...]] = ("class",)


class FirstOrder(Slope):
    """It keeps quiet about its gradient of a gradient."""

    second_order: ClassVar[bool] = False


class NeedlessSecondOrder(Anchored):
    """It slows the update for nothing."""

    second_order: ClassVar[bool] = True


class AnyNorm(Slope):
    """It lets itself be combined with batch norm."""

    per_sample: ClassVar[bool] = False


class Rooted(Slope):
    """The root of zero has no slope."""

    def cost(self, gradients: Tensor) -> Tensor:
        return gradients.square().sum(1).sqrt().mean()


class UnnamedNeed(Slope):
    """It works beside another that names the gradient."""

    needs: ClassVar[tuple[str, ...]] = ("fake_gradients",)


class Detached(Slope):
    """It is shown and teaches nobody."""

    second_order: ClassVar[bool] = False

    def cost(self, gradients: Tensor) -> Tensor:
        return super().cost(gradients.detach())


class Rewarding(Slope):
    """It pays D for being steep."""

    def cost(self, gradients: Tensor) -> Tensor:
        return -super().cost(gradients)


class NotANumber(Slope):
    """It divides by what may be zero."""

    def cost(self, gradients: Tensor) -> Tensor:
        return super().cost(gradients) / (gradients - gradients).sum()


class BothPlayers(Slope):
    """It names G and does nothing for it."""

    roles: ClassVar[tuple[Role, ...]] = ("discriminator", "generator")

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        return super().value(play, draws, s, state) if play.role == "discriminator" else ({}, state)


@dataclass(frozen=True)
class Own:
    """A draw from no stream."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.rand(n, 1, 1, 1)


@dataclass(frozen=True)
class Single:
    """A draw for the whole batch."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.rand(6, 1, 1, 1, generator=generator)


class OwnDraws(Mixed):
    """Its draws come from the global generator."""

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"mix": Own()}


class SixDraws(Mixed):
    """Its draws fit batches of six."""

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"mix": Single()}


class GrowingMemory(Anchored):
    """Its memory grows."""

    def kept(self, mean: Tensor) -> State:
        return {"mean": torch.stack([mean, mean])}


class SharedMemory(Anchored):
    """All runs of a process begin with one tensor."""

    def state(self, spec: DataSpec) -> State:
        return {"mean": SHARED}


class UnannouncedMemory(Anchored):
    """What it remembers begins with the first update."""

    def kept(self, mean: Tensor) -> State:
        return {"mean": mean, "last": mean}


class Shrunk(Clipped):
    """Its limit is never reached."""

    @torch.no_grad()
    def constrain(self, networks: Mapping[str, nn.Module]) -> None:
        for weight in networks["discriminator"].parameters():
            weight.mul_(0.9)


class Replaced(Clipped):
    """The optimiser goes on with tensors that are no longer used."""

    def constrain(self, networks: Mapping[str, nn.Module]) -> None:
        network = networks["discriminator"]
        for name, weight in list(network.named_parameters()):
            setattr(network, name, nn.Parameter(weight.detach().clamp(-0.01, 0.01)))


class Learned(Clipped):
    """Autograd does not let it."""

    def constrain(self, networks: Mapping[str, nn.Module]) -> None:
        for weight in networks["discriminator"].parameters():
            weight.clamp_(-0.01, 0.01)


class NoGradient(Brightened):
    """G learns nothing through it."""

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        return super().transform(samples.detach(), draws, s)


class Once(torch.autograd.Function):
    """The identity, differentiable once."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        return gradient


class NoSecondGradient(Brightened):
    """It goes through an operation without a second derivative."""

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        once: Tensor = Once.apply(samples)  # type: ignore[no-untyped-call]  # torch's own
        return super().transform(once, draws, s)


class OwnNoise(Brightened):
    """Its noise is nobody's draw."""

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        return super().transform(samples, draws, s) + torch.randn_like(samples) / 10


class Company(Brightened):
    """A sample is bright by the others."""

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        return super().transform(samples, draws, s) - samples.mean(0)


class OneForAll(Brightened):
    """The first row's draw serves all."""

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        return super().transform(samples, {"light": draws["light"][:1]}, s)


class Overwriting(Brightened):
    """The samples that came in are gone."""

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        made = super().transform(samples, draws, s)
        samples.data.zero_()
        return made


class Deaf(Brightened):
    """It does not look at its draws."""

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        return samples / 2


class Cropping(Brightened):
    """D gets smaller images."""

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        return super().transform(samples, draws, s)[..., 1:]


class Wider(Brightened):
    """D gets doubles."""

    def transform(self, samples: Tensor, draws: Batch, s: Scalars) -> Tensor:
        return super().transform(samples, draws, s).double()


class AllComers(Brightened):
    """It takes points for images."""

    def refusals(self, spec: DataSpec) -> list[str]:
        return []


class Curt(Brightened):
    """It refuses in a word."""

    def refusals(self, spec: DataSpec) -> list[str]:
        return ["no"] if super().refusals(spec) else []


class OwnLight(Brightened):
    """Its draws come from the global generator."""

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"light": Own()}


FAULTS: list[tuple[Kind, type, str]] = [
    ("loss", WrongWayForD, "the-discriminator-learns-to-tell-them-apart"),
    ("loss", WrongWayForG, "the-generator-learns-to-be-taken-for-real"),
    ("loss", DetachedFakes, "both-sides-teach-the-discriminator"),
    ("loss", DetachedG, "it-teaches-each-player-it-names"),
    ("loss", OneSided, "its-parts-are-named-numbers"),
    ("loss", Summed, "twice-the-batch-costs-the-same"),
    ("loss", Vector, "its-parts-are-named-numbers"),
    ("loss", Dotted, "its-parts-are-named-numbers"),
    ("loss", Logarithm, "large-logits-stay-finite"),
    ("loss", InPlace, "it-leaves-its-inputs-as-they-were"),
    ("loss", Noisy, "its-value-follows-from-its-inputs"),
    ("loss", Counting, "its-value-follows-from-its-inputs"),
    ("loss", Ordered, "the-order-of-rows-does-not-matter"),
    ("loss", ByRows, "it-takes-logits-of-patches"),
    ("loss", UnnamedHead, "it-names-what-it-reads"),
    ("loss", UnnamedField, "it-names-what-it-reads"),
    ("loss", UntaughtHead, "it-names-what-it-reads"),
    ("penalty", FirstOrder, "it-says-whether-it-is-differentiated-twice"),
    ("penalty", NeedlessSecondOrder, "it-says-whether-it-is-differentiated-twice"),
    ("penalty", AnyNorm, "it-says-whether-it-looks-at-single-samples"),
    ("penalty", Rooted, "a-flat-discriminator-does-it-no-harm"),
    ("penalty", UnnamedNeed, "it-names-what-it-reads"),
    ("penalty", Detached, "it-teaches-each-player-it-names"),
    ("penalty", BothPlayers, "it-teaches-each-player-it-names"),
    ("penalty", Rewarding, "it-never-rewards"),
    ("penalty", NotANumber, "its-parts-are-named-numbers"),
    ("penalty", OwnDraws, "each-of-its-draws-has-a-row-a-sample"),
    ("penalty", SixDraws, "each-of-its-draws-has-a-row-a-sample"),
    ("penalty", GrowingMemory, "its-memory-fits-a-checkpoint"),
    ("penalty", SharedMemory, "its-memory-fits-a-checkpoint"),
    ("penalty", UnannouncedMemory, "its-memory-fits-a-checkpoint"),
    ("penalty", Shrunk, "constraining-twice-is-constraining-once"),
    ("penalty", Replaced, "constraining-twice-is-constraining-once"),
    ("penalty", Learned, "constraining-twice-is-constraining-once"),
    ("augmentation", NoGradient, "gradients-pass-through-it"),
    ("augmentation", NoSecondGradient, "gradients-of-gradients-pass-through-it"),
    ("augmentation", OwnNoise, "the-same-draws-make-the-same-samples"),
    ("augmentation", Company, "a-sample-is-transformed-by-itself"),
    ("augmentation", OneForAll, "a-sample-is-transformed-by-itself"),
    ("augmentation", Overwriting, "it-leaves-samples-and-draws-as-they-were"),
    ("augmentation", Deaf, "other-draws-make-other-samples"),
    ("augmentation", Cropping, "what-it-serves-keeps-its-form"),
    ("augmentation", Wider, "what-it-serves-keeps-its-form"),
    ("augmentation", AllComers, "what-it-serves-keeps-its-form"),
    ("augmentation", Curt, "what-it-refuses-it-refuses-in-sentences"),
    ("augmentation", OwnLight, "each-of-its-draws-has-a-row-a-sample"),
]


@pytest.mark.parametrize(
    ("kind", "planted", "promise"), FAULTS, ids=[f[1].__name__ for f in FAULTS]
)
def test_one_fault_breaks_the_promise_that_it_is_about(
    kind: Kind, planted: type, promise: str
) -> None:
    assert list(broken(kind, planted)) == [promise]
