"""How far each workload of `speed.py` is from what this machine can compute.

    nox -s bench

The machine's limit is the fastest product of matrices and the fastest convolution, forward or
backward, out of several shapes and layouts. What a step computes is counted by torch's formulas
over the operations of the eager step: products and convolutions, those inside backward passes
included, nothing else. Achieved is that count over the CPU time in `speed.json`, which has to be
of this machine and as many threads. A profile tells the part of a step that they take. Writes
`benchmarks/limits.json` and, through `speed.py`, `docs/benchmarks.md`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import speed
import torch
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from gan_toolkit.system import machine, versions

ROUNDS = 7
ROUND_S = 0.3
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
SIDES = (512, 1024, 2048, 4096)
"""Of square matrices."""
CONVOLUTIONS = (
    (64, 64, 128, 32, 4, 2),
    (64, 128, 256, 16, 4, 2),
    (64, 256, 512, 8, 4, 2),
    (64, 128, 128, 32, 3, 1),
    (32, 256, 256, 32, 3, 1),
)
"""Batch, channels in and out, side of the image, side of the kernel, stride."""
LAYOUTS = {"": torch.contiguous_format, ", channels last": torch.channels_last}
Tried = tuple[str, Callable[[], object]]
Best = dict[str, Any]  # Any: rates and names


class Counter(TorchDispatchMode):
    """Counts the FLOPs of products and convolutions, as `FlopCounterMode` does for whole modules.

    That one follows modules by hooks, which `torch.autograd.grad` of a leaf does not allow.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self.flops = 0

    def __torch_dispatch__(
        self,
        func: Any,  # Any: torch's signature
        types: Any,
        args: Any = (),
        kwargs: Any = None,
    ) -> Any:
        """Run the operation and add what it computed."""
        del types
        found = func(*args, **(kwargs or {}))
        if (formula := flop_registry.get(func.overloadpacket)) is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=found)
        return found


def counted(work: Callable[[], object]) -> int:
    """Return the FLOPs of a call."""
    with Counter() as counter:
        work()
    return int(counter.flops)


def rate(work: Callable[[], object]) -> float:
    """Return GFLOP a second of CPU time in the best round."""
    flops, best = counted(work), 0.0
    for _ in range(ROUNDS):
        calls, begun = 0, time.process_time()
        while (spent := time.process_time() - begun) < ROUND_S:
            work()
            calls += 1
        best = max(best, flops * calls / spent)
    return best / 1e9


def products(dtype: torch.dtype) -> Iterator[Tried]:
    """Yield products of matrices to try."""
    for side in SIDES:
        left, right = torch.randn(2, side, side).to(dtype)
        yield f"{side}×{side}", partial(torch.mm, left, right)
        yield f"{side}×{side}, one transposed", partial(torch.mm, left, right.t())


def convolutions(dtype: torch.dtype) -> Iterator[Tried]:
    """Yield convolutions to try: forward, and with regard to what goes in and to the weights."""
    backward = torch.ops.aten.convolution_backward
    for batch, inner, outer, side, kernel, stride in CONVOLUTIONS:
        for layout, memory in LAYOUTS.items():
            x = torch.randn(batch, inner, side, side).to(dtype, memory_format=memory)
            w = torch.randn(outer, inner, kernel, kernel).to(dtype, memory_format=memory)
            name = f"{batch}×{inner}×{side}×{side} by {outer} of {kernel}×{kernel}{layout}"
            forward = partial(functional.conv2d, x, w, stride=stride, padding=1)
            how = ([stride] * 2, [1, 1], [1, 1], False, [0, 0], 1)
            yield f"{name}, forward", forward
            gradients = [True, True, False]
            yield f"{name}, backward", partial(backward, forward(), x, w, None, *how, gradients)


def best(tried: Iterator[Tried]) -> Best:
    """Return the highest rate, what reached it, and all rates."""
    rates = {name: round(rate(work), 1) for name, work in tried}
    name = max(rates, key=rates.__getitem__)
    return {"gflops_s": rates[name], "reached_by": name, "tried": rates}


def share(trainer: speed.Ours, steps: int) -> float:
    """Return the part of a step's CPU time that is spent inside products and convolutions."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        trainer.run(steps)
    inside = total = 0.0
    for event in found.key_averages():
        total += event.self_cpu_time_total
        name = event.key.removeprefix("aten::")
        if event.key.startswith("aten::") and ("conv" in name or name in {"mm", "addmm", "bmm"}):
            inside += event.self_cpu_time_total
    return inside / total


def workload(name: str) -> dict[str, Any]:
    """Return a step's FLOPs and the parts of it, by precision, that products take."""
    settings = speed.WORKLOADS[name].ours
    made = {
        dtype: speed.Ours(settings, "eager", "cpu", **{"compute.precision": dtype})
        for dtype in DTYPES
    }
    terms = made["fp32"].trainer.recipe.terms.values()
    steps = max((term.every for term in terms), default=1)
    return {
        "gflop_a_step": counted(lambda: made["fp32"].run(steps)) / steps / 1e9,
        "share_of_time": {dtype: round(share(one, steps + 2), 3) for dtype, one in made.items()},
    }


def main() -> None:
    """Measure the machine, count the workloads, write the file and the page."""
    with torch.no_grad():
        peaks = {
            dtype: {
                "matmul": best(products(torch_dtype)),
                "convolution": best(convolutions(torch_dtype)),
            }
            for dtype, torch_dtype in DTYPES.items()
        }
    print(json.dumps(peaks, indent=1, ensure_ascii=False), flush=True)
    found: dict[str, Any] = {
        "peaks": peaks,
        "workloads": {},
        "threads": torch.get_num_threads(),
        "machine": machine(torch.device("cpu")),
        "versions": versions(),
    }
    for name in speed.WORKLOADS:
        found["workloads"][name] = workload(name)
        print(name, found["workloads"][name], flush=True)
    text = json.dumps(found, indent=2, ensure_ascii=False)
    Path(__file__).with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    speed.write_page()


if __name__ == "__main__":
    main()
