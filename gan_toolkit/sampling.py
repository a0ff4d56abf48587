"""Drawing samples so that sample i of seed k depends on (k, i) alone, bit for bit.

Latents are drawn and pushed through the networks in fixed blocks, the last one padded; neither how
many were asked for nor how they are batched can change a bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from gan_toolkit.architecture import Architecture, Scalars
from gan_toolkit.data import LABEL, SAMPLE, DataSpec
from gan_toolkit.errors import UsageError, did_you_mean
from gan_toolkit.streams import stream

BLOCK = 64


@torch.no_grad()
def draw_samples(
    architecture: Architecture,
    networks: Mapping[str, nn.Module],
    spec: DataSpec,
    n: int,
    *,
    seed: int,
    s: Scalars,
    labels: Tensor | None = None,
    first: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> Tensor:
    """Return samples `first` … `first + n - 1` of `seed`: [n, …], float32, on the CPU.

    `labels` [n] conditions them; sample i of labelled data without it has class i modulo the
    number of classes.
    """
    if n == 0:
        return torch.empty(0, *spec.sample.shape)
    device = next((p.device for net in networks.values() for p in net.parameters()), None)
    device = device or torch.device("cpu")
    conditions = _conditions(spec, n, labels, first)
    draws = architecture.draws(spec)
    rows = []
    start, end = first - first % BLOCK, first + n
    for base in range(start, end, BLOCK):
        inputs = {
            name: draw.sample(BLOCK, stream(seed, "sample", base // BLOCK, name)).to(device)
            for name, draw in draws.items()
        }
        batch = {LABEL: _padded(conditions, base - first).to(device)} if spec.classes else {}
        made = architecture.generate(networks, inputs, batch, s)[SAMPLE]
        rows.append(made[max(first - base, 0) : end - base].float().cpu())
        progress(min(base + BLOCK, end) - first)
    return torch.cat(rows)


def label_numbers(
    spec: DataSpec, labels: Sequence[int | str] | int | str | None, n: int
) -> Tensor | None:
    """Return [n] class numbers from names or numbers, one for all or one each.

    Raises `UsageError` for a class that the model does not know.
    """
    if labels is None:
        return None
    if not spec.classes:
        raise UsageError("This model has no classes; leave the label out.")
    given = [labels] * n if isinstance(labels, int | str) else list(labels)
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


def _conditions(spec: DataSpec, n: int, labels: Tensor | None, first: int) -> Tensor:
    if labels is not None:
        return labels
    return torch.arange(first, first + n) % max(len(spec.classes), 1)


def _padded(labels: Tensor, offset: int) -> Tensor:
    """Rows `offset` … `offset + BLOCK` of `labels`, zero where there are none: [BLOCK]."""
    block = torch.zeros(BLOCK, dtype=torch.int64)
    have = labels[max(offset, 0) : max(offset + BLOCK, 0)]
    block[max(-offset, 0) :][: len(have)] = have
    return block
