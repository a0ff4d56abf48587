"""The smallest game that serves any term: logits, heads and labels, and notes of what is read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gan_toolkit.architecture import Architecture, Judged, Networks, Scalars
from gan_toolkit.data import SAMPLE, Batch
from gan_toolkit.play import Play, Role
from gan_toolkit.streams import stream
from gan_toolkit.testing.promises import Broken, NotMade

SHAPE = (3, 8, 8)
SIZE = 3 * 8 * 8
CLASSES = ("a", "b", "c")


class Lent(dict[str, Any]):
    """What the game lends a term, by name; what is read is noted, what is missing refused."""

    def __init__(
        self, things: Mapping[str, object], read: set[str], missing: str, error: type[Exception]
    ) -> None:
        super().__init__(things)
        self._read = read
        self._missing = missing
        self._error = error

    def __getitem__(self, name: str) -> Any:  # Any: a tensor or a network
        self._read.add(name)
        return super().__getitem__(name)

    def __missing__(self, name: str) -> None:
        raise self._error(f"it wants the {self._missing.format(name)}")


class Heads(dict[str, Tensor]):
    """The heads of a verdict, [N, classes] each: those named, and any other that is read."""

    def __init__(self, x: Tensor, named: tuple[str, ...], read: set[str]) -> None:
        self._x = x
        self._read = read
        super().__init__({name: self._head(name) for name in named})

    def __getitem__(self, name: str) -> Tensor:
        self._read.add(name)
        return super().__getitem__(name)

    def __missing__(self, name: str) -> Tensor:
        return self._head(name)

    def _head(self, name: str) -> Tensor:
        return self._x @ torch.randn(SIZE, len(CLASSES), generator=stream(0, "head", name)) / 10


class Generator(nn.Module):
    """A fake for each z, number by number: 2 σ(z + shift) - 1.

    The shift is not zero, for there the cost of large weights is flat.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.randn(SHAPE, generator=stream(0, "shift")) / 10)

    def forward(self, z: Tensor) -> Tensor:
        """Return samples [N, *SHAPE] in -1 … 1."""
        return 2 * torch.sigmoid(z + self.shift) - 1


class Discriminator(nn.Module):
    """The verdict tanh(x inner) outer: one logit, or 2×2 patches where `outer` has four columns."""

    def __init__(self, inner: Tensor, outer: Tensor, heads: tuple[str, ...]) -> None:
        super().__init__()
        self.inner = nn.Parameter(inner.clone())
        self.outer = nn.Parameter(outer.clone())
        self.heads = heads
        self.read: set[str] = set()
        """The heads that were read."""

    def forward(self, x: Tensor) -> Judged:
        """Return the verdict on samples [N, *SHAPE]."""
        flat = x.flatten(1)
        features = torch.tanh(marked(flat) @ self.inner)
        logits = features @ self.outer  # [N, 1] or [N, 4]
        heads = Heads(flat * self.outer.mean(), self.heads, self.read)
        shape = (-1,) if logits.shape[1] == 1 else (-1, 1, 2, 2)
        return Judged(logits.view(shape), features, heads)


class Game(Architecture):
    """The architecture that plays it."""

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        """Return generator(z)."""
        del batch, s
        return {SAMPLE: nets["generator"](draws["z"])}

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        """Return the verdict of the discriminator."""
        del s
        verdict: Judged = nets["discriminator"](batch[SAMPLE])
        return verdict


class WatchedPlay(Play):
    """A play that has every gradient ready, and notes which of them and which fields are read."""

    def __init__(self, role: Role, networks: dict[str, nn.Module], reals: Batch, z: Tensor) -> None:
        self.players = networks
        self.fields: set[str] = set()
        self.gradients: set[str] = set()
        elsewhere = "'{}', which only some architectures have"
        super().__init__(
            role,
            Game(),
            Lent(networks, set(), f"network {elsewhere}", NotMade),
            reals,
            Lent({"z": z}, set(), f"draw {elsewhere}", NotMade),
            {},
            needs=frozenset({"real_gradients", "fake_gradients"}),
        )

    @property
    def heads(self) -> set[str]:
        """The heads that were read."""
        discriminator = self.players["discriminator"]
        assert isinstance(discriminator, Discriminator)
        return discriminator.read

    @cached_property
    def reals(self) -> Batch:
        """The reals."""
        return Lent(
            super().reals, self.fields, "field '{}', which its `fields` do not name", Broken
        )

    @cached_property
    def fakes(self) -> Batch:
        """The fakes."""
        what = "field '{}' of fakes, which only some architectures make"
        return Lent(super().fakes, self.fields, what, NotMade)

    @cached_property
    def real_gradients(self) -> Tensor:
        """Those with respect to the reals."""
        self.gradients.add("real_gradients")
        return super().real_gradients

    @cached_property
    def fake_gradients(self) -> Tensor:
        """Those with respect to the fakes."""
        self.gradients.add("fake_gradients")
        return super().fake_gradients


def marked(x: Tensor) -> Tensor:
    """Return x itself, by an operation that a graph shows."""
    return leaky_relu(x, 1.0)
