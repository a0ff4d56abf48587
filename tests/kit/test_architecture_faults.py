"""An architecture with one thing wrong breaks the one promise that it is about."""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping
from math import prod
from typing import Any, ClassVar

import pytest
import torch
from faults import broken
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.nn.utils.parametrizations import spectral_norm

from gan_toolkit import Architecture, Batch, DataSpec, Field, Judged, Options, TwoNetworks
from gan_toolkit.architecture import Networks, Scalars
from gan_toolkit.streams import Draw, Normal

WIDTH = 8


class G(nn.Module):
    """Two dense layers."""

    def __init__(self, spec: DataSpec, inputs: int = 4) -> None:
        super().__init__()
        self.shape = spec.sample.shape
        self.first = nn.Linear(inputs, WIDTH)
        self.last = nn.Linear(WIDTH, prod(self.shape))

    def forward(self, z: Tensor) -> Tensor:
        return self.drawn(self.first(z).relu())

    def drawn(self, hidden: Tensor) -> Tensor:
        samples: Tensor = self.last(hidden).tanh().unflatten(1, self.shape)
        return samples


class D(nn.Module):
    """Two dense layers."""

    def __init__(self, spec: DataSpec, outputs: int = 1) -> None:
        super().__init__()
        self.first = nn.Linear(prod(spec.sample.shape), WIDTH)
        self.last = nn.Linear(WIDTH, outputs)

    def forward(self, x: Tensor) -> Tensor:
        verdict: Tensor = self.last(nn.functional.softplus(self.first(x.flatten(1))))
        return verdict


class Healthy(TwoNetworks):
    """Nothing is wrong with it."""

    latent: int = Field(4, ge=1, description="size of the latent z")
    makes: ClassVar[type[G]] = G
    judges: ClassVar[type[D]] = D

    def generator(self, spec: DataSpec) -> nn.Module:
        return self.makes(spec)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return self.judges(spec)


class Normed(Healthy):
    """Batch norm, dropout, spectral norm, an attention that starts at zero, patches of logits."""

    class N(G):
        def __init__(self, spec: DataSpec) -> None:
            super().__init__(spec)
            self.norm = nn.BatchNorm1d(WIDTH)
            self.side = nn.Linear(WIDTH, WIDTH)
            self.gate = nn.Parameter(torch.zeros(()))
            self.drop = nn.Dropout()

        def forward(self, z: Tensor) -> Tensor:
            hidden = self.norm(self.first(z))
            return self.drawn(self.drop(hidden + self.gate * self.side(hidden)))

    makes = N

    def discriminator(self, spec: DataSpec) -> nn.Module:
        layers = [spectral_norm(nn.Linear(prod(spec.sample.shape), WIDTH)), nn.BatchNorm1d(WIDTH)]
        return nn.Sequential(nn.Flatten(), *layers, nn.LeakyReLU(), nn.Linear(WIDTH, 4))

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        return Judged(nets["discriminator"](batch["sample"]).unflatten(1, (2, 2)))


class Labelled(Healthy):
    """Both networks are told the class, and it is refused where there is none."""

    conditions: ClassVar[tuple[str, ...]] = ("label",)

    def generator(self, spec: DataSpec) -> nn.Module:
        return self.makes(spec, 4 + len(spec.classes))

    def refusals(self, spec: DataSpec) -> list[str]:
        return [] if spec.classes else ["It needs names of classes; choose other data."]

    def told(self, batch: Batch) -> Tensor:
        return one_hot(batch["label"], 3).float()

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        return {"sample": nets["generator"](torch.cat([draws["z"], self.told(batch)], 1))}


class Translating(Healthy):
    """A sample is made of another image, and of nothing drawn."""

    conditions: ClassVar[tuple[str, ...]] = ("source",)

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {}

    def generator(self, spec: DataSpec) -> nn.Module:
        return self.makes(spec, prod(spec.sample.shape))

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        return {"sample": nets["generator"](batch["source"].flatten(1))}


