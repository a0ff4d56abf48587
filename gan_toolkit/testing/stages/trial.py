"""An architecture on trial: data to try it on, its networks, and what they make of the data."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Self

import torch
from pydantic import PrivateAttr
from torch import Tensor, nn

from gan_toolkit.architecture import Architecture, Judged
from gan_toolkit.data import (
    LABEL,
    SAMPLE,
    Batch,
    DataSet,
    DataSpec,
    FieldSpec,
    Progress,
    Stored,
    silent,
)
from gan_toolkit.feed import architecture_scalars
from gan_toolkit.sampling import BLOCK, at_rest, draw_samples, first_rows, seeded
from gan_toolkit.streams import global_stream, stream
from gan_toolkit.testing.promises import NotMade, Subject

ROWS = 4
"""Rows of a batch in which something is tried."""
STIR = 0.02
"""How far `stir` moves a weight."""
CLASSES = ("0", "1", "2")
COMMON = ((1, 16, 16), (1, 28, 28), (3, 24, 40), (3, 32, 32), (3, 64, 64), (2,))
"""Shapes of samples that an architecture is tried on, those of them that it serves."""
OTHER = ((1, 32, 32), (1, 64, 64), (3, 128, 128), (3, 256, 256), (3, 512, 512), (3, 1024, 1024))
"""Shapes that are tried where it serves none of the common ones."""
STRANGE = ((), (1, 1, 1), (5, 16, 16), (3, 7, 11), (1000,))
"""Shapes that few serve."""
MOMENTS = (0, *(1000 * factor << power for power in range(15) for factor in (2, 3)))
"""Numbers of real images after which an architecture may have grown."""
MOST_STAGES = 3

Test = Callable[[Subject], None]


def after(*earlier: Test) -> Callable[[Test], Test]:
    """Ask a promise only where simpler ones are kept: one fault is to be one failure."""

    def with_earlier(test: Test) -> Test:
        @functools.wraps(test)
        def asked(it: Subject) -> None:
            for simpler in earlier:
                if _seen(it, simpler) is not None:
                    raise NotMade(f"first comes {simpler.__name__.replace('_', '-')}")
            if (seen := _seen(it, test)) is not None:
                raise seen

        return asked

    return with_earlier


@functools.lru_cache(maxsize=128)
def _seen(it: Subject, test: Test) -> BaseException | None:
    """Return what a promise raises, asked once."""
    try:
        with global_stream(0, test.__name__):
            test(it)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # any failure of foreign code is a broken promise
        return error
    return None


class Rows(DataSet):
    """A few random rows of a specification, to train on."""

    _source: Stored = PrivateAttr()

    @classmethod
    def of(cls, spec: DataSpec) -> Self:
        """Return the data set."""
        made = cls()
        made._source = Stored(spec, random_rows(spec, 4 * ROWS, seed=0))
        return made

    def open(self, progress: Progress = silent) -> Stored:
        """Return the rows as a source."""
        del progress
        return self._source


class Asked(dict[str, nn.Module]):
    """Networks by name that remember which were asked for."""

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        super().__init__(networks)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> nn.Module:
        self.names.add(name)
        return super().__getitem__(name)


class Trial:
    """Networks of an architecture for a specification, as `nimg` real images into a run."""

    def __init__(self, arch: Architecture, spec: DataSpec, nimg: int = 0, seed: int = 0) -> None:
        self.arch = arch
        self.spec = spec
        self.s = architecture_scalars(arch, nimg, 0.0)
        with global_stream(seed, "networks"):
            self.networks = Asked(arch.networks(spec, arch.stage_at(nimg)))

    @classmethod
    def of(cls, it: Subject, seed: int = 0) -> Self:
        """Return the networks of a component's default options for the first data it serves."""
        arch = it.options(Architecture)
        return cls(arch, served(arch)[0], seed=seed)

    def draws(self, n: int = ROWS, seed: int = 0) -> Batch:
        """Return what is drawn for `n` fakes."""
        return first_rows(seeded(self.arch.draws(self.spec), seed), n)

    def reals(self, n: int = ROWS, seed: int = 0) -> Batch:
        """Return `n` real rows as a run sees them."""
        rows = random_rows(self.spec, n, seed)
        return {name: self.spec.fields[name].normalise(row) for name, row in rows.items()}

    def conditions(self, reals: Batch) -> Batch:
        """Return the fields that fakes are conditioned on."""
        return {name: reals[name] for name in self.arch.conditions}

    def fakes(self, n: int = ROWS, seed: int = 0) -> Batch:
        """Return fakes by field, conditioned on the reals of a seed."""
        reals = self.reals(n, seed)
        given = self.conditions(reals)
        return reals | self.arch.generate(self.networks, self.draws(n, seed), given, self.s)

    def judged(self, batch: Batch) -> Judged:
        """Return the verdict on a batch, which is a copy of its own."""
        return self.arch.judge(self.networks, _copied(batch), self.s)

    def samples(self, draws: Batch | None = None, given: Batch | None = None) -> Tensor:
        """Return a block of samples as `gantk sample` draws it: [BLOCK, …]."""
        return draw_samples(
            self.arch,
            self.networks,
            self.spec,
            BLOCK,
            inputs=lambda _: _copied(self.draws(BLOCK) if draws is None else draws),
            s=self.s,
            given=self.conditions(self.reals(BLOCK)) if given is None else given,
            labels=(given or {}).get(LABEL),
        )

    @torch.no_grad()
    def looked_at(self) -> dict[str, Tensor]:
        """Return all that networks at rest say, by name."""
        with at_rest(self.networks):
            return {**self.fakes(), **outputs(self.judged(self.reals()))}

    @torch.no_grad()
    def stir(self) -> Self:
        """Move every weight a little, as training would: one of zero hides what it scales."""
        generator = stream(0, "stir")
        for network in self.networks.values():
            for weight in network.parameters():
                weight.add_(STIR * torch.randn(weight.shape, generator=generator))
        return self

    def parameters(self) -> dict[str, nn.Parameter]:
        """Return what learns, by name."""
        return {
            f"{name}.{key}": weight
            for name, network in self.networks.items()
            for key, weight in network.named_parameters()
        }

    def weights(self) -> dict[str, Tensor]:
        """Return all that is saved of the networks, by name."""
        return {
            f"{name}.{key}": tensor
            for name, network in self.networks.items()
            for key, tensor in network.state_dict().items()
        }


