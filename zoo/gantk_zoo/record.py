"""`metrics.json` of a bundle: how it was trained and what it scores, with receipts."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from gan_toolkit import bundle
from gan_toolkit.checkpoint import manifests
from gan_toolkit.errors import BundleError
from gan_toolkit.files import replaced
from gan_toolkit.generator import Generator
from gan_toolkit.options import Field, Options
from gan_toolkit.run import CHECKPOINTS
from gan_toolkit.scoring import Score

METRICS = "metrics.json"


class Training(Options):
    """How a model came to be."""

    steps: int = Field(ge=0, description="training steps")
    seconds: float = Field(ge=0, description="wall time in seconds")
    machine: str = Field("", description="kind of processor and number of threads")
    versions: dict[str, str] = Field({}, description="versions that can change its bits")


class Record(Options):
    """What is known of a published model beside its weights."""

    training: Training | None = Field(None, description="how it was trained")
    scores: tuple[Score, ...] = Field((), description="what it scored when it was packed")
    note: str = Field("", description="what its author wants to be known")
    licence: str = Field("", description="licence of the weights, as the Hub names it")


def read(folder: Path) -> Record | None:
    """Return the record of a bundle, None when it has none. Raises `BundleError`."""
    path = folder / METRICS
    if not path.is_file():
        return None
    try:
        return Record.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, RecursionError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(f"'{path}' is damaged: {reason}. Fetch the bundle again.") from error


def write(folder: Path, record: Record) -> None:
    """Write the record of a bundle."""
    with replaced(folder / METRICS) as temporary:
        temporary.write_text(json.dumps(record.plain(), indent=2) + "\n", encoding="utf-8")


def beside(model: Generator) -> Record | None:
    """Return the record that came with a model's weights, None when it has none of its own."""
    if model.path.name != bundle.WEIGHTS:
        return None
    found = read(model.path.parent)
    signed = {score.receipt.model for score in found.scores} if found else set()
    return found if not signed or model.sha256 in signed else None


def is_run(model: Generator) -> bool:
    """Return whether a model's weights are those of a run."""
    return model.path.name == bundle.RUN_WEIGHTS


def training_of(model: Generator) -> Training | None:
    """Return how a run's model was trained; None when it is of no run, or no checkpoint tells."""
    if not is_run(model):
        return None
    for facts in manifests(model.path.parent / CHECKPOINTS):
        if facts["nimg"] == model.description.nimg:
            return Training(
                steps=facts["step"],
                seconds=round(float(facts["seconds"]), 1),
                machine=facts.get("machine", ""),
                versions=facts["versions"],
            )
    return None
