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
    from gan_toolkit.doctor import Finding
    from gan_toolkit.run import Row, Run


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
    if run is None:
        from gan_toolkit.doctor.installation import look_around

        facts = look_around(known)
        if as_json:
            print_json([fact.plain() for fact in facts])
        else:
            rows = [("ok" if fact.fine else "broken", fact.name, fact.value) for fact in facts]
            print_table(("", "what", "found"), rows)
            for fact in facts:
                if not fact.fine:
                    print(printable(f"\n{fact.name}: {fact.advice}"))
        if not all(fact.fine for fact in facts):
            raise typer.Exit(1)
        return
    from gan_toolkit.doctor import examine
    from gan_toolkit.run import find_run

    found_run = find_run(run)
    findings = examine(found_run, known)
    if as_json:
        print_json({"run": str(run), "findings": [finding.plain() for finding in findings]})
    else:
        _tell(found_run, findings)
    if any(finding.severity == "broken" and finding.until is None for finding in findings):
        raise typer.Exit(1)


def _tell(run: Run, findings: list[Finding]) -> None:
    from gan_toolkit.doctor import consulted

    rows = run.rows()
    step, length = rows[-1]["step"] if rows else 0, run.recipe().get("steps")
    print(printable(f"{run.path}: step {step} of {length}, {len(rows)} rows read"))
    lasting = [finding for finding in findings if finding.until is None]
    for finding in lasting:
        print(printable(f"\n{finding.severity}: {finding.name}, since step {finding.since}"))
        print(printable(f"  {finding.evidence}"))
        print(f"  {finding.reason}")
        for advice in finding.advice:
            print(printable(f"    {advice}"))
    if not lasting:
        fine, early = "normal: nothing is the matter", "It is too early to say anything."
        print(f"\n{fine if consulted(run).ready else early}")
    for finding in findings:
        if finding.until is not None:
            print(f"\nover: {finding.name}, from step {finding.since} to {finding.until}")
    _signs(rows)


def _signs(rows: list[Row]) -> None:
    from gan_toolkit.vitals import MEANINGS

    newest = next((row for row in reversed(rows) if "vital.distance" in row), {})
    shown = [(key, f"{newest[key]:.3f}", told) for key, told in MEANINGS.items() if key in newest]
    if shown:
        print(f"\nVital signs at step {newest['step']}:")
        print_table(("sign", "value", "what it is"), shown)
