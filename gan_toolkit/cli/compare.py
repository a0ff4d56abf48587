"""`gantk compare`: runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gan_toolkit.cli.common import AsJson, PluginFiles, catalogue, print_json, print_table, warn

if TYPE_CHECKING:
    from gan_toolkit.report.comparison import Comparison
    from gan_toolkit.report.facts import Facts
    from gan_toolkit.report.scores import Course


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN…", help="Run folders, two or more.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a page instead: x.html.")
    ] = None,
    as_json: AsJson = False,
    plugin: PluginFiles = None,
) -> None:
    """Put runs side by side: what differs in their recipes, then figures, scores, findings.

    The page has their samples and curves too. What cannot be compared is said.
    """
    from gan_toolkit.cli.display import Display
    from gan_toolkit.report import checked, write_comparison
    from gan_toolkit.report.comparison import Comparison
    from gan_toolkit.run import find_run

    if out is not None:
        checked(out)
    known = catalogue(plugin or ())
    found = Comparison.of([find_run(run) for run in runs], runs, known)
    if out is not None:
        display = Display()
        try:
            print(write_comparison(found, out, progress=display.progress))
        finally:
            display.close()
    elif as_json:
        print_json(found.plain())
    else:
        _print(found)


def _print(found: Comparison) -> None:
    differing, same = found.recipes
    rows = [
        *([f"recipe {key}", *map(_spelled, values)] for key, values in differing),
        *([f"last {key}", *map(_shown, values)] for key, values in found.last),
    ]
    for row in found.scores:
        rows.append([f"score {row.name}", *map(_last, row.courses)])
        rows.append([f"best {row.name}", *map(_best, row.courses)])
    names = dict.fromkeys(each.name for facts in found.runs for each in facts.findings)
    rows += [[f"finding {name}", *(_found(each, name) for each in found.runs)] for name in names]
    print_table(("", *found.names), rows)
    print(f"\n{len(same)} other keys of the recipes are the same.")
    for warning in found.warnings:
        warn(f"Not comparable: {warning}")
    for row in found.scores:
        if row.unlike:
            warn(f"Not comparable: {row.name}, for its receipts differ: {', '.join(row.unlike)}.")


def _spelled(value: object) -> str:
    from gan_toolkit.report.page import toml

    return "" if value is None else toml(value)


def _shown(value: float | None) -> str:
    from gan_toolkit.report.page import shown

    return "" if value is None else shown(value)


def _found(facts: Facts, name: str) -> str:
    for each in facts.lasting:
        if each.name == name:
            return f"{each.severity} since step {each.since:,}"
    times = sum(each.name == name for each in facts.findings)
    return f"over, {times} time{'s' * (times > 1)}" if times else ""


def _last(course: Course | None) -> str:
    return "" if course is None else _shown(course.last.score.value)


def _best(course: Course | None) -> str:
    if course is None or course.best is None:
        return ""
    return f"{_shown(course.best.score.value)} at step {course.best.step:,}"
