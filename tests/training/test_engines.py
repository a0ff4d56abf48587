"""Every engine leaves the state that the eager one leaves, and what cannot be compiled is eager."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from systems import SYSTEMS, Settings, after, differences, failing, trainer
from torch import Tensor
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.engines import Eager
from gan_toolkit.engines.arithmetic import AT_ONCE, WRITTEN_OUT, Updates
from gan_toolkit.engines.backends import (
    CAPTURED,
    COMPILED,
    PRODUCTS,
    Backend,
    changing_last,
    side_by_side,
)
from gan_toolkit.engines.choice import chosen
from gan_toolkit.engines.programs import Programs, disagreements
from gan_toolkit.optimisers import SGD, Adam, RMSProp
from gan_toolkit.run import Run

TOLERANCE = 1e-9
"""Of float64, relative to each tensor, after ten steps."""
SINGLE = 1e-3
"""The same of float32."""
KINDS = ("architecture", "loss", "penalty", "augmentation")

TRACED = Backend("traced", changing_last, decompositions=PRODUCTS, joins=True)
"""What `compiled` hands to the compiler, run operation by operation."""


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.usefixtures("double")
def test_a_step_as_one_program_equals_the_eager_step(system: str) -> None:
    eager = after(Eager(), trainer(system))
    for backend in (TRACED, CAPTURED):
        program = after(Programs(failing, backend), trainer(system))
        assert differences(program, eager, TOLERANCE) == []


@pytest.mark.parametrize("system", ["mlp", "rmsprop", "sketch-mapped"])
@pytest.mark.usefixtures("double")
def test_eager_steps_go_on_from_a_program_and_it_from_them(system: str) -> None:
    eager, mixed = trainer(system), trainer(system)
    programs = Programs(failing, TRACED)
    for engine in (programs, Eager(), programs, Eager()):
        after(engine, mixed, 2)
        after(Eager(), eager, 2)
        assert differences(mixed.state, eager.state, TOLERANCE) == []


@pytest.mark.usefixtures("double")
def test_programs_that_join_other_weights_go_on_from_each_other() -> None:
    """At step 1 no term reaches the head, at step 2 one does: only then has it a memory."""
    late = {
        "updates.discriminator.starts_at": 1,
        "terms.head": {"name": "auxiliary-classifier", "every": 2},
    }
    eager, joined = trainer("auxiliary-classifier", late), trainer("auxiliary-classifier", late)
    programs = Programs(failing, TRACED)
    for _ in range(7):
        after(programs, joined, 1)
        after(Eager(), eager, 1)
        assert differences(joined.state, eager.state, TOLERANCE) == []
    tensors = {name: tensor.clone() for name, tensor in joined.state.tensors().items()}
    for one in (joined, eager):
        one.state.load(tensors, step=7, nimg=42)
    expected = after(Eager(), eager, 3)
    assert differences(after(programs, joined, 3), expected, TOLERANCE) == []


@pytest.mark.usefixtures("double")
def test_a_program_goes_on_from_a_state_that_is_older_than_an_optimisers_memory() -> None:
    """As after NaN: back to a checkpoint of before G's first update, which left it a memory."""
    late = {"updates.generator.starts_at": 2}
    eager, one = trainer("mlp", late), trainer("mlp", late)
    programs = Programs(failing, TRACED)
    state = after(programs, one, 1)
    tensors = {name: tensor.clone() for name, tensor in state.tensors().items()}
    nimg = state.nimg
    assert not any(name.startswith("optimisers/generator") for name in tensors)
    after(programs, one, 3)
    state.load(tensors, step=1, nimg=nimg)
    after(programs, one, 4)
    assert differences(state, after(Eager(), eager, 5), TOLERANCE) == []


@pytest.mark.parametrize("backend", [TRACED, CAPTURED], ids=["compiled", "captured"])
@pytest.mark.usefixtures("double")
def test_a_program_of_an_earlier_stage_goes_on_after_a_later_one(backend: Backend) -> None:
    """A stage's own layers begin without an optimiser's memory again."""
    one, eager = trainer("progressive"), trainer("progressive")
    last = one.recipe.plan.length * one.recipe.plan.reals_per_step
    engine = Programs(failing, backend)
    for nimg in (0, last, 0):
        for each in (one, eager):
            each.state.nimg = nimg
            each.state.grow()
        after(engine, one, 1)
        after(Eager(), eager, 1)
        assert differences(one.state, eager.state, TOLERANCE) == []


