"""`gantk doctor`: what is the matter with a run, or with this installation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gan_toolkit.cli.common import (
    AsJson,
    PluginFiles,
    catalogue,
    print_json,
    print_table,
    printable,
)

if TYPE_CHECKING:
    from gan_toolkit.catalogue import Catalogue
    from gan_toolkit.doctor import Finding
    from gan_toolkit.run import Row


def doctor(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="RUN", help="A run; left out, the installation is looked at."),
    ] = None,
    as_json: AsJson = False,
    plugin: PluginFiles = None,
) -> None:
    """Say what is the matter with a run, and what to try; or check this installation.

    Exit code 1 when something is broken.
    """
    known = catalogue(plugin or ())
    if not (_installation(known, as_json) if run is None else _run(run, known, as_json)):
        raise typer.Exit(1)


def _installation(known: Catalogue, as_json: bool) -> bool:
    """Tell what the installation can do; return whether all of it is fine."""
    from gan_toolkit.doctor.installation import look_around

    facts = look_around(known)
    wrong = [fact for fact in facts if not fact.fine]
    if as_json:
        print_json([fact.plain() for fact in facts])
        return not wrong
    rows = [("ok" if fact.fine else "broken", fact.name, fact.value) for fact in facts]
    print_table(("", "what", "found"), rows)
    for fact in wrong:
        print(printable(f"\n{fact.name}: {fact.advice}"))
    return not wrong


def _run(path: Path, known: Catalogue, as_json: bool) -> bool:
    """Tell what is the matter with a run; return whether nothing is broken now."""
    from gan_toolkit.doctor import consulted, examine
    from gan_toolkit.run import find_run

    run = find_run(path)
    rows, recipe = run.rows(), run.recipe()
    doctor = consulted(run, rows)
    findings = examine(run, known, doctor)
    if as_json:
        print_json({"run": str(path), "findings": [finding.plain() for finding in findings]})
    else:
        step = rows[-1]["step"] if rows else 0
        print(printable(f"{path}: step {step} of {recipe.get('steps')}, {len(rows)} rows read"))
        _tell(findings, early=not doctor.ready)
        _signs(rows)
    return not any(each.severity == "broken" for each in doctor.findings)


def _tell(findings: list[Finding], *, early: bool) -> None:
    lasting = [finding for finding in findings if finding.until is None]
    for finding in lasting:
        print(printable(f"\n{finding.severity}: {finding.name}, since step {finding.since}"))
        print(printable(f"  {finding.evidence}"))
        print(f"  {finding.reason}")
        for advice in finding.advice:
            print(printable(f"    {advice}"))
    if not lasting:
        fine = "normal: nothing is the matter"
        print(f"\n{'It is too early to say anything.' if early else fine}")
    for finding in findings:
        if finding.until is not None:
            print(f"\nover: {finding.name}, from step {finding.since} to {finding.until}")


def _signs(rows: list[Row]) -> None:
    from gan_toolkit.vitals import MEANINGS

    newest = next((row for row in reversed(rows) if "vital.distance" in row), {})
    shown = [(key, f"{newest[key]:.3f}", told) for key, told in MEANINGS.items() if key in newest]
    if shown:
        print(f"\nVital signs at step {newest['step']}:")
        print_table(("sign", "value", "what it is"), shown)
