"""A plugin of sketches: the smallest form of each system that the step's contract must carry.

Vectors of 8 numbers stand for images; none is meant to learn anything, each is meant to need
something that the core must not know of.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate, softplus

from gan_toolkit import (
    Architecture,
    Component,
    Field,
    Judged,
    Loss,
    Scheduled,
    TwoNetworks,
    hookimpl,
)
from gan_toolkit.architecture import Networks, Scalars
from gan_toolkit.data import Batch, DataSet, DataSpec, FieldSpec, Progress, Stored, silent
from gan_toolkit.play import Play
from gan_toolkit.streams import Categorical, Draw, Normal, Uniform
from gan_toolkit.terms import Logits, Parts, State, Term

D = 8


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 16), nn.LeakyReLU(0.2), nn.Linear(16, outputs))


class Plain(TwoNetworks):
    """The beginner's plugin."""

    latent: int = 4

    def generator(self, spec: DataSpec) -> nn.Module:
        return mlp(self.latent, D)

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return mlp(D, 1)


class Normed(TwoNetworks):
    """Networks that remember (batch norm) and draw for themselves (dropout); no average."""

    ema: ClassVar[tuple[str, ...]] = ()

    def generator(self, spec: DataSpec) -> nn.Module:
        return nn.Sequential(nn.Linear(self.latent, 16), nn.BatchNorm1d(16), nn.Linear(16, D))

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return nn.Sequential(nn.Linear(D, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 1))


class Twice(Plain):
    """G has one layer in two places."""

    def generator(self, spec: DataSpec) -> nn.Module:
        layer = nn.Linear(D, D)
        return nn.Sequential(nn.Linear(self.latent, D), layer, nn.Tanh(), layer)


class Idle(Plain):
    """A network that nothing reads."""

    def networks(self, spec: DataSpec, stage: int) -> Mapping[str, nn.Module]:
        return {**super().networks(spec, stage), "idle": mlp(2, 2)}


class Tied(Plain):
    """InfoGAN's usual form: Q is D's trunk with another head."""

    def networks(self, spec: DataSpec, stage: int) -> Mapping[str, nn.Module]:
        trunk = nn.Sequential(nn.Linear(D, 16), nn.ReLU())
        return {"generator": self.generator(spec)} | {
            name: nn.Sequential(OrderedDict(trunk=trunk, head=nn.Linear(16, 1)))
            for name in ("discriminator", "q")
        }


class AuxiliaryClassifier(Architecture):
    """ACGAN: labels condition G, a second head of D names the class."""

    conditions: ClassVar[tuple[str, ...]] = ("label",)

    def networks(self, spec: DataSpec, stage: int) -> Mapping[str, nn.Module]:
        classes = len(spec.classes)
        return {"generator": mlp(4 + classes, D), "discriminator": mlp(D, 1 + classes)}

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"z": Normal((4,))}

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        hot = nn.functional.one_hot(batch["label"], 3).float()
        return {"sample": nets["generator"](torch.cat([draws["z"], hot], 1))}

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        out = nets["discriminator"](batch["sample"])
        return Judged(out[:, 0], heads={"class": out[:, 1:]})


class ClassHead(Term):
    """Both players want the class to be read off."""

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        parts = {"fake": cross_entropy(play.fake.heads["class"], play.fakes["label"])}
        if play.role == "discriminator":
            parts["real"] = cross_entropy(play.real.heads["class"], play.reals["label"])
        return parts, state


class Codes(Architecture):
    """InfoGAN: a code among the draws, a third network that learns with G to read it."""

    exports: ClassVar[tuple[str, ...]] = ("generator", "q")

    def networks(self, spec: DataSpec, stage: int) -> Mapping[str, nn.Module]:
        return {"generator": mlp(5, D), "discriminator": mlp(D, 1), "q": mlp(D, 2)}

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"z": Uniform((4,), -1, 1), "code": Categorical(2)}

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        inputs = torch.cat([draws["z"], draws["code"].float().unsqueeze(1)], 1)
        return {"sample": nets["generator"](inputs)}

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        heads = {"code": nets["q"](batch["sample"])}
        return Judged(nets["discriminator"](batch["sample"]).flatten(), heads=heads)


class MutualInformation(Term):
    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        if play.role == "discriminator":
            return {}, state
        return {"code": cross_entropy(play.fake.heads["code"], play.draws["code"])}, state


