"""What tests put into runs: findings, scores, pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from gan_toolkit.doctor import Finding
from gan_toolkit.run import Run
from gan_toolkit.scoring import Receipt, Score

Copy = Callable[..., Run]
"""Copies a run under a name, to be changed."""
FINDINGS = [
    Finding("fine", "normal", 2, "all is well", "Nothing is the matter."),
    Finding("bad", "broken", 4, "loss 9", "It <b>broke</b>.", ("--set batch=16", "Rest.")),
    Finding("odd", "worrying", 2, "was odd", "It was odd.", until=4),
]


def score(name: str, value: float, **told: Any) -> Score:  # Any: what a score holds
    about = {"n": 100, "seed": 0, "model": "ab" * 32, "data": "digits", "real": 200}
    receipt = Receipt.model_validate(about | told.pop("receipt", {}))
    return Score(name=name, value=value, **{"better": "lower", **told}, receipt=receipt)


def scored(run: Run, *evaluations: tuple[int, list[Score]]) -> None:
    """Write scores into a run as training does."""
    lines = [
        json.dumps({"step": step, "scores": [each.plain() for each in scores]}) + "\n"
        for step, scores in evaluations
    ]
    (run.path / "scores.jsonl").write_text("".join(lines), encoding="utf-8")


def noise(run: Run, steps: range, side: int) -> None:
    """Fill a run with sample grids that no format makes light."""
    shutil.rmtree(run.path / "samples")
    (run.path / "samples").mkdir()
    random = np.random.default_rng(0)
    for step in steps:
        pixels = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(run.sample_path(step), compress_level=1)
