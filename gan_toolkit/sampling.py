"""Drawing samples so that sample i of seed k depends on (k, i) alone, bit for bit.

Latents are drawn and pushed through the networks in fixed blocks, the last one padded; neither how
many were asked for nor how they are batched can change a bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from gan_toolkit.architecture import Architecture, Scalars
from gan_toolkit.data import LABEL, SAMPLE, Batch, DataSpec
from gan_toolkit.errors import UsageError, did_you_mean
from gan_toolkit.streams import Draw, Normal, stream

BLOCK = 64
GRID = 64
"""Samples in a grid of a run or a bundle."""
MOST_ROWS, COLUMNS = 20, 8
"""A grid has a row of so many samples a class, unless there are more classes than rows."""
MOST_TRUNCATION = 5.0

Inputs = Callable[[int], Batch]
"""Returns the draws of block k, rows k * BLOCK … of a sequence without end, by name."""


@contextmanager
def at_rest(networks: Mapping[str, nn.Module]) -> Iterator[None]:
    """Put networks into eval mode for a while: looking at them must not change them."""
    training = [network for network in networks.values() if network.training]
    for network in training:
        network.eval()
    try:
        yield
    finally:
        for network in training:
            network.train()


@torch.no_grad()
def draw_samples(
    architecture: Architecture,
    networks: Mapping[str, nn.Module],
    spec: DataSpec,
    n: int,
    *,
    inputs: Inputs,
    s: Scalars,
    labels: Tensor | None = None,
    given: Batch | None = None,
    first: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> Tensor:
    """Return samples `first` … `first + n - 1` of `inputs`: [n, …], float32, on the CPU.

    What the architecture's `conditions` name is taken from `labels` [n], where sample i has class
    i modulo the number of classes when they are left out, and from `given`, rows [n, …] by field.
    Raises `UsageError` for a condition that is missing.
    """
    if n == 0:
        return torch.empty(0, *spec.sample.shape)
    device = device_of(networks)
    conditions = _conditions(architecture, spec, n, labels, given or {}, first)
    rows = []
    start, end = first - first % BLOCK, first + n
    with at_rest(networks):
        for base in range(start, end, BLOCK):
            draws = {name: draw.to(device) for name, draw in inputs(base // BLOCK).items()}
            batch = {name: _padded(c, base - first).to(device) for name, c in conditions.items()}
            made = architecture.generate(networks, draws, batch, s)[SAMPLE]
            rows.append(made[max(first - base, 0) : end - base].float().cpu())
            progress(min(base + BLOCK, end) - first)
    return torch.cat(rows)


def seeded(draws: Mapping[str, Draw], seed: int, truncation: float | None = None) -> Inputs:
    """Return the inputs of a seed: block k depends on (seed, k) alone.

    `truncation` cuts normal draws off at ± so much. Raises `UsageError` when nothing can take it.
    """
    draws = _truncated(draws, truncation)
    return lambda block: {
        name: draw.sample(BLOCK, stream(seed, "sample", block, name))
        for name, draw in draws.items()
    }


def first_rows(inputs: Inputs, n: int) -> Batch:
    """Return the first `n` rows of every draw."""
    blocks = [inputs(block) for block in range(-(-n // BLOCK))]
    return {name: torch.cat([block[name] for block in blocks])[:n] for name in blocks[0]}


def grid_size(architecture: Architecture, spec: DataSpec) -> tuple[int, int | None]:
    """Return how many samples a grid shows and in how many rows: one a class where labels count.

    Without classes, or with more than can be looked at, the rows are left open.
    """
    classes = len(spec.classes) if LABEL in architecture.conditions else 0
    return (classes * COLUMNS, classes) if 1 < classes <= MOST_ROWS else (GRID, None)


def device_of(networks: Mapping[str, nn.Module]) -> torch.device:
    """Return where networks live; the CPU when they have no weights."""
    weights = (weight for network in networks.values() for weight in network.parameters())
    return next((weight.device for weight in weights), torch.device("cpu"))


def label_numbers(
    spec: DataSpec, labels: Tensor | Sequence[int | str] | int | str | None, n: int
) -> Tensor | None:
    """Return [n] class numbers from names or numbers, one for all or one each.

    Raises `UsageError` for a class that the model does not know.
    """
    if labels is None:
        return None
    if not spec.classes:
        raise UsageError("This model has no classes; leave the label out.")
    plain = labels.tolist() if isinstance(labels, Tensor) else labels
    given = [plain] * n if isinstance(plain, int | str) else list(plain)
    if len(given) != n:
        raise UsageError(f"{len(given)} labels for {n} samples; give one for all or one each.")
    return torch.tensor([_class_number(spec, label) for label in given], dtype=torch.int64)


def _class_number(spec: DataSpec, label: int | str) -> int:
    if label in spec.classes:
        return spec.classes.index(str(label))
    if str(label).isdecimal() and int(label) < len(spec.classes):
        return int(label)
    raise UsageError(
        f"No class '{label}'.{did_you_mean(str(label), spec.classes)} "
        f"The model's classes: {', '.join(spec.classes)}."
    )


def _truncated(draws: Mapping[str, Draw], truncation: float | None) -> Mapping[str, Draw]:
    if truncation is None:
        return draws
    if not 0 < truncation <= MOST_TRUNCATION:
        raise UsageError(f"A truncation lies above 0, up to {MOST_TRUNCATION:g}; 0.7 is usual.")
    if not any(isinstance(draw, Normal) for draw in draws.values()):
        raise UsageError("This model draws no normal latents; leave the truncation out.")
    return {
        name: replace(draw, truncation=truncation) if isinstance(draw, Normal) else draw
        for name, draw in draws.items()
    }


def _conditions(
    architecture: Architecture,
    spec: DataSpec,
    n: int,
    labels: Tensor | None,
    given: Batch,
    first: int,
) -> Batch:
    in_turn = torch.arange(first, first + n) % max(len(spec.classes), 1)
    have = {**given, LABEL: in_turn if labels is None else labels}
    missing = sorted(set(architecture.conditions) - have.keys())
    if missing:
        raise UsageError(f"This model turns {', '.join(missing)} into samples; give {missing[0]}.")
    return {name: have[name] for name in architecture.conditions}


def _padded(rows: Tensor, offset: int) -> Tensor:
    """Rows `offset` … `offset + BLOCK` of `rows`, zero where there are none: [BLOCK, …]."""
    block = torch.zeros(BLOCK, *rows.shape[1:], dtype=rows.dtype)
    have = rows[max(offset, 0) : max(offset + BLOCK, 0)].cpu()
    block[max(-offset, 0) :][: len(have)] = have
    return block
