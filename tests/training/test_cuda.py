"""What holds on a GPU, where there is one: recorded steps equal eager ones, and nothing waits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from systems import SYSTEMS, Settings, after, differences, failing, trainer

from gan_toolkit.engines import Eager
from gan_toolkit.engines.backends import CAPTURED, COMPILED, Backend
from gan_toolkit.engines.programs import Programs
from gan_toolkit.run import Run

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]

GPU = {"compute.device": "cuda"}
ROUNDED = 1e-6
"""Of float64, relative to each tensor, after ten steps: a GPU's Adam reads its rate in float32."""


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.usefixtures("double")
def test_a_recorded_step_equals_the_eager_step(system: str) -> None:
    found = after(Programs(failing, CAPTURED), trainer(system, GPU))
    assert differences(found, after(Eager(), trainer(system, GPU)), ROUNDED) == []


@pytest.mark.parametrize("system", ["r1", "wgan"])
@pytest.mark.usefixtures("double")
def test_machine_code_equals_the_eager_step(system: str) -> None:
    found = after(Programs(failing, COMPILED), trainer(system, GPU))
    assert differences(found, after(Eager(), trainer(system, GPU)), ROUNDED) == []


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("backend", [None, CAPTURED], ids=["eager", "captured"])
def test_no_step_waits_for_the_gpu(backend: Backend | None) -> None:
    one = trainer("dcgan", {**GPU, "log_every": 1000})
    engine = Programs(failing, backend) if backend else Eager()
    for _ in range(3):
        engine.step(one.state, *one.feed.moves(one.state))
    try:
        torch.cuda.set_sync_debug_mode("error")
        for _ in range(20):
            engine.step(one.state, *one.feed.moves(one.state))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert one.state.step == 23


@pytest.mark.parametrize("engine", ["eager", "captured"])
def test_a_run_resumes_exactly(resumed_exactly: Callable[[Settings], Run], engine: str) -> None:
    lazy = {"terms.zero": {"name": "r1r2", "every": 4}}
    run = resumed_exactly({**GPU, **lazy, "compute.engine": engine})
    assert run.recipe()["compute"]["engine"] == engine
