"""Small tensors end to end in one storage: a program changes all of them in one loop.

To hand over a tensor and to loop through it takes longer than to compute a few numbers. The tensors
stay what they were to everybody else; they are views of the vector from then on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor

MOST = 2**16
"""Numbers of a vector: larger tensors are worth a loop each."""
Groups = Mapping[str, Mapping[str, Tensor]]
"""Tensors by name, by the name of what they are together."""
Families = Mapping[str, Groups]
"""Groups that have a tensor for each weight of a network, by the network; the others by no name."""


class Layout:
    """Which groups of tensors are vectors, and in which order a program is given everything.

    Those of a network are all vectors or none is; without `join` none is.
    """

    def __init__(self, families: Families, *, join: bool) -> None:
        every = _groups(families)
        times = Counter(id(tensor) for group in every.values() for tensor in group.values())
        self._shapes = {
            name: {key: tensor.shape for key, tensor in group.items()}
            for network, groups in families.items()
            if join and network and all(_joinable(group, times) for group in groups.values())
            for name, group in groups.items()
        }
        self._alone = [
            (name, key)
            for name, group in every.items()
            if name not in self._shapes
            for key in group
        ]
        self.owners = {name: _owners(every[name]) for name in self._shapes}
        """For each number of a vector, by its name, the place of its tensor: int64."""
        self.count = len(self._shapes) + len(self._alone)

    def fits(self, families: Families) -> bool:
        """Return whether everything that is to be gathered is there."""
        groups = _groups(families)
        vectors = ((name, key) for name, shapes in self._shapes.items() for key in shapes)
        return all(key in groups.get(name, {}) for name, key in (*vectors, *self._alone))

    def gathered(self, families: Families) -> tuple[list[Tensor], bool]:
        """Return the vectors and then all else, and whether any tensor was moved for that.

        Who held a tensor by its storage holds an old one then.
        """
        groups = _groups(families)
        vectors = [
            end_to_end([groups[name][key] for key in shapes])
            for name, shapes in self._shapes.items()
        ]
        alone = [groups[name][key] for name, key in self._alone]
        return [*(vector for vector, _ in vectors), *alone], any(moved for _, moved in vectors)

    def named(self, given: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return by name the vectors, their parts, and all else, from what `gathered` returned."""
        vectors = dict(zip(self._shapes, given, strict=False))
        alone = [key for _, key in self._alone]
        named = {**vectors, **dict(zip(alone, given[len(vectors) :], strict=True))}
        for name, vector in vectors.items():
            shapes = self._shapes[name]
            named.update(zip(shapes, _parts(vector, list(shapes.values())), strict=True))
        return named


def end_to_end(tensors: Sequence[Tensor]) -> tuple[Tensor, bool]:
    """Return contiguous tensors as one vector that shares their storage, and whether they moved.

    They are moved there unless they lie end to end already.
    """
    first = tensors[0]
    storages = {tensor.untyped_storage().data_ptr() for tensor in tensors}
    sizes = [tensor.numel() for tensor in tensors]
    starts = accumulate(sizes[:-1], initial=int(first.storage_offset()))
    if len(storages) == 1 and [tensor.storage_offset() for tensor in tensors] == [*starts]:
        return first.detach().as_strided([sum(sizes)], [1]), False
    vector = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    for tensor, part in zip(tensors, _parts(vector, [t.shape for t in tensors]), strict=True):
        tensor.data = part
    return vector, True


def _groups(families: Families) -> dict[str, Mapping[str, Tensor]]:
    return {name: group for groups in families.values() for name, group in groups.items()}


def _joinable(group: Mapping[str, Tensor], times: Mapping[int, int]) -> bool:
    tensors = list(group.values())
    return (
        len(tensors) > 1
        and len({(tensor.dtype, tensor.device) for tensor in tensors}) == 1
        and tensors[0].is_floating_point()
        and sum(tensor.numel() for tensor in tensors) <= MOST
        and all(tensor.is_contiguous() and tensor.numel() for tensor in tensors)
        and all(times[id(tensor)] == 1 for tensor in tensors)
    )


def _owners(group: Mapping[str, Tensor]) -> Tensor:
    places = [torch.full([own.numel()], place) for place, own in enumerate(group.values())]
    return torch.cat(places).to(next(iter(group.values())).device)


def _parts(vector: Tensor, shapes: Sequence[torch.Size]) -> Iterable[Tensor]:
    sizes = [shape.numel() for shape in shapes]
    for part, shape in zip(vector.split(sizes), shapes, strict=True):
        yield part.view(shape)


class Joined:
    """How tensors are handed over end to end, as one vector of each type of number."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        places: defaultdict[torch.dtype, list[int]] = defaultdict(list)
        for place, tensor in enumerate(tensors):
            places[tensor.dtype].append(place)
        self._places = list(places.values())
        self._shapes = [tensor.shape for tensor in tensors]

    def vectors(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the vectors of such tensors."""
        return [
            torch.cat([tensors[place].reshape(-1) for place in alike]) for alike in self._places
        ]

    def parts(self, vectors: Sequence[Tensor]) -> list[Tensor]:
        """Return views of such vectors, one for each tensor."""
        found = [torch.empty(0)] * len(self._shapes)
        for places, vector in zip(self._places, vectors, strict=True):
            sizes = [self._shapes[place].numel() for place in places]
            for place, part in zip(places, vector.split(sizes), strict=True):
                found[place] = part.view(self._shapes[place])
        return found
