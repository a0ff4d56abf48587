from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import mutants
import pytest

from gan_toolkit.bundle import MAX_UNSTORED
from gan_toolkit.export import export_bundle

SCRIPT = Path(mutants.__file__)


def outcome(bundle: Path) -> dict[str, Any]:
    told = subprocess.run(
        [sys.executable, str(SCRIPT), str(bundle)], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(told.stdout)
    return found


@pytest.mark.parametrize("kind", ["images", "points"])
def test_no_damaged_or_hostile_bundle_surprises_hangs_unpickles_or_allocates_without_bound(
    kind: str, run: Path, points_run: Path, tmp_path: Path
) -> None:
    bundle = export_bundle(run if kind == "images" else points_run, tmp_path / "bundle")

    found = outcome(bundle)

    assert found["surprises"] == []
    assert found["tried"] == sum(mutants.WAYS.values()) >= 2000
    assert found["loaded"] + found["refused"] == found["tried"]
    assert found["loaded"] > 400, "mutants that nothing refuses must load: a flipped weight, say"
    assert found["refused"] > 400
    assert found["grown_kib"] * 1024 < 4 * MAX_UNSTORED


def test_the_audit_hook_that_watches_would_see_unpickling() -> None:
    script = (
        "import sys, pathlib, pickle\n"
        "seen = []\n"
        "sys.addaudithook(lambda e, a: seen.append(a) if e == 'pickle.find_class' else None)\n"
        "pickle.loads(pickle.dumps(pathlib.PurePosixPath('x')))\n"
        "print(len(seen))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(told.stdout) > 0