class Growing(Healthy):
    """A layer joins in the second stage, faded in by a scalar."""

    class N(G):
        def __init__(self, spec: DataSpec, inputs: int = 4) -> None:
            super().__init__(spec, inputs)
            self.extra: nn.Module | None = None

        def forward(self, z: Tensor, share: Tensor) -> Tensor:  # type: ignore[override]  # told more
            hidden = self.first(z).relu()
            if self.extra is not None:
                hidden = hidden.lerp(self.extra(hidden), share)
            return self.drawn(hidden)

    makes = N

    def stage_at(self, nimg: int) -> int:
        return int(nimg >= 10_000)

    def scalars(self, nimg: int) -> dict[str, float]:
        return {"share": min(nimg / 20_000, 1.0)}

    def networks(self, spec: DataSpec, stage: int) -> Mapping[str, nn.Module]:
        nets = super().networks(spec, stage)
        if stage:
            nets["generator"].extra = nn.Linear(WIDTH, WIDTH)
        return nets

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        return {"sample": nets["generator"](draws["z"], s["share"])}


class Mixing(Healthy):
    """Its generator looks at the batch and says so; it makes only small grey images."""

    mixes_rows: ClassVar[tuple[str, ...]] = ("generator",)

    class N(G):
        def forward(self, z: Tensor) -> Tensor:
            return super().forward(z - z.mean(0))

    makes = N

    def refusals(self, spec: DataSpec) -> list[str]:
        fits = spec.sample.shape == (1, 28, 28)
        return [] if fits else ["It makes images of 1×28×28; try `--data mnist`."]


@pytest.mark.parametrize("cls", [Healthy, Normed, Labelled, Translating, Growing, Mixing])
def test_a_healthy_architecture_breaks_nothing(cls: type[Architecture]) -> None:
    assert broken("architecture", cls) == {}


def test_checking_leaves_torch_as_it_was() -> None:
    before = torch.get_rng_state(), torch.get_deterministic_debug_mode(), torch.get_num_threads()

    broken("architecture", Healthy)

    assert torch.equal(torch.get_rng_state(), before[0])
    assert (torch.get_deterministic_debug_mode(), torch.get_num_threads()) == before[1:]


FAULTS: list[tuple[str, type]] = []


def fault(promise: str) -> Any:  # Any: a decorator of classes
    """Note the one promise that a class breaks."""

    def note(cls: type) -> type:
        FAULTS.append((promise, cls))
        return cls

    return note


def generating(**methods: Any) -> type[G]:  # Any: methods of a network
    return type("Faulty", (G,), methods)


def judging(**methods: Any) -> type[D]:  # Any: methods of a network
    return type("Faulty", (D,), methods)


@fault("it-is-made-without-options")
class AsksForAnOption(Healthy):
    """An option has no default."""

    width: int = Field(ge=1, description="units of the hidden layer")


@fault("it-is-made-without-options")
class NoArchitecture(Options):
    """It has the methods of an architecture, but is none."""


@fault("it-refuses-in-sentences")
class RefusesByRaising(Healthy):
    """It unpacks what has no three sides."""

    def refusals(self, spec: DataSpec) -> list[str]:
        channels, *_ = spec.sample.shape
        return [] if channels < 5 else ["It makes up to four channels; choose other data."]


@fault("it-refuses-in-sentences")
class RefusesByNo(Healthy):
    """It gives no reason."""

    def refusals(self, spec: DataSpec) -> list[str]:
        return ["no"] if len(spec.sample.shape) != 3 else []


@fault("it-serves-some-data")
class ServesNothing(Healthy):
    """It refuses all."""

    def refusals(self, spec: DataSpec) -> list[str]:
        return ["It makes images of 24×24; try `--set data.resolution=24`."]


@fault("its-networks-are-there")
class AveragesNothing(Healthy):
    """It averages a network that it has not."""

    ema: ClassVar[tuple[str, ...]] = ("Generator",)


@fault("its-networks-are-there")
class ExportsNothing(Healthy):
    """It exports none of its networks."""

    exports: ClassVar[tuple[str, ...]] = ()


