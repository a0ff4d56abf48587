"""What a run's files say of it, read once. They may be a stranger's: nothing is taken on trust."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple, get_args

from pydantic import ValidationError

from gan_toolkit import bundle, doctor
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.checkpoint import manifests
from gan_toolkit.data import DataSpec
from gan_toolkit.description import parse
from gan_toolkit.doctor import Finding, Severity
from gan_toolkit.errors import GantkError
from gan_toolkit.figures import number
from gan_toolkit.recipe import Values
from gan_toolkit.run import BEST_SCORE, CHECKPOINTS, Row, Run
from gan_toolkit.scoring import Score

SEVERITIES = get_args(Severity)[::-1]
"""Of findings, the gravest first."""
SIGN = "vital."
NO_SIGNS = "the run's metrics hold no vital signs."
MOST_STEPS = 2**53
"""A step beyond is no number that a page can hold."""


class Taken(NamedTuple):
    """A score and when it was taken."""

    step: int
    score: Score


class Over(NamedTuple):
    """A finding that is over, every time that it was found."""

    finding: Finding
    spans: list[tuple[int, int]]
    """First step, and the step from which it was no longer so."""


class Best(NamedTuple):
    """What the run keeps as its best moment."""

    name: str
    value: float
    step: int


@dataclass(frozen=True)
class Facts:
    """What is known of a run."""

    run: Run
    name: str
    """Of its folder; where the folder lies is nobody's business."""
    recipe: Values
    """As it stands in the folder, but for the place of files: their last name is left."""
    rows: list[Row]
    manifest: Values
    """Of the newest intact checkpoint: step, seconds, versions, machine, data; empty without."""
    spec: DataSpec | None
    """Of the data, when the run has exported a generator."""
    scores: list[Taken]
    best: Best | None
    findings: list[Finding]
    """All that was found, what is over too; the gravest first, then the earliest."""
    undiagnosed: str
    """Why the doctor could not look; empty when it could."""

    @classmethod
    def of(cls, run: Run, catalogue: Catalogue) -> Facts:
        """Read a run. Raises `RunError` when its recipe cannot be read."""
        rows = [row for row in run.rows() if 0 <= row["step"] < MOST_STEPS]
        findings, undiagnosed = _findings(run, catalogue)
        if not any(key.startswith(SIGN) for row in rows for key in row):
            undiagnosed = undiagnosed or NO_SIGNS
        return cls(
            run=run,
            name=run.path.resolve().name,
            recipe=_without_places(run.recipe()),
            rows=rows,
            manifest=next(manifests(run.path / CHECKPOINTS), {}),
            spec=_spec(run),
            scores=_scores(run),
            best=_best(run),
            findings=findings,
            undiagnosed=undiagnosed,
        )

    @property
    def step(self) -> int:
        """Steps made, as far as anything in the folder tells."""
        logged = self.rows[-1]["step"] if self.rows else 0
        return max(int(logged), whole(self.manifest.get("step")))

    @property
    def length(self) -> int:
        """Steps that the recipe asks for."""
        return whole(self.recipe.get("steps")) or self.step

    @property
    def seconds(self) -> float:
        """Wall time of the training."""
        logged = number(self.rows[-1].get("seconds")) if self.rows else None
        return logged or number(self.manifest.get("seconds")) or 0.0

    @property
    def nimg(self) -> int:
        """Real images seen."""
        logged = whole(self.rows[-1].get("nimg")) if self.rows else 0
        return max(logged, whole(self.manifest.get("nimg")))

    @property
    def verdict(self) -> str:
        """The gravest severity of a finding that lasts; empty when there is none."""
        return self.lasting[0].severity if self.lasting else ""

    @property
    def lasting(self) -> list[Finding]:
        """What is so at the end of the run, the gravest first."""
        return [each for each in self.findings if each.until is None]

    @property
    def over(self) -> list[Over]:
        """What was so for a while, by name."""
        found: dict[str, Over] = {}
        for each in self.findings:
            if each.until is not None:
                known = found.setdefault(each.name, Over(each, []))
                known.spans.append((each.since, each.until))
        return list(found.values())

    @property
    def versions(self) -> dict[str, str]:
        """Versions that the newest checkpoint was written with."""
        return _words(self.manifest.get("versions"))

    @property
    def machine(self) -> str:
        """Kind of processor, and number of threads."""
        return str(self.manifest.get("machine", ""))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the data's content; empty for data that are drawn without end."""
        return _words(self.manifest.get("data")).get("fingerprint", "")

    def hiding(self, text: str) -> str:
        """Return a message without the folders in it that lie on this machine."""
        data = self.run.recipe().get("data")
        place = data.get("path") if isinstance(data, Mapping) else None
        for folder in (place, str(self.run.path.resolve()), str(self.run.path), str(Path.home())):
            if isinstance(folder, str) and len(folder) > 1:
                text = text.replace(folder, f"…/{PureWindowsPath(folder).name}")
        return text

    def named(self, part: str) -> str:
        """Return the registry name of the component at a place of the recipe."""
        table = self.recipe.get(part)
        return str(table.get("name", "")) if isinstance(table, Mapping) else ""


def whole(value: object) -> int:
    """Return a whole number that is not negative, 0 for anything else."""
    return int(value) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _words(table: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in table.items()} if isinstance(table, Mapping) else {}


def _without_places(recipe: Values) -> Values:
    data = recipe.get("data")
    if not isinstance(data, Mapping) or not isinstance(data.get("path"), str):
        return recipe
    last = PureWindowsPath(data["path"]).name  # splits at / and at \
    return {**recipe, "data": {**data, "path": f"…/{last}"}}


def _findings(run: Run, catalogue: Catalogue) -> tuple[list[Finding], str]:
    try:
        found = doctor.examine(run, catalogue)
    except (GantkError, OSError) as error:
        return [], str(error)
    return sorted(found, key=lambda each: (SEVERITIES.index(each.severity), each.since)), ""


def _spec(run: Run) -> DataSpec | None:
    path = run.path / bundle.CONFIG
    try:
        return parse(path.read_text(encoding="utf-8"), path).data
    except (GantkError, OSError, UnicodeDecodeError):
        return None


def _scores(run: Run) -> list[Taken]:
    found = []
    for entry in run.evaluations():
        listed = entry.get("scores")
        for plain in listed if isinstance(listed, list) else []:
            try:
                found.append(Taken(whole(entry.get("step")), Score.model_validate(plain)))
            except ValidationError:
                continue
    return sorted(found, key=lambda each: each.step)


def _best(run: Run) -> Best | None:
    try:
        text = (run.best / BEST_SCORE).read_text(encoding="utf-8")
        told: Any = json.loads(text)  # Any: a file of JSON
        value = number(told["value"])
        return None if value is None else Best(str(told["name"]), value, whole(told["step"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
