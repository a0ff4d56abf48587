"""Scenes in which a term is tried: a batch of known level before a D of known weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from gan_toolkit.data import LABEL, SAMPLE, Batch, DataSpec, FieldSpec
from gan_toolkit.feed import scalars
from gan_toolkit.play import Role
from gan_toolkit.streams import Draw, stream
from gan_toolkit.terms import Parts, State, Term
from gan_toolkit.testing.promises import AnyOptions, Broken, NotMade, Subject
from gan_toolkit.testing.stages.game import (
    CLASSES,
    SHAPE,
    SIZE,
    Discriminator,
    Generator,
    WatchedPlay,
    marked,
)

ROWS = 6
MIDWAY = 0.5
"""The fraction of a run at which scheduled numbers are taken."""
MARKS: dict[str, Callable[[Tensor], Tensor]] = {
    "G": torch.sigmoid,
    "D": torch.tanh,
    "samples": marked,
}
"""What leaves a node of its own in the graph where it is differentiated twice, by whose it is."""


@dataclass(frozen=True)
class Tried:
    """What a term made of a play."""

    play: WatchedPlay
    parts: Parts
    state: State

    @cached_property
    def numbers(self) -> Parts:
        """The parts, each as one number whatever it is: 0-d."""
        parts = {name: torch.as_tensor(part).float() for name, part in self.parts.items()}
        return {name: part.mean() for name, part in parts.items()}

    @cached_property
    def total(self) -> Tensor:
        """What the parts come to: 0-d."""
        return torch.stack([torch.zeros(()), *self.numbers.values()]).sum()

    def gradient(self, of: Tensor) -> Tensor | None:
        """Return how the total changes with a tensor; None where it does not rest on it."""
        if not self.total.requires_grad or not of.requires_grad:
            return None
        return torch.autograd.grad(self.total, of, retain_graph=True, allow_unused=True)[0]

    def lessons(self) -> Parts:
        """Return the gradients of those weights of the player that the total rests on."""
        weights = self.play.players[self.play.role].named_parameters()
        found = {name: self.gradient(weight) for name, weight in weights}
        return {name: gradient for name, gradient in found.items() if gradient is not None}

    def differentiated(self) -> set[str]:
        """Return what the total is differentiated through twice: G, D, D with respect to samples.

        A value that rests on a gradient holds the derivatives of derivatives in its graph.
        """
        nodes, seen = [self.total.grad_fn], set()
        while nodes:
            node = nodes.pop()
            if node is not None and node not in seen:
                seen.add(node)
                nodes += [before for before, _ in node.next_functions]
        names = {node.name() for node in seen}
        return {whose for whose, mark in MARKS.items() if _twice(mark) in names}


def _twice(mark: Callable[[Tensor], Tensor]) -> str:
    """Return torch's name for the derivative of a function's derivative."""
    x = torch.ones((), requires_grad=True)
    (slope,) = torch.autograd.grad(mark(x), x, create_graph=True)
    assert slope.grad_fn is not None
    return slope.grad_fn.name()


@dataclass(frozen=True)
class Scene:
    """A term, the weights of D, and a batch of everything that the term is handed."""

    term: Term
    inner: Tensor
    outer: Tensor
    reals: Batch
    z: Tensor
    draws: Batch

    def tried(self, role: Role, state: State | None = None) -> Tried:
        """Return what the term makes of a player's update; its memory is fresh unless given."""
        play = self.play(role)
        memory = self.term.state(spec_for(self.term)) if state is None else state
        parts, after = self.term.value(play, self.draws, scalars(self.term, MIDWAY, "cpu"), memory)
        return Tried(play, parts, after)

    def play(self, role: Role) -> WatchedPlay:
        """Return the update of a player, whose weights alone learn."""
        networks: dict[str, nn.Module] = {
            "generator": Generator(),
            "discriminator": Discriminator(self.inner, self.outer, self.term.heads),
        }
        for name, network in networks.items():
            network.requires_grad_(name == role)
        return WatchedPlay(role, networks, self.reals, self.z)

    def rows(self, order: Tensor) -> Scene:
        """Return the scene with these rows of its batch."""
        reals = {name: rows[order] for name, rows in self.reals.items()}
        draws = {name: rows[order] for name, rows in self.draws.items()}
        return replace(self, reals=reals, z=self.z[order], draws=draws)


