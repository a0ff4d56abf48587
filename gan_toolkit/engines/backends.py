"""What makes the graph of a step executable: a compiler, or nothing but the graph itself."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.fx import GraphModule

from gan_toolkit.engines.arithmetic import AT_ONCE, WRITTEN_OUT, Updates

Run = Callable[..., Sequence[Tensor]]
Decompositions = Mapping[OpOverload[..., Any], Callable[..., Tensor]]  # Any: of any signature

FEW = 4
"""Terms of the sums in a matrix product that is written out …"""
NARROW = 2
"""… or rows or columns of a product written out as a reduction …"""
LITTLE = 2**14
"""… if it has no more multiplications than that."""


@dataclass(frozen=True)
class Backend:
    """How a step is traced and what then executes the graph."""

    done: str
    """What it does to a step, as a participle."""
    build: Callable[[GraphModule, list[Tensor]], Run]
    """Return the graph, given examples of its inputs, as something to call."""
    updates: Updates = field(default_factory=lambda: WRITTEN_OUT)
    decompositions: Decompositions = field(default_factory=dict)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Return left @ right in operations that can be fused with what follows, where it is small.

    A call of a library costs more than so few numbers. `NotImplemented` where it does not.
    """
    rows, terms = left.shape
    columns = right.shape[1]
    if 0 < terms <= FEW:
        parts = [left[:, k : k + 1] * right[k : k + 1] for k in range(terms)]
        return functools.reduce(torch.add, parts)
    if min(rows, columns) <= NARROW and rows * terms * columns <= LITTLE:
        return (left.unsqueeze(2) * right).sum(1)
    return NotImplemented  # type: ignore[no-any-return]  # torch's sign for its own way


def _shifted_product(
    shift: Tensor, left: Tensor, right: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """Return shift + left @ right likewise."""
    product = NotImplemented if (beta, alpha) != (1, 1) else _product(left, right)
    return product if product is NotImplemented else shift + product


PRODUCTS: Decompositions = {
    torch.ops.aten.mm.default: _product,
    torch.ops.aten.addmm.default: _shifted_product,
}


def inductor(graph: GraphModule, examples: list[Tensor]) -> Run:
    """Return the graph as machine code; kept in the cache folder for runs to come.

    For a processor it is one source file, for a GPU a kernel for each group of operations.
    """
    options = {
        "cpp_wrapper": examples[0].device.type == "cpu",
        # The first program would take 5 s more, and 140 MB of /tmp whatever folder is named.
        "cpp_cache_precompile_headers": False,
        # To try the instructions that the processor says it has would take 7 s; `-march=native`,
        # which the program is compiled with, believes it too.
        "cpp.vec_isa_ok": True,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler's, of itself
        from torch._inductor import compile as compile_graph

        found: Run = compile_graph(graph, [*examples], options=options)
    return found


def as_it_is(graph: GraphModule, examples: list[Tensor]) -> Run:
    """Return the graph, which runs operation by operation."""
    del examples
    return graph


COMPILED = Backend("compiled", inductor, decompositions=PRODUCTS)
CAPTURED = Backend("captured", as_it_is, AT_ONCE)
