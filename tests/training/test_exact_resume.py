"""A run that was stopped and resumed is the run that never was: same bits everywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import gan_toolkit
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import Interrupted, RecipeError, RunError, UnknownName, UsageError
from gan_toolkit.estimate import estimate
from gan_toolkit.observer import Observer
from gan_toolkit.resolve import Request
from gan_toolkit.run import Run
from gan_toolkit.tensors import TensorData
from gan_toolkit.timing import Timing
from gan_toolkit.training import prepare

Sketch = Callable[..., Run]
SKETCHES = Path(__file__).parent / "sketches.py"
PLAIN: dict[str, Any] = {}
SYSTEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "vanilla": ("plain", PLAIN),
    "twice-d-once-g": ("plain", {"updates.discriminator.times": 2}),
    "same-fakes": ("plain", {"updates.generator.fresh_fakes": False}),
    "accumulated": ("plain", {"accumulate": 3}),
    "warm-up": ("plain", {"updates.generator.starts_at": 6}),
    "scheduled": ("plain", {"updates.generator.optimiser.lr": {"start": 1e-2, "end": 0.0}}),
    "bfloat16": ("plain", {"compute.precision": "bf16"}),
    "no-average": ("plain", {"ema.half_life_kimg": 0.0}),
    "dropout": ("normed", PLAIN),
    "rmsprop": ("plain", {"updates.discriminator.optimiser": {"name": "rmsprop", "lr": 1e-3}}),
    "sgd": ("plain", {"updates.generator.optimiser": {"name": "sgd", "momentum": 0.9}}),
    "acgan": ("acgan", {"terms.head": {"name": "class-head"}}),
    "infogan": (
        "infogan",
        {
            "terms.code": {"name": "mutual-information"},
            "updates.generator.networks": ["generator", "q"],
        },
    ),
    "wgan-gp": ("plain", {"terms.gp": {"name": "interpolated", "every": 2}}),
    "wgan": ("plain", {"terms.clip": {"name": "clipping"}}),
    "r3gan": (
        "plain",
        {
            "terms.adversarial": {"name": "pairing"},
            "terms.zero": {"name": "r1r2", "gamma": {"start": 1.0, "end": 0.1}},
            "updates.generator.fresh_reals": True,
        },
    ),
    "growing": ("growing", PLAIN),
    "stylegan2": (
        "mapped",
        {
            "terms.path": {"name": "path-length"},
            "updates.generator.networks": ["mapping", "generator"],
            "updates.generator.rates": {"mapping": 0.01},
        },
    ),
    "endless-data": ("plain", {"data": "endless"}),
    "cyclegan": (
        "translating",
        {
            "data": "pairs",
            "terms.cycle": {"name": "cycle"},
            "updates.discriminator.networks": ["judge_a", "judge_b"],
            "updates.generator.networks": ["to_a", "to_b"],
        },
    ),
    "three-optimisers": (
        "plain",
        {
            "updates": {
                "real": {
                    "networks": ["discriminator"],
                    "role": "discriminator",
                    "terms": ["adversarial.real"],
                },
                "fake": {
                    "networks": ["discriminator"],
                    "role": "discriminator",
                    "terms": ["adversarial.fake"],
                    "optimiser": {"lr": 3e-4},
                },
                "generator": {"networks": ["generator"], "role": "generator", "starts_at": 5},
            }
        },
    ),
}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> list[str]:
    """Return the names that differ in any bit."""
    assert a.keys() == b.keys()
    return [name for name in a if not torch.equal(a[name], b[name])]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_stopped_and_resumed_run_has_the_same_bits(
    system: str, sketch: Sketch, last_tensors: Any, untimed: Any, stop_at: Any
) -> None:
    arch, settings = SYSTEMS[system]
    settings = dict(settings)
    data = {"data": settings.pop("data")} if "data" in settings else {}
    whole = sketch(arch, out="whole", settings=settings, **data)
    stop = 3 + sum(map(ord, system)) % 15  # some step, another for each system
    with pytest.raises(Interrupted):
        sketch(arch, out="stopped", settings=settings, observer=stop_at(stop), **data)
    resumed = sketch(resume=whole.path.with_name("stopped"), **({"data": None} if data else {}))
    assert same(last_tensors(whole), last_tensors(resumed)) == []
    assert untimed(whole) == untimed(resumed)
    for name in ("generator.safetensors", "config.json"):
        assert (whole.path / name).read_bytes() == (resumed.path / name).read_bytes()
    assert {p.name: p.read_bytes() for p in (whole.path / "samples").iterdir()} == {
        p.name: p.read_bytes() for p in (resumed.path / "samples").iterdir()
    }


def test_every_stop_step_of_a_run_resumes_exactly(
    sketch: Sketch, last_tensors: Any, untimed: Any, stop_at: Any
) -> None:
    whole = sketch(out="whole", settings={"steps": 11, "terms.zero": {"name": "r1r2", "every": 4}})
    for stop in range(1, 10):
        name = f"stopped-{stop}"
        with pytest.raises(Interrupted):
            sketch(
                out=name,
                settings={"steps": 11, "terms.zero": {"name": "r1r2", "every": 4}},
                observer=stop_at(stop),
            )
        resumed = sketch(resume=whole.path.with_name(name))
        assert same(last_tensors(whole), last_tensors(resumed)) == []
        assert untimed(whole) == untimed(resumed)


def test_convolutions_resume_exactly_in_a_fresh_process(
    tmp_path: Path, last_tensors: Any, untimed: Any
) -> None:
    program = """
