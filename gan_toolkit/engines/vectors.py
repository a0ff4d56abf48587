"""Small tensors end to end in one storage: a program changes all of them in one loop.

To hand over a tensor and to loop through it takes longer than to compute a few numbers. The tensors
stay what they were to everybody else; they are views of the vector from then on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

MOST = 2**16
"""Numbers of a vector: larger tensors are worth a loop each."""
Groups = Mapping[str, Mapping[str, Tensor]]
"""Tensors by name, by the name of what they are together."""


class Layout:
    """Which groups of tensors are vectors, and in which order a program is given everything.

    Without `join` none is.
    """

    def __init__(self, groups: Groups, *, join: bool) -> None:
        times = Counter(id(tensor) for group in groups.values() for tensor in group.values())
        self._shapes = {
            name: {key: tensor.shape for key, tensor in group.items()}
            for name, group in groups.items()
            if join
            and _joinable(list(group.values()))
            and all(times[id(t)] == 1 for t in group.values())
        }
        self.alone = [
            key for name, group in groups.items() if name not in self._shapes for key in group
        ]
        self.owners = {name: _owners(groups[name]) for name in self._shapes}
        """For each number of a vector, by its name, the place of its tensor: int64."""
        self.count = len(self._shapes) + len(self.alone)

    def gathered(self, groups: Groups) -> list[Tensor]:
        """Return the vectors, then the tensors that are none of them."""
        held = {key: tensor for group in groups.values() for key, tensor in group.items()}
        vectors = [end_to_end(list(groups[name].values())) for name in self._shapes]
        return [*vectors, *(held[key] for key in self.alone)]

    def named(self, given: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return by name the vectors, their parts, and all else, from what `gathered` returned."""
        vectors = dict(zip(self._shapes, given, strict=False))
        named = {**vectors, **dict(zip(self.alone, given[len(vectors) :], strict=True))}
        for name, vector in vectors.items():
            shapes = self._shapes[name]
            named.update(zip(shapes, _parts(vector, list(shapes.values())), strict=True))
        return named


def end_to_end(tensors: Sequence[Tensor]) -> Tensor:
    """Return contiguous tensors as one vector that shares their storage.

    They are moved there unless they lie end to end already.
    """
    first, place = tensors[0], tensors[0].storage_offset()
    for tensor in tensors:
        if tensor.untyped_storage().data_ptr() != first.untyped_storage().data_ptr():
            break
        if tensor.storage_offset() != place:
            break
        place += tensor.numel()
    else:
        return first.detach().as_strided([place - first.storage_offset()], [1])
    vector = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    for tensor, part in zip(tensors, _parts(vector, [t.shape for t in tensors]), strict=True):
        tensor.data = part
    return vector


def _joinable(tensors: Sequence[Tensor]) -> bool:
    return (
        len(tensors) > 1
        and len({(tensor.dtype, tensor.device) for tensor in tensors}) == 1
        and sum(tensor.numel() for tensor in tensors) <= MOST
        and all(tensor.is_contiguous() and tensor.numel() for tensor in tensors)
    )


def _owners(group: Mapping[str, Tensor]) -> Tensor:
    places = [torch.full([own.numel()], place) for place, own in enumerate(group.values())]
    return torch.cat(places).to(next(iter(group.values())).device)


def _parts(vector: Tensor, shapes: Sequence[torch.Size]) -> Iterable[Tensor]:
    sizes = [shape.numel() for shape in shapes]
    for part, shape in zip(vector.split(sizes), shapes, strict=True):
        yield part.view(shape)