def test_every_bundled_component_is_among_these_systems() -> None:
    catalogue = Catalogue.discover()
    bundled = {component.name for kind in KINDS for component, _ in catalogue.components(kind)}
    named = {arch for arch, _, _ in SYSTEMS.values()} | set(SYSTEMS)
    assert bundled <= named


@pytest.mark.parametrize("system", ["r1", "wgan"])
@pytest.mark.usefixtures("double")
def test_machine_code_equals_the_eager_step(system: str) -> None:
    always = {"terms.penalty.every": 1}  # one program, and dense layers or convolutions in it
    one, other = trainer(system, always), trainer(system, always)
    assert (
        differences(after(Programs(failing, COMPILED), one), after(Eager(), other), TOLERANCE) == []
    )


def test_machine_code_equals_the_eager_step_in_single_precision() -> None:
    one, other = trainer("rmsprop"), trainer("rmsprop")
    assert differences(after(Programs(failing, COMPILED), one), after(Eager(), other), SINGLE) == []


def test_sines_and_tanh_of_machine_code_are_the_true_ones() -> None:
    generator = torch.Generator().manual_seed(4)
    x = (
        torch.randn(129, 3, generator=generator)
        * 10.0 ** torch.arange(-4, 3)[torch.arange(129) % 7, None]
    )
    frequencies = 2.0 ** torch.arange(5)

    def curves(x: Tensor, frequencies: Tensor) -> list[Tensor]:
        angles = x.unsqueeze(2) * frequencies
        return [torch.cat([x, angles.sin().flatten(1), angles.cos().flatten(1)], 1), x.tanh()]

    given = [x, frequencies]
    found = COMPILED.build(make_fx(curves)(*given), given)(*given)
    true = curves(x.double(), frequencies.double())
    for own, other in zip(found, true, strict=True):
        torch.testing.assert_close(own.double(), other, rtol=0, atol=2e-7)


@pytest.mark.parametrize("system", ["r1", "r2", "wgan-gp", "wgan", "dragan"])
@pytest.mark.usefixtures("double")
def test_a_penalty_reaches_the_weights_in_a_program(system: str) -> None:
    """A program that lost a gradient of a gradient would leave both runs alike."""
    factor = "gamma" if system in {"r1", "r2"} else "weight"
    always = {"terms.penalty.every": 1}
    weak = trainer(system, always)
    strong = trainer(system, {**always, f"terms.penalty.{factor}": 1000.0})
    a, b = (after(Programs(failing, TRACED), one, 2) for one in (weak, strong))
    c = after(Eager(), trainer(system, always), 2)
    assert differences(a, c, TOLERANCE) == []
    assert any("exp_avg" in name for name in differences(a, b, 1e-3))


def test_a_program_computes_no_gradient_of_a_convolution_that_nobody_reads() -> None:
    asked: list[bool] = []

    def seen(graph: GraphModule, examples: list[Tensor]) -> GraphModule:
        del examples
        backward = torch.ops.aten.convolution_backward.default
        for node in graph.graph.find_nodes(op="call_function", target=backward):
            read = {user.args[1] for user in node.users}
            asked.extend(place in read for place, wanted in enumerate(node.args[-1]) if wanted)
        return graph

    # Its first gradient is that of samples, though a layer could give that of its weights as well.
    after(Programs(failing, Backend("seen", seen)), trainer("wgan", {"terms.penalty.every": 1}), 1)

    assert len(asked) > 10
    assert all(asked)