import os, signal, sys, torch, gan_toolkit
mode, out, stop = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(1)
x = torch.randint(0, 256, (40, 1, 16, 16), generator=torch.Generator().manual_seed(6),
                  dtype=torch.uint8)
class Watch(gan_toolkit.Observer):
    def advanced(self, step):
        if step == stop:
            os.kill(os.getpid(), signal.SIGKILL)
settings = {"steps": 14, "batch": 16, "arch.width": 4, "checkpoint_every": 3, "log_every": 4}
if mode == "new":
    gan_toolkit.train(arch="dcgan", data=x, settings=settings, out=out, observer=Watch())
else:
    gan_toolkit.train(resume=out, data=x)
"""

    def run(mode: str, name: str, stop: int = -1) -> int:
        arguments = [sys.executable, "-c", program, mode, str(tmp_path / name), str(stop)]
        return subprocess.run(arguments, check=False, timeout=120).returncode

    assert run("new", "whole") == 0
    assert run("new", "killed", stop=8) == -9
    assert run("resume", "killed") == 0
    whole, resumed = Run(tmp_path / "whole"), Run(tmp_path / "killed")
    assert same(last_tensors(whole), last_tensors(resumed)) == []
    assert untimed(whole) == untimed(resumed)


def test_resuming_a_finished_run_changes_nothing(sketch: Sketch) -> None:
    run = sketch()
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    sketch(resume=run.path)
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_more_steps_extend_a_run_and_schedules_hold_their_end(sketch: Sketch) -> None:
    settings = {"updates.generator.optimiser.lr": {"start": 1e-2, "end": 0.0}}
    run = sketch(settings=settings)
    before = (run.path / "generator.safetensors").read_bytes()
    sketch(resume=run.path, settings={"steps": 30})
    assert run.rows()[-1]["step"] == 30
    values = run.recipe()
    assert (values["steps"], values["planned_steps"]) == (30, 20)
    # G's rate ended at zero and stays there, so only its average still moves.
    assert before != (run.path / "generator.safetensors").read_bytes()


def test_fewer_steps_than_made_are_refused(sketch: Sketch) -> None:
    run = sketch()
    with pytest.raises(RunError, match="stands at step 20 already, beyond --steps 10"):
        sketch(resume=run.path, settings={"steps": 10})


def test_a_changed_recipe_is_refused_by_field(sketch: Sketch) -> None:
    run = sketch()
    with pytest.raises(RecipeError) as refusal:
        sketch(resume=run.path, settings={"batch": 24, "arch.latent": 5, "steps": 30})
    assert "arch.latent: 4 → 5" in str(refusal.value)
    assert "batch: 12 → 24" in str(refusal.value)


def test_an_edited_recipe_file_is_refused_by_field(sketch: Sketch) -> None:
    run = sketch()
    text = run.recipe_path.read_text(encoding="utf-8")
    run.recipe_path.write_text(text.replace("beta1 = 0.5", "beta1 = 0.0", 1), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"optimiser\.beta1: 0\.5 → 0\.0"):
        sketch(resume=run.path)


def test_a_harmless_change_is_warned_about_and_made(sketch: Sketch, stop_at: Any) -> None:
    run = sketch()
    observer = stop_at(-1)
    sketch(resume=run.path, settings={"keep": 1, "steps": 26}, observer=observer)
    assert observer.warnings == ["Resuming with a change: keep: 3 → 1."]
    assert len(list((run.path / "checkpoints").glob("step-*"))) == 1


def test_a_refused_change_leaves_the_run_as_it_was(sketch: Sketch) -> None:
    run = sketch()
    before = run.recipe_path.read_bytes()
    with pytest.raises(UnknownName, match="nosuch"):
        sketch(resume=run.path, settings={"evaluation.metrics": ["nosuch"], "steps": 30})
    assert run.recipe_path.read_bytes() == before


def test_other_data_is_refused(sketch: Sketch) -> None:
    run = sketch()
    with pytest.raises(RunError, match=r"not what .* was trained on"):
        sketch(resume=run.path, data=(torch.zeros(50, 8), torch.arange(50) % 3))


def test_a_tensor_run_says_how_to_resume_it(sketch: Sketch) -> None:
    run = sketch()
    with pytest.raises(UsageError, match="resume it from Python"):
        sketch(resume=run.path, data=None)


def test_other_versions_are_warned_about(
    sketch: Sketch, stop_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = sketch()
    monkeypatch.setattr("gan_toolkit.training.versions", lambda: {"torch": "9.9"})
    observer = stop_at(-1)
    sketch(resume=run.path, observer=observer)
    assert any("torch" in text and "→ 9.9" in text for text in observer.warnings)


def test_a_run_is_never_overwritten(sketch: Sketch) -> None:
    run = sketch()
    with pytest.raises(RunError, match="never overwritten"):
        sketch()
    assert run.rows()[-1]["step"] == 20


def test_two_trainers_cannot_share_a_run(sketch: Sketch) -> None:
    run = sketch()
    with run.locked(), pytest.raises(RunError, match="Another process is training"):
        sketch(resume=run.path, settings={"steps": 30})


def test_metrics_are_valid_json_lines_with_mean_losses(sketch: Sketch) -> None:
    run = sketch()
    lines = (run.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["step"] for row in rows] == [3, 6, 9, 12, 15, 18, 20]
    assert all(0 <= row["accuracy.real"] <= 1 for row in rows)
    assert {"discriminator.adversarial.real", "generator.adversarial.fake"} <= rows[0].keys()


def test_minutes_become_a_number_of_steps_that_is_recorded(
    vectors: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    run = gan_toolkit.train(
        arch="plain", data=vectors, minutes=0.01, plugins=[SKETCHES], out=tmp_path / "run"
    )
    values = run.recipe()
    assert run.rows()[-1]["step"] == values["steps"] == values["planned_steps"] >= 1


def test_minutes_are_counted_and_estimates_made_with_the_engine_of_the_run(
    vectors: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    engines: list[str] = []

    def typical(timing: Timing, steps: int) -> float:
        del steps
        engines.append(type(timing.trainer.engine).__name__)
        return 0.6

    def always(*_: object) -> tuple[str, str]:
        return "captured", "for a test"

    monkeypatch.setattr(Timing, "_typical", typical)
    monkeypatch.setattr("gan_toolkit.engines.choice.chosen", always)
    request = Request(arch="plain", data=TensorData.of(vectors), settings={"steps": 3})
    ready = prepare(request, Catalogue.discover([SKETCHES]), Observer())
    lasting = ready.lasting(0.1, Observer())
    estimate(ready)

    assert engines == ["Eager", "Programs", "Programs"]
    assert lasting.recipe.plan.compute.engine == "captured"


def test_a_resumed_run_takes_no_minutes(sketch: Sketch) -> None:
    with pytest.raises(UsageError, match="takes steps or kimg; leave out, minutes"):
        gan_toolkit.train(resume=sketch().path, minutes=1)
