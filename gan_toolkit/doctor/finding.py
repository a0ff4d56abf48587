"""What the doctor says of a run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["normal", "worrying", "broken"]


@dataclass(frozen=True)
class Finding:
    """One thing that is so with a run, with the evidence and what to do."""

    name: str
    severity: Severity
    since: int
    """The step at which it was first seen."""
    evidence: str
    """The figures that it was seen in."""
    reason: str
    """What it means, in plain words."""
    advice: tuple[str, ...] = ()
    """What to try, the likeliest first: `--set key=value` to paste, or a sentence."""
    until: int | None = None
    """The step from which it was no longer so; none while it lasts."""

    def plain(self) -> dict[str, Any]:  # Any: JSON values
        """Return it as JSON values."""
        return {**dataclasses.asdict(self), "advice": list(self.advice)}

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.severity}: {self.name} since step {self.since}: {self.evidence}"