@pytest.mark.parametrize("updates", [WRITTEN_OUT, AT_ONCE], ids=["written out", "at once"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "options",
    [
        Adam(),
        Adam(beta1=0.0, beta2=0.99),
        RMSProp(),
        RMSProp(momentum=0.9),
        SGD(),
        SGD(momentum=0.9),
    ],
    ids=str,
)
def test_the_arithmetic_is_torchs_own(
    options: Adam | RMSProp | SGD, dtype: torch.dtype, updates: Updates
) -> None:
    generator = torch.Generator().manual_seed(4)
    start = torch.randn(7, 5, generator=generator, dtype=torch.float64).to(dtype)
    theirs = torch.nn.Parameter(start.clone())
    optimiser = options.build([{"params": [theirs], "lr": 0.0}])
    ours, slots = start.clone(), dict[str, Tensor]()
    for step in range(20):
        rate = 1e-2 / (1 + step)
        gradient = torch.randn(7, 5, generator=generator, dtype=torch.float64).to(dtype)
        theirs.grad = gradient.clone()
        optimiser.param_groups[0]["lr"] = rate
        optimiser.step()
        slots = slots or {
            slot: torch.zeros_like(tensor) for slot, tensor in optimiser.state[theirs].items()
        }
        lr = torch.tensor(rate, dtype=torch.float64)
        group = optimiser.param_groups[0]
        updates[type(optimiser)]([ours], [gradient], [slots], lr, group)
    tolerance = 1e-12 if dtype == torch.float64 else 2e-6  # AVX-512 rounds otherwise: 1.2e-6
    pairs = [(ours, theirs.detach())]
    pairs += [(slots[slot], tensor) for slot, tensor in optimiser.state[theirs].items()]
    for own, other in pairs:
        torch.testing.assert_close(own, other, rtol=tolerance, atol=tolerance / 1000)


Sketch = Callable[..., Run]


def test_a_compiled_run_resumes_exactly(resumed_exactly: Callable[[Settings], Run]) -> None:
    lazy = {"terms.zero": {"name": "r1r2", "every": 4}}
    run = resumed_exactly({**lazy, "compute.engine": "compiled"})
    assert run.recipe()["compute"]["engine"] == "compiled"


def test_the_parts_of_a_program_are_compiled_at_the_same_time(tmp_path: Path) -> None:
    from torch._inductor import codecache

    meeting, built = threading.Barrier(2, timeout=60), []

    class Part:
        def __init__(self, name: str, alone: bool) -> None:
            self.name, self.alone = name, alone

        def get_target_file_path(self) -> str:
            return str(tmp_path / self.name)

        def build(self) -> None:
            if not self.alone:
                meeting.wait()
            built.append(self.name)

    parts: Any = [Part("loops.o", False), Part("wrapper.o", False), Part("whole.so", True)]
    with side_by_side():
        codecache._worker_compile_cpp(str(tmp_path / "lock"), parts)
    assert built[2:] == ["whole.so"]


def test_machine_code_is_kept_in_the_cache_folder_without_line_tables(tmp_path: Path) -> None:
    words = "train --arch mlp --data ring --steps 2 --set arch.hidden=[4] --engine compiled"
    told = {name: value for name, value in os.environ.items() if name != "TORCHINDUCTOR_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-m", "gan_toolkit", *words.split(), "--out", tmp_path / "run"],
        env={**told, "GANTK_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Not compiled" not in done.stderr
    programs = list((tmp_path / "cache" / "compiled").rglob("*.so"))
    assert programs
    assert not any(b".debug_line" in program.read_bytes() for program in programs)


class TestFallingBack:
    """What cannot be compiled is made eagerly, and why is said before the first step."""

    def made(
        self, sketch: Sketch, arch: str, settings: Settings, stop_at: Any
    ) -> tuple[Run, list[str]]:
        observer = stop_at(-1)
        settings = {**settings, "steps": 3, "compute.engine": "compiled"}
        return sketch(arch, settings=settings, observer=observer), observer.warnings

    def test_networks_that_draw_for_themselves_are_left_alone(
        self, sketch: Sketch, stop_at: Any, last_tensors: Any
    ) -> None:
        run, warnings = self.made(sketch, "normed", {}, stop_at)
        assert "Not compiled" in warnings[0]
        assert "draws for itself" in warnings[0]
        assert run.recipe()["compute"]["engine"] == "eager"
        assert len(warnings) == 1
        eager = sketch("normed", out="eager", settings={"steps": 3, "compute.engine": "eager"})
        right, found = last_tensors(eager), last_tensors(run)
        assert all(torch.equal(found[name], tensor) for name, tensor in right.items())

    def test_a_compiler_that_fails_is_quoted(
        self, sketch: Sketch, stop_at: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(graph: GraphModule, examples: list[Tensor]) -> Any:
            raise OSError("no compiler\nhere")

        monkeypatch.setattr("gan_toolkit.engines.backends.COMPILED", Backend("compiled", broken))
        run, warnings = self.made(sketch, "plain", {}, stop_at)
        assert warnings == ["Not compiled, the eager engine goes on instead: no compiler here."]
        assert run.rows()[-1]["step"] == 3

    def test_then_no_other_kind_of_step_is_compiled_either(
        self, sketch: Sketch, stop_at: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried = []

        def broken(graph: GraphModule, examples: list[Tensor]) -> Any:
            tried.append(graph)
            raise OSError("no compiler here")

        monkeypatch.setattr("gan_toolkit.engines.backends.COMPILED", Backend("compiled", broken))
        lazy = {"terms.p": {"name": "r1", "every": 2}}
        _, warnings = self.made(sketch, "plain", lazy, stop_at)
        assert len(tried) == len(warnings) == 1

    def test_a_compiler_that_errs_is_found_out(self) -> None:
        def loses_gradients(graph: GraphModule, examples: list[Tensor]) -> GraphModule:
            for node in graph.graph.nodes:
                if node.target == torch.ops.aten.addcmul_.default:
                    node.kwargs = {"value": 0.5}
            graph.recompile()
            return graph

        warnings: list[str] = []
        one, other = trainer("mlp"), trainer("mlp")
        wrong = after(Programs(warnings.append, Backend("compiled", loses_gradients)), one)
        assert "Compiled wrongly" in warnings[0]
        assert differences(wrong, after(Eager(), other), 0.0) == []

    @pytest.mark.parametrize(
        ("system", "wrong", "change"),
        [
            ("sketch-mapped", "terms/path/", lambda kept: kept * 1.5 + 1),
            ("dcgan", "networks/generator/2.num_batches_tracked", lambda kept: kept + 1),
            ("mlp-normed", "networks/generator/0.weight", lambda kept: -kept),
            ("mlp-normed", "optimisers/discriminator/", lambda kept: kept * 1.1),
            ("mlp-normed", "ema/generator/", lambda kept: -kept),
        ],
    )
    def test_whatever_came_out_otherwise_is_named(
        self, system: str, wrong: str, change: Callable[[Tensor], Tensor]
    ) -> None:
        before = after(Eager(), trainer(system), 1)
        expected = after(Eager(), trainer(system), 2)
        tensors = expected.tensors()
        tampered = next(name for name in tensors if name.startswith(wrong))
        found = expected.copied()
        moved = tensors[tampered] - before.tensors()[tampered]
        found.load(
            {**tensors, tampered: tensors[tampered] - moved + change(moved)},
            step=expected.step,
            nimg=expected.nimg,
        )

        assert disagreements(before, expected, expected.copied()) == []
        assert disagreements(before, expected, found)

    def test_weights_that_go_the_wrong_way_are_found_out(self) -> None:
        def climbs(graph: GraphModule, examples: list[Tensor]) -> GraphModule:
            for node in graph.graph.nodes:
                if node.target == torch.ops.aten.sub_.Tensor:
                    node.target = torch.ops.aten.add_.Tensor
            graph.recompile()
            return graph

        warnings: list[str] = []
        sgd = {"name": "sgd", "lr": 1e-3}
        settings = {f"updates.{role}.optimiser": sgd for role in ("discriminator", "generator")}
        after(
            Programs(warnings.append, Backend("compiled", climbs)), trainer("mlp-normed", settings)
        )
        assert "Compiled wrongly" in warnings[0]


class TestAuto:
    """`auto` compiles only what ends sooner for it, and says why."""

    def test_a_short_run_is_eager(self) -> None:
        name, why = chosen(trainer("mlp").state, 1000)
        assert name == "eager"
        assert "compiling takes longer" in why

    def test_a_long_run_of_dense_networks_is_compiled(self) -> None:
        assert chosen(trainer("mlp").state, 100_000)[0] == "compiled"

    def test_convolutions_are_eager(self) -> None:
        name, why = chosen(trainer("dcgan").state, 10**9)
        assert name == "eager"
        assert "convolutions" in why

    def test_without_a_compiler_all_is_eager(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shutil.which", lambda name: None)
        assert chosen(trainer("mlp").state, 10**9) == (
            "eager",
            "as there is no C++ compiler here",
        )

    def test_a_run_records_what_was_decided(self, sketch: Sketch) -> None:
        assert sketch(settings={"steps": 3}).recipe()["compute"]["engine"] == "eager"