class Growing(Architecture):
    """Progressive growing: a second stage after `stage_nimg` images, faded in by a scalar."""

    stage_nimg: int = 96

    def stage_at(self, nimg: int) -> int:
        return int(nimg >= self.stage_nimg)

    def scalars(self, nimg: int) -> dict[str, float]:
        return {"fade": min(max(nimg / self.stage_nimg - 1, 0.0), 1.0)}

    def networks(self, spec: DataSpec, stage: int) -> Mapping[str, nn.Module]:
        G = nn.ModuleDict({"base": nn.Linear(4, D // 2)})
        judge = nn.ModuleDict({"base": mlp(D // 2, 1)})
        if stage:
            G["block"] = nn.Linear(D // 2, D)
            judge["block"] = nn.Linear(D, D // 2)
        return {"generator": _Grown(G), "discriminator": _GrownJudge(judge)}

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"z": Normal((4,))}

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        return {"sample": nets["generator"](draws["z"], s["fade"])}

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        return Judged(nets["discriminator"](batch["sample"], s["fade"]).flatten())


class _Grown(nn.Module):
    def __init__(self, parts: nn.ModuleDict) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, z: Tensor, fade: Tensor) -> Tensor:
        small = self.parts["base"](z)
        large = interpolate(small.unsqueeze(1), scale_factor=2).squeeze(1)
        return large.lerp(self.parts["block"](small), fade) if "block" in self.parts else large


class _GrownJudge(nn.Module):
    def __init__(self, parts: nn.ModuleDict) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, x: Tensor, fade: Tensor) -> Tensor:
        small = x.unflatten(1, (-1, 2)).mean(2)
        if "block" in self.parts:
            small = small.lerp(self.parts["block"](x), fade)
        verdict: Tensor = self.parts["base"](small)
        return verdict


class Mapped(Architecture):
    """StyleGAN2: a mapping network with a rate of its own, noise, styles handed to a term."""

    ema: ClassVar[tuple[str, ...]] = ("mapping", "generator")
    exports: ClassVar[tuple[str, ...]] = ("mapping", "generator")

    def networks(self, spec: DataSpec, stage: int) -> Mapping[str, nn.Module]:
        return {"mapping": mlp(4, 4), "generator": mlp(8, D), "discriminator": mlp(D, 1)}

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"z": Normal((4,)), "noise": Normal((4,)), "cut": Uniform((1,))}

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        w = nets["mapping"](draws["z"])
        mixed = torch.where(draws["cut"] < 0.5, w, w.flip(0))
        return {"sample": nets["generator"](torch.cat([mixed, draws["noise"]], 1)), "w": w}

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        return Judged(nets["discriminator"](batch["sample"]).flatten())


class PathLength(Term):
    """A lazy term with memory and draws of its own, differentiated twice."""

    every: int = 2
    second_order: ClassVar[bool] = True

    def state(self, spec: DataSpec) -> State:
        return {"mean": torch.zeros(())}

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"direction": Normal((D,))}

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        if play.role == "discriminator":
            return {}, state
        projected = (play.fakes["sample"] * draws["direction"]).sum()
        (slope,) = torch.autograd.grad(projected, play.fakes["w"], create_graph=True)
        length = slope.square().sum(1).sqrt()
        mean = state["mean"].lerp(length.detach().mean(), 0.1)
        return {"path": (length - mean).square().mean()}, {"mean": mean}


class Translating(Architecture):
    """CycleGAN: two fields, four networks, logits of both sides together."""

    ema: ClassVar[tuple[str, ...]] = ("to_b", "to_a")
    exports: ClassVar[tuple[str, ...]] = ("to_b", "to_a")
    conditions: ClassVar[tuple[str, ...]] = ("source", "sample")

    def networks(self, spec: DataSpec, stage: int) -> Mapping[str, nn.Module]:
        return {name: mlp(D, D) for name in ("to_b", "to_a")} | {
            name: mlp(D, 4) for name in ("judge_b", "judge_a")
        }

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {}

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        a, b = batch["source"], batch["sample"]
        there, back = nets["to_b"](a), nets["to_a"](b)
        again = nets["to_a"](there)
        return {"sample": there, "source": back, "cycle": (again - a).abs().mean(1)}

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        b, a = nets["judge_b"](batch["sample"]), nets["judge_a"](batch["source"])
        return Judged(torch.cat([b, a]))  # [2N, 4]: patches


class Cycle(Term):
    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        if play.role == "discriminator":
            return {}, state
        return {"cycle": play.fakes["cycle"].mean()}, state


class Pairing(Loss):
    """RpGAN: real and fake logits by pairs, in G's update too."""

    def discriminator(self, logits: Logits) -> Parts:
        return {"pair": softplus(logits.fake_logits - logits.real_logits).mean()}

    def generator(self, logits: Logits) -> Parts:
        return {"pair": softplus(logits.real_logits - logits.fake_logits).mean()}


class R1R2(Term):
    """Zero-centred penalties on reals and fakes, with a scheduled weight."""

    gamma: Scheduled = 1.0
    needs: ClassVar[tuple[str, ...]] = ("real_gradients", "fake_gradients")
    second_order: ClassVar[bool] = True

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        if play.role == "generator":
            return {}, state
        r1 = play.real_gradients.square().sum(1).mean()
        r2 = play.fake_gradients.square().sum(1).mean()
        return {"r1": s["gamma"] / 2 * r1, "r2": s["gamma"] / 2 * r2}, state


class Interpolated(Term):
    """WGAN-GP: judges a batch of its own, by its own draws."""

    second_order: ClassVar[bool] = True

    def draws(self, spec: DataSpec) -> dict[str, Draw]:
        return {"mix": Uniform((1,))}

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        if play.role == "generator":
            return {}, state
        mixed = play.fakes["sample"].detach().lerp(play.reals["sample"], draws["mix"])
        mixed.requires_grad_()
        logits = play.judge({"sample": mixed}).logits
        (slope,) = torch.autograd.grad(logits.sum(), mixed, create_graph=True)
        return {"gp": (slope.norm(dim=1) - 1).square().mean()}, state


class Clipping(Term):
    """WGAN: a constraint after the update."""

    limit: float = Field(0.05, gt=0)

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        return {}, state

    def constrain(self, networks: Mapping[str, nn.Module]) -> None:
        for name, network in networks.items():
            if name == "discriminator":
                for weight in network.parameters():
                    weight.data.clamp_(-self.limit, self.limit)


class Exploding(Term):
    """A term that turns to NaN at a given step count of its own."""

    after: int = 20

    def state(self, spec: DataSpec) -> State:
        return {"count": torch.zeros(())}

    def value(self, play: Play, draws: Batch, s: Scalars, state: State) -> tuple[Parts, State]:
        count = state["count"] + 1
        bad = torch.where(count > self.after, torch.nan, 0.0)
        return {"bad": bad * play.fake_logits.mean()}, {"count": count}


class Pairs(DataSet):
    """Two fields a sample."""

    def open(self, progress: Progress = silent) -> Stored:
        generator = torch.Generator().manual_seed(8)
        rows = {name: torch.randn(50, D, generator=generator) for name in ("sample", "source")}
        fields = {name: FieldSpec(shape=(D,)) for name in rows}
        return Stored(DataSpec(name="pairs", fields=fields, fingerprint="pairs"), rows)


class Ring:
    """Points on a circle, drawn afresh for ever."""

    spec = DataSpec(name="ring", fields={"sample": FieldSpec(shape=(D,))})

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        angle = torch.rand(n, 1, generator=generator) * 6.283
        return {"sample": torch.cat([angle.cos(), angle.sin(), torch.zeros(n, D - 2)], 1)}


class Endless(DataSet):
    """Opens the ring."""

    def open(self, progress: Progress = silent) -> Ring:
        return Ring()


@hookimpl
def gantk_components() -> Iterable[Component]:
    architectures = {
        "plain": Plain,
        "normed": Normed,
        "tied": Tied,
        "twice": Twice,
        "idle": Idle,
        "acgan": AuxiliaryClassifier,
        "infogan": Codes,
        "growing": Growing,
        "mapped": Mapped,
        "translating": Translating,
    }
    penalties = {
        "class-head": ClassHead,
        "mutual-information": MutualInformation,
        "path-length": PathLength,
        "cycle": Cycle,
        "r1r2": R1R2,
        "interpolated": Interpolated,
        "clipping": Clipping,
        "exploding": Exploding,
    }
    return [
        *(Component("architecture", name, cls, "A sketch") for name, cls in architectures.items()),
        *(Component("penalty", name, cls, "A sketch") for name, cls in penalties.items()),
        Component("loss", "pairing", Pairing, "A sketch"),
        Component("data", "pairs", Pairs, "A sketch"),
        Component("data", "endless", Endless, "A sketch"),
    ]
