"""Randomness as an input: every draw comes from a stream keyed by what it is for.

No generator's state outlives a draw, so there is none to save: a stream is a function of its key.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor


def stream(seed: int, *key: str | int, generator: torch.Generator | None = None) -> torch.Generator:
    """Return a CPU generator that depends on `(seed, *key)` alone.

    Making one takes as long as a small draw: a `generator` that is given is seeded and returned.
    """
    generator = torch.Generator() if generator is None else generator
    return generator.manual_seed(_number(seed, *key))


@contextmanager
def global_stream(seed: int, *key: str | int) -> Iterator[None]:
    """Seed torch's own generator for code that insists on it (initialisation), then restore it."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.set_state(stream(seed, *key).get_state())
        yield


def seed_own_draws(device: torch.device, seed: int, *key: str | int) -> None:
    """Seed torch's own generators for networks that draw for themselves, as dropout does.

    Not `torch.manual_seed`: where CUDA is not in use, that formats a stack trace at every call.
    """
    number = _number(seed, *key)
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)
    elif device.type == "mps":
        torch.mps.manual_seed(number)


def _number(seed: int, *key: str | int) -> int:
    """Return what seeds the stream of a key: 63 bits."""
    digest = hashlib.blake2b(repr((seed, *key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


class Draw(Protocol):
    """A named random input of a step: a distribution of one row."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return `n` rows drawn from `generator`: [n, …]."""


@dataclass(frozen=True)
class Normal:
    """Standard normal rows of `shape`, beyond ±`truncation` cut off when it is given."""

    shape: tuple[int, ...]
    truncation: float | None = None

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return [n, *shape] from N(0, 1), or from N(0, 1) given that |z| < truncation."""
        if self.truncation is None:
            return torch.randn(n, *self.shape, generator=generator)
        # The normal quantile of u, uniform where the distribution function lies within the limits.
        edge = math.erf(self.truncation / math.sqrt(2))
        u = torch.rand(n, *self.shape, generator=generator, dtype=torch.float64)
        return (torch.erfinv((2 * u - 1) * edge) * math.sqrt(2)).float()


@dataclass(frozen=True)
class Mixture(Normal):
    """Rows of a mixture: `components` entries say which normal a row is from, the rest are normal.

    The first `components` entries are √components · one-hot, all components as likely, so that each
    has a mean square of 1 as the normal ones have (Mukherjee et al. 2018, arXiv:1809.03627,
    "discrete-continuous mixtures"; the scale is ours). `shape` is [d], d > components. A truncation
    cuts off the normal entries alone.
    """

    components: int = field(kw_only=True)

    def __post_init__(self) -> None:
        """Raise `ValueError` unless there is room for what varies."""
        if len(self.shape) != 1 or not 0 < self.components < self.shape[0]:
            raise ValueError(
                f"a mixture of {self.components} needs a shape [d] with more entries than that, "
                f"not {list(self.shape)}"
            )

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return [n, d]: which component, then what varies within it."""
        z = super().sample(n, generator)
        component = torch.randint(self.components, (n, 1), generator=generator)
        z[:, : self.components] = 0
        return z.scatter_(1, component, math.sqrt(self.components))


@dataclass(frozen=True)
class Uniform:
    """Rows of `shape`, uniform in [low, high)."""

    shape: tuple[int, ...]
    low: float = 0.0
    high: float = 1.0

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return [n, *shape] uniform in [low, high)."""
        return torch.empty(n, *self.shape).uniform_(self.low, self.high, generator=generator)


@dataclass(frozen=True)
class Categorical:
    """Class numbers 0 … classes - 1, all as likely."""

    classes: int

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return [n] int64."""
        return torch.randint(self.classes, (n,), generator=generator)