@fault("networks-are-built-anew")
class Renames(Healthy):
    """A layer has another name in every build."""

    def generator(self, spec: DataSpec) -> nn.Module:
        made = G(spec)
        made.register_buffer(f"number{id(made)}", torch.zeros(1))
        return made


@fault("networks-are-built-anew")
class Lazy(Healthy):
    """A layer learns its shape from the first batch."""

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(1))


@fault("a-pass-builds-nothing")
class BuildsWhenUsed(Healthy):
    """A layer is built at the first pass."""

    class N(G):
        def forward(self, z: Tensor) -> Tensor:
            if not hasattr(self, "late"):
                self.late = nn.Linear(WIDTH, WIDTH)
            return self.drawn(self.late(self.first(z)))

    makes = N


@fault("networks-are-built-anew")
class BuildsOnce(Healthy):
    """Every build returns the same discriminator."""

    @staticmethod
    @functools.cache
    def only(inputs: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 1))

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return self.only(prod(spec.sample.shape))


@fault("its-weights-are-float32")
class Wide(Healthy):
    """Its weights are float64."""

    def generator(self, spec: DataSpec) -> nn.Module:
        return G(spec).double()


@fault("networks-are-planned-without-memory")
class ReadsItsWeights(Healthy):
    """Building asks for the value of a tensor."""

    def discriminator(self, spec: DataSpec) -> nn.Module:
        made = D(spec)
        nn.init.constant_(made.last.weight, made.first.weight.abs().max().item())
        return made


@fault("the-seed-decides-the-first-weights")
class StartsByChance(Healthy):
    """Its first weights come from Python's generator."""

    def generator(self, spec: DataSpec) -> nn.Module:
        made = G(spec)
        nn.init.constant_(made.first.bias, random.random())
        return made


@fault("draws-come-from-their-generator")
class DrawsByChance(Healthy):
    """Its draw does not use the generator it is handed."""

    class Chance:
        def sample(self, n: int, generator: torch.Generator) -> Tensor:
            return torch.randn(n, 4)

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"z": self.Chance()}


@fault("samples-have-the-shape-of-the-data")
class Flat(Healthy):
    """Its samples are flat."""

    makes = generating(drawn=lambda self, hidden: self.last(hidden).tanh())


@fault("samples-have-the-shape-of-the-data")
class Square(Healthy):
    """It takes every image for a square one."""

    def generator(self, spec: DataSpec) -> nn.Module:
        made, shape = G(spec), spec.sample.shape
        made.shape = (*shape[:-1], shape[-2]) if len(shape) == 3 else shape
        return made


@fault("samples-have-the-shape-of-the-data")
class DividesByNothing(Healthy):
    """Its samples are NaN."""

    makes = generating(drawn=lambda self, hidden: G.drawn(self, hidden * 0 / 0))


@fault("samples-have-the-shape-of-the-data")
class TellsNobodyOfLabels(Labelled):
    """It reads labels without naming them a condition."""

    conditions: ClassVar[tuple[str, ...]] = ()


@fault("samples-are-of-the-size-of-the-data")
class Bytes(Healthy):
    """Its samples lie in 0 … 255."""

    makes = generating(drawn=lambda self, hidden: (G.drawn(self, hidden) + 1) * 127.5)


@fault("exports-are-all-that-sampling-needs")
class LeavesTheMappingBehind(Healthy):
    """What it exports is not enough to sample."""

    def networks(self, spec: DataSpec, stage: int) -> Mapping[str, nn.Module]:
        return {**super().networks(spec, stage), "mapping": nn.Linear(4, 4)}

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        return super().generate(nets, {"z": nets["mapping"](draws["z"])}, batch, s)


@fault("verdicts-are-one-a-sample")
class OneVerdictForAll(Healthy):
    """Its logits are a mean."""

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        return Judged(super().judge(nets, batch, s).logits.mean())


@fault("verdicts-are-one-a-sample")
class NoVerdict(Healthy):
    """It returns a tensor."""

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Any:
        return super().judge(nets, batch, s).logits


