"""Runs made to fail, and healthy ones: what the doctor says of each.

    nox -s soak -- doctor

Trains every scenario of `doctor_scenarios.py` on seeds that no limit was chosen by, and asks the
doctor as it would speak while the run trains. A run counts as found when the finding it was made
for is raised at any step; a healthy run is a false alarm when anything worse than `normal` is.
Writes `benchmarks/doctor.json` and `docs/reference/findings.md`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from doctor_scenarios import Scenario, Settings, scenarios

import gan_toolkit
from gan_toolkit.doctor import consulted
from gan_toolkit.doctor.cases import CASES
from gan_toolkit.errors import Diverged
from gan_toolkit.run import Run
from gan_toolkit.system import versions

HERE = Path(__file__).parent
FAULTS = HERE / "doctor_faults.py"
JSON = HERE / "doctor.json"
PAGE = HERE.parent / "docs" / "reference" / "findings.md"
DONE = "cpu-seconds.txt"
"""The file of a finished run that says what it cost."""
COMMAND = "nox -s soak -- doctor"
SEEDS = range(1000, 1005)
RUNS = 20
"""Runs of each finding, at least."""
Tally = dict[str, Any]
"""What became of the runs of one scenario. Any: JSON values."""


def train(settings: Settings, seed: int, path: Path) -> Run:
    """Train one run, or take the one that was trained before."""
    if not (path / DONE).exists():
        shutil.rmtree(path, ignore_errors=True)
        settings = {**settings, "seed": seed, "sample_every": 10**6, "checkpoint_every": 500}
        settings |= {"keep": 1, "compute.threads": 1, "compute.device": "cpu"}
        few, shuffled = settings.pop("few", 0), settings.pop("shuffled", False)
        data: Any = settings.pop("data")
        if few or shuffled:
            data = digits(seed, few)
        arch = settings.pop("arch")
        begun = time.process_time()
        with suppress(Diverged):  # that is what some of them are for
            gan_toolkit.train(arch=arch, data=data, settings=settings, out=path, plugins=[FAULTS])
        shutil.rmtree(path / "checkpoints")
        (path / DONE).write_text(f"{time.process_time() - begun:.1f}\n")
    return Run(path)


def digits(seed: int, few: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a few of the bundled digits with their labels, or all with those of others."""
    from gantk_digits.data import Digits

    source = Digits().open(lambda *_: None)
    total = source.spec.length or 0
    rows = source.gather(torch.arange(total))
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    if few:
        return rows["sample"][order[:few]], rows["label"][order[:few]]
    return rows["sample"], rows["label"][order]


def default_seeds(scenario: Scenario) -> Sequence[int]:
    """Return as many seeds for a scenario as make `RUNS` runs of its finding, or more."""
    among = sum(each.finding == scenario.finding for each in scenarios())
    return range(SEEDS.start, SEEDS.start + max(len(SEEDS), -(-RUNS // among)))


def ask(scenario: Scenario, seeds: Sequence[int], folder: Path) -> Tally:
    """Return what the doctor said of the runs of a scenario."""
    found: Counter[str] = Counter()
    right, since, seconds = 0, [], 0.0
    for seed in seeds:
        name = "".join(each if each.isalnum() else "-" for each in scenario.name)
        run = train(scenario.settings, seed, folder / f"{scenario.finding}-{name}-{seed}")
        seconds += float((run.path / DONE).read_text())
        said = consulted(run).history
        found.update({finding.name for finding in said})
        alarms = [finding for finding in said if finding.severity != "normal"]
        hits = [finding.since for finding in said if finding.name == scenario.finding]
        right += bool(hits) if scenario.finding else not alarms
        since += hits[:1]
    print(f"{scenario.finding or 'healthy'}: {scenario.name}: {right} of {len(seeds)}", flush=True)
    return {
        "finding": scenario.finding,
        "scenario": scenario.name,
        "runs": len(seeds),
        "right": right,
        "since": sorted(since),
        "cpu_seconds": round(seconds),
        "also": {n: count for n, count in found.most_common() if n != scenario.finding},
    }


def page(result: dict[str, Any]) -> str:  # Any: JSON values
    """Return the page of the documentation that shows the result."""
    by_finding: defaultdict[str, list[Tally]] = defaultdict(list)
    for tally in result["scenarios"]:
        by_finding[tally["finding"]].append(tally)
    healthy = by_finding.pop("")
    runs, quiet = (sum(tally[key] for tally in healthy) for key in ("runs", "right"))
    lines = [
        "<!-- Written by benchmarks/doctor.py; do not edit. -->",
        "",
        "# What the doctor finds",
        "",
        "`gantk doctor RUN` reads a run's metrics; a run is read live, too. Measured by",
        f"`{COMMAND}` on seeds that no limit was chosen by, {result['cpu_minutes']} minutes of",
        "CPU time on one thread: each finding on runs that were made to fail for it, said at any",
        f"step; false alarms on {runs} healthy runs: **{runs - quiet}**.",
        "",
        "| finding | severity | what it means | found |",
        "| --- | --- | --- | --- |",
    ]
    for case in CASES:
        tallies = by_finding[case.name]
        total, right = (sum(tally[key] for tally in tallies) for key in ("runs", "right"))
        lines.append(f"| `{case.name}` | {case.severity} | {case.reason} | {right} of {total} |")
    lines += [
        "",
        "## What was done to runs",
        "",
        "`median step` is where it was first said. Much of what else was said is true as well:",
        "samples of a G that never learns are all alike, and D tells them from reals. The row",
        "`rates × 100` was first counted for oscillation; all its runs collapsed, so it moved.",
        "",
        "| made to fail by | finding | found | median step | also said |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, tallies in by_finding.items():
        for tally in tallies:
            steps = tally["since"]
            middle = f"{steps[len(steps) // 2]:,}" if steps else "—"
            share = f"{tally['right']} of {tally['runs']}"
            also = _also(tally)
            lines.append(f"| {tally['scenario']} | `{name}` | {share} | {middle} | {also} |")
    lines += ["", "## Healthy runs", "", "| recipe | quiet | said |", "| --- | --- | --- |"]
    lines += [
        f"| {tally['scenario']} | {tally['right']} of {tally['runs']} | {_also(tally)} |"
        for tally in healthy
    ]
    return "\n".join(lines) + "\n"


def _also(tally: Tally) -> str:
    return ", ".join(f"`{name}` {count}" for name, count in tally["also"].items())


def main() -> None:
    """Train all, ask the doctor, write what it said."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", metavar="N", help="these only, no table")
    parser.add_argument("--only", default="", help="part of a finding's or a scenario's name")
    parser.add_argument("--keep", type=Path, help="keep the runs in this folder, and take them up")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        tallies = [
            ask(scenario, arguments.seeds or default_seeds(scenario), folder)
            for scenario in scenarios()
            if arguments.only in f"{scenario.finding or 'healthy'} {scenario.name}"
        ]
    if arguments.only or arguments.seeds:
        return
    result = {
        "command": COMMAND,
        "first_seed": SEEDS.start,
        "cpu_minutes": round(sum(tally["cpu_seconds"] for tally in tallies) / 60),
        "versions": versions(),
        "scenarios": tallies,
    }
    JSON.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(result), encoding="utf-8")


if __name__ == "__main__":
    main()