def plain(term: Term, *, real: float = 0.5, fake: float = -0.5, scale: float = 1.0) -> Scene:
    """Return a scene whose logits are about scale × level, reals and fakes each at a level."""
    inner, outer = torch.full((SIZE, 1), 1 / SIZE), torch.full((1, 1), scale)
    return _scene(term, real, fake, inner, outer)


def steep(term: Term, *, scale: float = 2.0, patches: int = 1) -> Scene:
    """Return a scene whose D bends, and rises by more than 1 a unit."""
    inner = torch.randn(SIZE, 4, generator=stream(0, "inner")) / 10
    outer = torch.randn(4, patches, generator=stream(0, "outer")) * scale
    return _scene(term, 0.5, -0.5, inner, outer)


def flat(term: Term) -> Scene:
    """Return a scene whose D gives every sample the same logit."""
    return steep(term, scale=0.0)


def tries(it: Subject, *scenes: Callable[[Term], Scene]) -> Iterator[tuple[Role, Scene]]:
    """Yield every scene for each player that the term names."""
    term = term_of(it)
    for role in term.roles:
        for scene in scenes:
            yield role, scene(term)


def term_of(it: Subject) -> Term:
    """Return the term with its default options."""
    return default(it, Term)


def default(it: Subject, kind: type[AnyOptions]) -> AnyOptions:
    """Return the component with its default options."""
    fields = getattr(it.load(), "model_fields", {})
    if needed := [name for name, field in fields.items() if field.is_required()]:
        raise NotMade(f"it has no default for {', '.join(needed)}")
    return it.options(kind)


def spec_for(term: Term) -> DataSpec:
    """Return what the game is played with: images, labels, and the fields that a term names."""
    image = FieldSpec(shape=SHAPE, low=-1.0, high=1.0)
    label = FieldSpec(shape=(), classes=CLASSES)
    fields = {**dict.fromkeys(term.fields, image), SAMPLE: image, LABEL: label}
    return DataSpec(name="game", fields=fields, length=ROWS)


def sampled(draws: Mapping[str, Draw], n: int, seed: int = 0) -> Batch:
    """Return n rows of each draw."""
    return {name: draw.sample(n, stream(seed, "draw", name)) for name, draw in draws.items()}


def check_rows(draws: Mapping[str, Draw]) -> None:
    """Raise `Broken` unless each draw gives as many rows as asked, from its generator alone."""
    if not draws:
        raise NotMade("it draws nothing")
    for n in (1, 5):
        with nothing_drawn():
            rows, again = sampled(draws, n), sampled(draws, n)
        for name, drawn in rows.items():
            if drawn.shape[:1] != (n,):
                raise Broken(f"asked for {n} rows, '{name}' gave {list(drawn.shape)}")
            if not torch.equal(drawn, again[name]):
                raise Broken(f"'{name}' gave other rows from a generator of the same seed")


@contextmanager
def nothing_drawn() -> Iterator[None]:
    """Raise `Broken` if torch's global generator is used."""
    before = torch.random.get_rng_state()
    yield
    if not torch.equal(before, torch.random.get_rng_state()):
        raise Broken("it drew from torch's global generator")


def _scene(term: Term, real: float, fake: float, inner: Tensor, outer: Tensor) -> Scene:
    spec = spec_for(term)
    reals = {name: _samples(real, name) for name in spec.fields}
    reals[LABEL] = torch.arange(ROWS) % len(CLASSES)
    fakes = _samples(fake, "fake")
    z = ((1 + fakes) / (1 - fakes)).log() - Generator().shift.detach()
    return Scene(term, inner, outer, reals, z, sampled(term.draws(spec), ROWS))


def _samples(level: float, name: str) -> Tensor:
    """Return samples whose means lie around a level, each with a grain of its own."""
    grain = torch.rand(ROWS, *SHAPE, generator=stream(0, "samples", name)) / 4
    grain = grain - grain.mean((1, 2, 3), keepdim=True)
    return level + torch.linspace(-0.1, 0.1, ROWS).view(-1, 1, 1, 1) + grain