@fault("heads-are-those-announced")
class SecretHead(Healthy):
    """It has a head that it does not announce."""

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return D(spec, 4)

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        out = nets["discriminator"](batch["sample"])
        return Judged(out[:, 0], heads={"class": out[:, 1:]})


@fault("heads-are-those-announced")
class MissingHead(Healthy):
    """It announces a head that it has not."""

    def heads(self, spec: DataSpec) -> tuple[str, ...]:
        return ("class",)


@fault("generate-and-judge-leave-their-inputs-alone")
class ScalesItsLatents(Healthy):
    """It changes z in place."""

    makes = generating(forward=lambda self, z: G.forward(self, z.mul_(2)))


@fault("generate-and-judge-leave-their-inputs-alone")
class ClampsReals(Healthy):
    """It changes the real batch in place, while it learns."""

    judges = judging(
        forward=lambda self, x: D.forward(self, x.clamp_(-0.9, 0.9) if self.training else x)
    )


@fault("networks-at-rest-draw-nothing")
class AlwaysNoisy(Healthy):
    """It draws for itself, in sampling too."""

    makes = generating(forward=lambda self, z: G.forward(self, z + torch.rand_like(z)))


@fault("the-same-inputs-give-the-same-bits")
class NoisyByPython(Healthy):
    """It draws from Python's generator."""

    makes = generating(forward=lambda self, z: G.forward(self, z + random.random()))


@fault("the-same-inputs-give-the-same-bits")
class Counts(Healthy):
    """A buffer counts the passes in eval mode too."""

    class N(D):
        passes: Tensor

        def __init__(self, spec: DataSpec) -> None:
            super().__init__(spec)
            self.register_buffer("passes", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.passes += 1
            return super().forward(x)

    judges = N


@fault("its-weights-say-everything")
class KeepsAListOfLayers(Healthy):
    """A layer stands in a list, where torch does not look."""

    class N(G):
        def __init__(self, spec: DataSpec) -> None:
            super().__init__(spec)
            self.layers = [nn.Linear(WIDTH, WIDTH)]

        def forward(self, z: Tensor) -> Tensor:
            return self.drawn(self.layers[0](self.first(z)))

    makes = N


@fault("its-weights-say-everything")
class RemembersOutside(Healthy):
    """A running mean is an attribute that is not saved."""

    class N(G):
        mean = torch.zeros(4)

        def forward(self, z: Tensor) -> Tensor:
            if self.training:
                self.mean = self.mean.lerp(z.detach().mean(0), 0.1)
            return super().forward(z - self.mean)

    makes = N


@fault("its-weights-say-everything")
class ForgetsABuffer(Healthy):
    """Random frequencies are in a buffer that is not saved."""

    def generator(self, spec: DataSpec) -> nn.Module:
        made = self.waves(spec)
        made.register_buffer("frequencies", torch.randn(4), persistent=False)
        return made

    waves: ClassVar[type[G]] = generating(
        forward=lambda self, z: G.forward(self, (z * self.frequencies).sin())
    )


@fault("rows-are-mixed-as-it-says")
class LeaksTheBatch(Healthy):
    """A sample depends on those beside it, and it does not say so."""

    makes = Mixing.N


@fault("rows-are-mixed-as-it-says")
class AddsUpTheBatch(Healthy):
    """A sample depends on those after it alone."""

    makes = generating(forward=lambda self, z: G.forward(self, z.flip(0).cumsum(0).flip(0)))


@fault("rows-are-mixed-as-it-says")
class JudgesTogether(Healthy):
    """A verdict depends on those beside it, and it does not say so."""

    judges = judging(forward=lambda self, x: D.forward(self, x) - x.mean())


@fault("rows-are-mixed-as-it-says")
class SaysThatItMixes(Healthy):
    """Its rows stand alone, and it says that they do not."""

    mixes_rows: ClassVar[tuple[str, ...]] = ("discriminator",)


@fault("every-condition-counts")
class HearsNoLabel(Labelled):
    """It names a condition that it does not read."""

    def told(self, batch: Batch) -> Tensor:
        return torch.ones(len(batch["label"]), 3)


@fault("every-condition-counts")
class HearsTwoClassesAsOne(Labelled):
    """It tells apart even and odd classes only."""

    def told(self, batch: Batch) -> Tensor:
        return one_hot(batch["label"] % 2, 3).float()


@fault("it-works-in-channels-last")
class Views(Healthy):
    """It takes for granted how an image is laid out."""

    judges = judging(forward=lambda self, x: D.forward(self, x.view(len(x), -1)))


@fault("every-weight-of-the-generator-learns")
class Detached(Healthy):
    """No gradient gets to the first layer."""

    makes = generating(forward=lambda self, z: self.drawn(self.first(z).relu().detach()))


@fault("every-weight-of-the-generator-learns")
class Rounds(Healthy):
    """Its samples are in steps, which have no slope."""

    makes = generating(drawn=lambda self, hidden: (G.drawn(self, hidden) * 100).round() / 100)


@fault("every-weight-of-the-discriminator-learns")
class NeverUsesALayer(Healthy):
    """A layer takes no part."""

    def discriminator(self, spec: DataSpec) -> nn.Module:
        made = D(spec)
        made.add_module("unused", nn.Linear(WIDTH, WIDTH))
        return made


class Once(torch.autograd.Function):
    """x², whose slope has no slope."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        x: Tensor = ctx.saved_tensors[0]
        return 2 * x * gradient


@fault("slopes-can-be-penalised")
class OnceDifferentiable(Healthy):
    """An operation of D can be differentiated once only."""

    class N(D):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(Once.apply(x))  # type: ignore[no-untyped-call]  # torch's gap

    judges = N


@fault("slopes-can-be-penalised")
class RootOfNothing(Healthy):
    """The second slope of a root is infinite where it vanishes."""

    class N(D):
        def forward(self, x: Tensor) -> Tensor:
            nothing = self.first(x.flatten(1)) * 0
            root: Tensor = nothing.abs().pow(1.5)
            return super().forward(x) + root.sum(1, keepdim=True)

    judges = N


@fault("it-works-in-bf16")
class MixesTypes(Healthy):
    """It mixes a layer's bfloat16 with a float32 tensor of its own."""

    makes = generating(
        forward=lambda self, z: self.drawn(self.first(z).lerp(torch.ones(len(z), WIDTH), 0.5))
    )


@fault("it-trains")
class HasACritic(Architecture):
    """Its second network has a name that no update has, and there is no recipe of its own."""

    def networks(self, spec: DataSpec, stage: int) -> Mapping[str, nn.Module]:
        return {"generator": G(spec), "critic": D(spec)}

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"z": Normal((4,))}

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        return {"sample": nets["generator"](draws["z"])}

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        return Judged(nets["critic"](batch["sample"]).flatten())


