"""What makes the graph of a step executable: a compiler, or nothing but the graph itself."""

from __future__ import annotations

import functools
import gc
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch._guards import TracingContext, tracing
from torch._ops import OpOverload
from torch.func import functionalize
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from gan_toolkit.engines.arithmetic import AT_ONCE, WRITTEN_OUT, Updates

if TYPE_CHECKING:
    from torch._inductor.cpp_builder import CppBuilder

Run = Callable[..., Sequence[Tensor]]
Decompositions = Mapping[OpOverload[..., Any], Callable[..., Tensor]]  # Any: of any signature

LITTLE = 2**14
"""Multiplications, at most, in a matrix product that is written out …"""
FEW = 4
"""… if its sums have no more terms than this …"""
NARROW = 2
"""… or it no more rows or columns than this."""


@dataclass(frozen=True)
class Backend:
    """How a step is traced and what then executes the graph."""

    done: str
    """What it does to a step, as a participle."""
    build: Callable[[GraphModule, list[Tensor]], Run]
    """Return the graph, given examples of its inputs, as something to call."""
    updates: Updates = field(default_factory=lambda: WRITTEN_OUT)
    decompositions: Decompositions = field(default_factory=dict)
    joins: bool = False
    """Whether small tensors are to be changed as one vector."""


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Return left @ right in operations that can be fused with what follows, where it is small.

    A call of a library costs more than so few numbers. `NotImplemented` where it does not.
    """
    rows, terms = left.shape
    columns = right.shape[1]
    if rows * terms * columns <= LITTLE:
        if 0 < terms <= FEW or rows <= NARROW:
            return (left.unsqueeze(2) * right).sum(1)
        if columns <= NARROW:
            # Column by column, or there would be no more than two numbers side by side.
            return torch.stack([(left * column).sum(1) for column in right.unbind(1)], 1)
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


OPTIONS: Mapping[str, bool | int] = {
    # The first program would take 5 s more, and 140 MB of /tmp whatever folder is named.
    "cpp_cache_precompile_headers": False,
    "cpp.vec_isa_ok": True,  # as `-march=native` believes it
}
ON_PROCESSORS: Mapping[str, bool | int] = {
    "cpp_wrapper": True,
    "cpp_wrapper_build_separate": True,  # only the loops need the compiler's best
    # New weights are stored, not computed again for every sample that passes through them.
    "realize_opcount_threshold": 8,
    # Sines and such are computed side by side even where their numbers lie apart.
    "cpp.enable_tiling_heuristics": False,
    # Tanh by an exponential: off by 2e-7 at most in float32, which near 0 is much of it. Torch's
    # own, exact there too, took a tenth of the step of a network of tanh.
    "cpp.use_decompose_tanh": True,
}
"""Options of torch's compiler, and more of them where there is no GPU."""
FOR_PROFILERS = ("aot_inductor.enable_line_tables", "aot_inductor.enable_frame_pointer")
"""What newer torch adds to machine code; left out, as it takes a third of g++'s time."""


def inductor(graph: GraphModule, examples: list[Tensor]) -> Run:
    """Return the graph as machine code; kept in the cache folder for runs to come.

    For a processor it is C++, for a GPU a kernel for each group of operations.
    """
    itself = patch.object(logging.getLogger("torch._inductor.ir"), "disabled", new=True)
    with warnings.catch_warnings(), itself, _untried_instructions(), _nothing_collected():
        warnings.simplefilter("ignore")  # the compiler's, of itself, as what it logs is
        if examples[0].device.type == "cpu":
            return _cpp(graph, examples)
        from torch._inductor import compile as compile_graph

        found: Run = compile_graph(graph, [*examples], options={**OPTIONS})
    return found


def _cpp(graph: GraphModule, examples: list[Tensor]) -> Run:
    """Return the graph as C++, by the inner half of torch's compiler.

    There is nothing to differentiate any more, which the outer half is for. It takes a second, and
    its wrappers some 40 µs of every call.
    """
    from torch._inductor import config
    from torch._inductor.compile_fx import compile_fx_inner
    from torch._inductor.virtualized import V

    functional = changing_last(graph, examples)
    given = [node.meta["val"] for node in functional.graph.find_nodes(op="placeholder")]
    mode = given[0].fake_mode
    # Older torch refuses names that it does not know.
    left_out = dict.fromkeys(config.get_config_copy().keys() & FOR_PROFILERS, False)
    with (
        config.patch({**OPTIONS, **ON_PROCESSORS, **left_out}),
        V.set_fake_mode(mode),
        tracing(TracingContext(mode)),
        side_by_side(),
    ):
        compiled = compile_fx_inner(functional, given, cpp_wrapper=True, is_inference=True)
    return lambda *tensors: compiled([*tensors])


def changing_last(graph: GraphModule, examples: list[Tensor]) -> GraphModule:
    """Return the graph in the operations that the compiler knows.

    What is given is changed at the end alone, by copies.
    """
    from torch._inductor.decomposition import select_decomp_table

    left = _left_to_torch()
    known = {key: way for key, way in select_decomp_table().items() if key is not left}
    return make_fx(
        functionalize(graph, remove="mutations"),
        decomposition_table=known,
        tracing_mode="fake",
        _allow_non_fake_inputs=True,
    )(*examples)


@functools.cache
def _left_to_torch() -> OpOverload[..., Any]:  # Any: of any signature
    """Return the sum of patches, once its compiler, which is slower at it, was told to leave it."""
    from torch._inductor.lowering import make_fallback

    patches = torch.ops.aten.col2im.default
    make_fallback(patches, override_decomp=True)
    return patches


@contextmanager
def side_by_side() -> Iterator[None]:
    """Let the parts of a program be compiled at the same time; torch takes one after another."""
    from torch._inductor import codecache
    from torch.utils._filelock import FileLock

    in_turn = codecache._worker_compile_cpp  # noqa: SLF001  # there is no other way in

    def together(lock: str, builders: Sequence[CppBuilder]) -> None:
        *parts, whole = builders
        with FileLock(lock, timeout=codecache.LOCK_TIMEOUT), ThreadPoolExecutor() as pool:
            locks = (f"{lock}.{place}" for place in range(len(parts)))
            list(pool.map(in_turn, locks, ([part] for part in parts)))
            in_turn(f"{lock}.whole", [whole])

    with patch.object(codecache, "_worker_compile_cpp", together):
        yield


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Keep Python from looking for rubbish among what the compiler needs: a tenth of its time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def _untried_instructions() -> Iterator[None]:
    """Keep torch from trying out what the processor says it can do: 3 to 10 s of a first program.

    Torch asks once a process. Vectors are used all the same (`cpp.vec_isa_ok`); what stays aside
    untried are products of small integers and of bfloat16, which it writes only when tuning.
    """
    from torch._inductor.cpu_vec_isa import VecISA

    with patch.object(VecISA, "check_build", return_value=False):
        yield


def as_it_is(graph: GraphModule, examples: list[Tensor]) -> Run:
    """Return the graph, which runs operation by operation."""
    del examples
    return graph


COMPILED = Backend("compiled", inductor, decompositions=PRODUCTS, joins=True)
CAPTURED = Backend("captured", as_it_is, AT_ONCE)
