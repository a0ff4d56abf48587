"""A graph of operations recorded once on a GPU, then replayed as a whole by one launch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gan_toolkit.engines.backends import Run
from gan_toolkit.engines.vectors import Joined


class Recorded:
    """A run whose first `stay` inputs are the same tensors at every call, changed in place.

    The others are copied to where the recording reads them; those up to `changed` are copied back,
    since the run changes them too. Results are handed over as copies.
    """

    def __init__(self, run: Run, given: Sequence[Tensor], stay: int, changed: int) -> None:
        self._stay, self._changed = stay, changed
        run(*[tensor.clone() for tensor in given])  # libraries and kernels are loaded by a call
        self._inputs = [tensor.clone() for tensor in given[stay:]]
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            told = run(*given[:stay], *self._inputs)
            self._results = Joined(told)
            self._vectors = self._results.vectors(told)

    def __call__(self, *given: Tensor) -> list[Tensor]:
        """Make the recorded run on these inputs."""
        torch._foreach_copy_(self._inputs, given[self._stay :])
        self._graph.replay()
        if self._changed > self._stay:
            memories = self._inputs[: self._changed - self._stay]
            torch._foreach_copy_(given[self._stay : self._changed], memories)
        return self._results.parts([vector.clone() for vector in self._vectors])