@fault("it-trains")
class LeavesTheMappingUntrained(LeavesTheMappingBehind):
    """No update names a network that it averages and exports."""

    ema: ClassVar[tuple[str, ...]] = ("generator", "mapping")
    exports: ClassVar[tuple[str, ...]] = ("generator", "mapping")


@fault("it-trains")
class HeadWithoutTerm(SecretHead):
    """Nothing teaches its head."""

    def heads(self, spec: DataSpec) -> tuple[str, ...]:
        return ("class",)


@fault("a-resumed-run-is-the-same-run")
class CountsItsPasses(Healthy):
    """Noise that falls with the number of passes, which is not saved."""

    class N(D):
        passes = 0

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                self.passes += 1
                x = x + 1 / self.passes
            return super().forward(x)

    judges = N


@fault("an-exported-model-draws-the-same-samples")
class ShortIntegers(Healthy):
    """A buffer has a type that a weights file of ours does not name."""

    def generator(self, spec: DataSpec) -> nn.Module:
        made = G(spec)
        made.register_buffer("order", torch.arange(4, dtype=torch.int16))
        return made


@pytest.mark.parametrize(("promise", "cls"), FAULTS, ids=[cls.__name__ for _, cls in FAULTS])
def test_a_fault_breaks_the_one_promise_that_it_is_about(promise: str, cls: type) -> None:
    assert set(broken("architecture", cls)) == {promise}
