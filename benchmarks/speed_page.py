"""The page of the documentation that tells what `speed.py` and `limits.py` measured."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Collection, Iterator, Mapping
from typing import Any


def page(
    by_device: Mapping[str, Mapping[str, Any]],
    ours: Mapping[str, Collection[str]],
    limits: Mapping[str, Any] | None,
) -> str:
    """Return the page: what was measured by device, our contestants there, a machine's limit."""
    lines = [
        "# Benchmarks",
        "",
        "How many times as fast as another program ours makes a step of the same job: median over",
        "rounds of paired blocks, all contestants in one process. A step is one update of each",
        "network, the tutorial's three where it has three; ours averages weights besides.",
        "Written by `nox -s bench` from `benchmarks/speed.json` and `benchmarks/speed_cuda.json`;",
        "what is compared is in `benchmarks/speed.py` and `benchmarks/plain_loops.py`.",
    ]
    for device, results in by_device.items():
        clock = "wall" if device == "cuda" else "cpu"
        lines += [
            "",
            f"## {results['machine']}",
            "",
            f"torch {results['versions']['torch']}, {CLOCKS[clock]}.",
            "",
            *_table(results, ours[device], clock),
            *_whole_job(results.get("whole_job")),
        ]
        if "gathered" in results:
            rate = f"{results['gathered']:,}"
            lines += [
                "",
                f"The packed cache gathers {rate} images of 28×28 in a second of one core.",
            ]
        if limits is not None and limits["machine"] == results["machine"]:
            lines += _attained(results, limits)
    if "cuda" not in by_device:
        lines += ["", "With CUDA: *not measured*."]
    return "\n".join(lines) + "\n"


CLOCKS = {
    "cpu": "by CPU time (by wall time)",
    "wall": "by wall time, one of 16 cores feeding the GPU; beside the step, images a second",
}


def _table(results: Mapping[str, Any], ours: Collection[str], clock: str) -> Iterator[str]:
    yield f"| job | beside | {' | '.join(ours)} |"
    yield "| --- | --- |" + " --- |" * len(ours)
    for facts in results["workloads"].values():
        for other, ratios in sorted(facts["ratios"].items()):
            cells = [
                "–"
                if own not in ratios
                else f"{ratios[own]['cpu']} ({ratios[own]['wall']})"
                if clock == "cpu"
                else f"{ratios[own]['wall']}"
                for own in ours
            ]
            yield f"| {facts['title']} | {other} | " + " | ".join(cells) + " |"
    names = [*ours, "plain loop", "torchgan"]
    yield ""
    yield "Milliseconds a step."
    yield ""
    yield f"| job | {' | '.join(names)} | s to the first step |"
    yield "| --- |" + " --- |" * (len(names) + 1)
    for facts in results["workloads"].values():
        cells = [_time(facts, name, clock) for name in names]
        first = " / ".join(str(facts["first_step_s"].get(own, "–")) for own in ours)
        yield f"| {facts['title']} | " + " | ".join([*cells, first]) + " |"


def _attained(results: Mapping[str, Any], limits: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the steps compute in a second beside the most that the machine does."""
    most = {dtype: _most(kinds) for dtype, kinds in limits["peaks"].items()}
    yield ""
    yield "### How far from the machine's limit"
    yield ""
    threads = limits["threads"]
    yield f"| the most, threads: {threads}, GFLOP/s | product of matrices | convolution |"
    yield "| --- | --- | --- |"
    for dtype, kinds in limits["peaks"].items():
        cells = [f"{one['gflops_s']:.0f} ({one['reached_by']})" for one in kinds.values()]
        yield f"| {dtype} | " + " | ".join(cells) + " |"
    yield ""
    yield "By `python benchmarks/limits.py`: GFLOP/s of a step by the faster engine, how much of"
    yield "the higher limit that is, and how much of an eager step's time products and convolutions"
    yield "take. Only their FLOPs are counted. A profile slows the curve's small operations, so its"
    yield "times in products are rough."
    yield ""
    heads = [f"{dtype} | of the limit | in products" for dtype in most]
    yield f"| job | GFLOP a step | {' | '.join(heads)} |"
    yield "| --- | --- |" + " --- |" * (3 * len(heads))
    for name, known in limits["workloads"].items():
        if name not in results["workloads"]:
            continue
        facts, flop = results["workloads"][name], known["gflop_a_step"]
        cells = [f"{flop:.3g}"]
        for dtype, limit in most.items():
            ms = _fastest(facts, dtype)
            rate = 1000 * flop / ms if ms else None
            cells += ["–", "–"] if rate is None else [f"{rate:.1f}", f"{100 * rate / limit:.0f} %"]
            cells += [f"{100 * known['share_of_time'][dtype]:.0f} %"]
        yield f"| {facts['title']} | " + " | ".join(cells) + " |"


def _most(kinds: Mapping[str, Any]) -> float:
    return max(float(one["gflops_s"]) for one in kinds.values())


def _fastest(facts: Mapping[str, Any], dtype: str) -> float | None:
    """Return milliseconds of CPU time a step of our faster engine in a precision, if it ran."""
    end = ", bf16" if dtype == "bf16" else ""
    found = (facts["contestants"].get(f"{engine}{end}") for engine in ("eager", "compiled"))
    return min((float(one["ms_cpu"]) for one in found if one), default=None)


def _whole_job(job: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield what a job took from its command to its end, where somebody measured it."""
    if job is None:
        return
    name = f"The tutorial's whole job, {job['steps']:,} steps,"
    if "turns" in job:
        ours, training, plain = (
            statistics.median(one[part] for one in job["turns"])
            for part in ("ours_s", "training_s", "plain_s")
        )
        said = (
            f"{name} in turn with the plain loop, each alone on {job['machine']}: {ours:.0f} s "
            f"from the command to its end, {training:.0f} s of it training, the rest start, "
            f"compiling and the run's pictures; the loop {plain:.0f} s, {job['times']} times as "
            f"long (medians; turns: {len(job['turns'])})."
        )
    else:
        plain = job["steps"] * job["plain_ms"] / 1000
        said = (
            f"{name} took {job['seconds']} s from the command to its end, {job['training_s']} s of "
            "it training, the rest start and compiling. The plain loop, at "
            f"{job['plain_ms']:.1f} ms a step, would take {plain:,.0f} s."
        )
    yield ""
    yield from textwrap.wrap(said, 100)
    yield ""
    yield f"    {job['command']}"


def _time(facts: Mapping[str, Any], name: str, clock: str) -> str:
    if name not in facts["contestants"]:
        return "–"
    ms = facts["contestants"][name][f"ms_{clock}"]
    rate = f" ({1000 * facts['batch'] / ms:,.0f}/s)" if clock == "wall" else ""
    return f"{ms}{rate}"
