"""What `nox -s agreement` and `nox -s floors` measured is what the pages say, and it is good."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def measured(name: str) -> Any:  # Any: JSON
    return json.loads((ROOT / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["agreement", "floors"])
def test_the_page_is_what_was_measured(name: str) -> None:
    script = runpy.run_path(str(ROOT / "benchmarks" / f"{name}.py"), run_name="read")
    page = ROOT / "docs" / "reference" / f"{name}.md"
    assert page.read_text(encoding="utf-8") == script["page"](measured(name))


def test_every_score_agrees_with_another_implementation() -> None:
    rows = [row for table in measured("agreement")["tables"].values() for row in table]
    assert all(row["holds"] and row["tolerance"] <= 1e-3 for row in rows)
    assert {row["against"] for row in rows} == {"torch-fidelity", "prdc", "scipy", "scikit-learn"}
    assert {row["score"] for row in rows} >= {
        *("fd", "kid", "is", "precision", "recall", "density", "coverage", "energy", "swd"),
        *("ms-ssim", "label-accuracy", "confidence", "modes", "modes-quality", "fid"),
    }


@pytest.mark.parametrize("null", ["pixels shuffled", "noise", "one class", "one image"])
def test_a_distance_is_far_above_its_floor_for_nonsense(null: str) -> None:
    for table in measured("floors")["tables"].values():
        for name, floor in table["real"].items():
            if name.startswith(("fd-", "kid-", "class-distance", "swd")):
                assert table[null][name] > 3 * floor


def test_shuffled_labels_are_obeyed_by_chance() -> None:
    table = measured("floors")["tables"]["MNIST"]
    assert table["labels shuffled"]["label-accuracy-digits"] == pytest.approx(0.1, abs=0.02)
