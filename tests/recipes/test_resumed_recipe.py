"""What `--resume` accepts beside it: another length and harmless keys, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gan_toolkit import settling

Gantk = Callable[..., CompletedProcess[str]]


@pytest.fixture
def resume(gantk: Gantk, toy: Path) -> Callable[..., CompletedProcess[str]]:
    assert gantk("train", "--recipe", "toy", "--out", "r", "--plugin", toy).returncode == 0

    def again(*arguments: str) -> CompletedProcess[str]:
        return gantk("train", "--resume", "r", "--plugin", toy, *arguments)

    return again


def test_a_finished_run_is_finished(resume: Gantk) -> None:
    answer = resume()

    assert (answer.returncode, answer.stdout) == (0, "r\n")


@pytest.mark.parametrize("length", [("--steps", "6"), ("--kimg", "0.048"), ("--set", "steps=6")])
def test_another_length_extends_a_run(resume: Gantk, tmp_path: Path, length: tuple[str]) -> None:
    answer = resume(*length)

    assert answer.returncode == 0
    assert "warning" not in answer.stderr
    assert "Done: 6 steps." in answer.stderr
    recipe = (tmp_path / "r/recipe.toml").read_text(encoding="utf-8")
    assert "steps = 6\nplanned_steps = 4\n" in recipe, "schedules keep the span they had"


def test_harmless_changes_are_warned_of(resume: Gantk) -> None:
    answer = resume("--set", "keep=9", "--set", "compute.threads=1", "--steps", "5")

    assert answer.returncode == 0
    assert "gantk: warning: Resuming with a change: keep: 3 → 9.\n" in answer.stderr


def test_changes_of_the_numbers_are_named_and_refused(resume: Gantk) -> None:
    answer = resume("--set", "batch=4", "--set", "arch.width=5", "--precision", "bf16")

    assert answer.returncode == 2
    assert answer.stderr == (
        "gantk: 3 problems in resuming 'r':\n"
        "  - arch.width: 4 → 5: this would no longer be the same run.\n"
        "  - batch: 8 → 4: this would no longer be the same run.\n"
        "  - compute.precision: 'fp32' → 'bf16': this would no longer be the same run.\n"
        "Leave these as they were, or start a new run.\n"
    )


def test_a_run_in_tensorfloat_32_goes_on_where_there_is_none(
    gantk: Gantk, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ("train", "--recipe", "toy", "--plugin", toy, "--precision", "tf32")
    refused = gantk(*told, "--device", "cpu")
    assert refused.returncode == 2
    assert "cpu has no TensorFloat-32" in refused.stderr
    assert "--precision fp32" in refused.stderr
    with monkeypatch.context() as elsewhere:  # on a GPU that has it
        elsewhere.setattr(settling, "_precision", lambda *_: "tf32")
        assert gantk(*told, "--out", "r").returncode == 0

    answer = gantk("train", "--resume", "r", "--plugin", toy, "--steps", "6")
    assert answer.returncode == 0
    assert "The run was computed in TensorFloat-32: cpu has no TensorFloat-32" in answer.stderr
    assert gantk("train", "--resume", "r", "--plugin", toy, "--steps", "8").returncode == 0