def served(arch: Architecture) -> list[DataSpec]:
    """Return what the architecture is tried on: each shape that it serves, the first one both ways.

    Empty when it serves none. Options that raise serve nothing.
    """
    for shapes in (COMMON, OTHER):
        found: list[DataSpec] = []
        for shape in shapes:
            both = [spec for spec in specs(arch, shape) if _serves(arch, spec)]
            found += both[: 1 if found else 2]
        if found:
            return found
    return []


def specs(arch: Architecture, shape: tuple[int, ...]) -> Iterator[DataSpec]:
    """Yield labelled data of a shape, then unlabelled, with every field that conditions need."""
    bounded = len(shape) != 1
    sample = FieldSpec(shape=shape, low=-1.0, high=1.0) if bounded else FieldSpec(shape=shape)
    inputs = {name: sample for name in arch.conditions if name != LABEL}
    plain = DataSpec(name="random", fields={SAMPLE: sample, **inputs}, fingerprint="random")
    label = FieldSpec(shape=(), classes=CLASSES)
    for fields in (plain.fields | {LABEL: label}, plain.fields):
        yield plain.model_copy(update={"fields": fields}).ranged(*arch.sample_range)


def moments(arch: Architecture) -> list[int]:
    """Return a number of real images in the midst of each of the first stages."""
    stages: dict[int, list[int]] = {}
    for nimg in MOMENTS:
        stages.setdefault(arch.stage_at(nimg), []).append(nimg)
    return [times[len(times) // 2] for times in [*stages.values()][:MOST_STAGES]]


def random_rows(spec: DataSpec, n: int, seed: int) -> Batch:
    """Return rows as a data set stores them: bounded ones in -1 … 1, classes in turn."""
    rows = {}
    for name, field in spec.fields.items():
        generator = stream(seed, "rows", name)
        if field.classes:
            rows[name] = (torch.arange(n) + seed) % len(field.classes)
        elif field.low is None:
            rows[name] = torch.randn(n, *field.shape, generator=generator)
        else:
            rows[name] = torch.rand(n, *field.shape, generator=generator) * 2 - 1
    return rows


def outputs(judged: Judged) -> dict[str, Tensor]:
    """Return every tensor of a verdict by name."""
    features = {} if judged.features is None else {"features": judged.features}
    return {"logits": judged.logits, **features, **judged.heads}


def weighted(tensors: Mapping[str, Tensor]) -> Tensor:
    """Return one number that depends on every number of the tensors."""
    sums = [
        (tensor.float() * torch.randn(tensor.shape, generator=stream(0, "weights", name))).sum()
        for name, tensor in tensors.items()
    ]
    return torch.stack(sums).sum()


def differing(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """Return the names under which two sets of tensors are not the same bits, or stand alone."""
    alone = one.keys() ^ other.keys()
    return sorted(alone | {n for n in one.keys() & other.keys() if not same(one[n], other[n])})


def same(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors are the same bits."""
    return one.dtype is other.dtype and torch.equal(one, other)


def _copied(batch: Batch) -> Batch:
    return {name: tensor.clone() for name, tensor in batch.items()}


def _serves(arch: Architecture, spec: DataSpec) -> bool:
    if not set(arch.conditions) <= spec.fields.keys():
        return False
    try:
        return not arch.refusals(spec)
    except Exception:  # noqa: BLE001  # what `refusals` raises is held against it elsewhere
        return False
