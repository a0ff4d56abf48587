"""Trackers keep a run's figures and pictures elsewhere, and cannot harm it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import gan_toolkit
from gan_toolkit import Observer
from gan_toolkit.errors import UnknownName, UsageError
from gan_toolkit.run import Run, step_of
from gantk_trackers.figures import figures

TINY: dict[str, Any] = {
    "steps": 6,
    "batch": 4,
    "log_every": 2,
    "sample_every": 3,
    "checkpoint_every": 3,
    "arch.width": 2,
    "compute.threads": 1,
}
BROKEN = """
from gan_toolkit import Component, hookimpl
from gan_toolkit.tracking import Tracker

class Broken(Tracker):
    def row(self, row):
        raise ConnectionError("the line is dead")

@hookimpl
def gantk_components():
    return [Component("tracker", "broken", Broken, "Fails")]
"""


class Hearing(Observer):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def tracked(tmp_path: Path) -> Callable[..., Run]:
    def train(*names: str, **more: Any) -> Run:
        where: dict[str, Any] = {"arch": "dcgan", "data": "digits", "out": tmp_path / "run"}
        return gan_toolkit.train(**(where | {"settings": TINY} | more), track=names)

    return train


def read_board(path: Path) -> Any:  # Any: tensorboard is not typed
    """Return TensorBoard's own view of a run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]  # it ships no types

        board = EventAccumulator(str(path / "tensorboard"), size_guidance={"images": 0})
        board.Reload()
    return board


def test_tensorboard_reads_back_every_figure_grid_and_the_graph(
    tracked: Callable[..., Run],
) -> None:
    run = tracked("tensorboard")
    board = read_board(run.path)
    for name in figures(run.rows()[0]):
        events = board.Scalars(name.replace(".", "/"))
        expected = [(row["step"], row[name]) for row in run.rows()]
        assert [event.step for event in events] == [step for step, _ in expected]
        assert [event.value for event in events] == pytest.approx([v for _, v in expected])
    grids = sorted((run.path / "samples").glob("*.png"))
    assert [event.step for event in board.Images("samples")] == [step_of(path) for path in grids]
    nodes = {node.name for node in board.Graph().node}
    for network in ("generator", "discriminator"):
        assert any(network in node for node in nodes)


def test_a_resumed_run_shows_each_step_once(tracked: Callable[..., Run]) -> None:
    run = tracked("tensorboard")
    gan_toolkit.train(resume=run.path, settings={"steps": 10}, track=["tensorboard"])
    steps = [event.step for event in read_board(run.path).Scalars("accuracy/real")]
    assert steps == [2, 4, 6, 8, 10]


def test_the_numbers_of_a_run_are_the_same_with_and_without_trackers(
    tracked: Callable[..., Run], tmp_path: Path
) -> None:
    one, other = tracked("tensorboard"), tracked(out=tmp_path / "other")
    weights = [(run.path / "generator.safetensors").read_bytes() for run in (one, other)]
    assert weights[0] == weights[1]


class Service(ModuleType):
    """Stands in for wandb: notes what it is told."""

    def __init__(self) -> None:
        super().__init__("service")
        self.told: list[tuple[str, Any]] = []

    def init(self, **settings: Any) -> None:
        print("chatter")
        self.told.append(("init", settings))

    def log(self, values: dict[str, Any], step: int) -> None:
        self.told.append(("log", (step, values)))

    def Image(self, path: str) -> str:  # noqa: N802  # wandb's own name
        return Path(path).name

    def finish(self) -> None:
        self.told.append(("finish", None))


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_hosted_tracker_is_told_recipe_figures_and_grids(
    name: str,
    tracked: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    service = Service()
    monkeypatch.setitem(sys.modules, name, service)
    run = tracked(name)
    what, settings = service.told[0]
    assert (what, settings["project"], settings["name"]) == ("init", "gan-toolkit", "run")
    assert settings["config"]["arch.width"] == 2
    assert not any(key.startswith("compute.device") for key in settings["config"])
    told = [said for what, said in service.told if what == "log"]
    assert [(step, values) for step, values in told if "samples" not in values] == [
        (row["step"], figures(row)) for row in run.rows()
    ]
    assert (3, {"samples": "step-000000003.png"}) in told
    assert service.told[-1] == ("finish", None)
    assert "chatter" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "trackio"])
def test_a_tracker_whose_package_is_missing_says_so_before_training(
    name: str, tracked: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=rf"pip install 'gan-toolkit\[{name}\]'"):
        tracked(name)
    assert not (tmp_path / "run").exists()


def test_an_unknown_tracker_is_refused_with_the_nearest_name(
    tracked: Callable[..., Run],
) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'tensorboard'"):
        tracked("tensorbord")


def test_a_failing_tracker_is_left_out_and_the_run_goes_on(
    tracked: Callable[..., Run], tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text(BROKEN, encoding="utf-8")
    hearing = Hearing()
    run = tracked("broken", plugins=[tmp_path / "broken.py"], observer=hearing)
    assert run.rows()[-1]["step"] == 6
    assert len(hearing.warnings) == 1
    assert "'broken' failed" in hearing.warnings[0]
    assert "the line is dead" in hearing.warnings[0]
