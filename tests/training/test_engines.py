"""Every engine leaves the state that the eager one leaves, and what cannot be compiled is eager."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.fx import GraphModule

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.engines import Eager, Engine
from gan_toolkit.engines.arithmetic import UPDATES
from gan_toolkit.engines.choice import chosen
from gan_toolkit.engines.compiled import Compiled
from gan_toolkit.engines.program import tensors_of, with_tensors
from gan_toolkit.errors import Interrupted
from gan_toolkit.observer import Observer
from gan_toolkit.optimisers import SGD, Adam, RMSProp
from gan_toolkit.resolve import Request
from gan_toolkit.run import Run
from gan_toolkit.state import TrainState
from gan_toolkit.tensors import TensorData
from gan_toolkit.trainer import Trainer
from gan_toolkit.training import prepare

SKETCHES = Path(__file__).parent / "sketches.py"
Settings = dict[str, Any]  # Any: TOML values

TOLERANCE = 1e-9
"""Of float64, relative to each tensor, after ten steps."""
NOTHING = 1e-12
"""Norm of a difference that is rounding about zero: a bias in front of a norm has no gradient."""
SINGLE = 1e-3
"""The same of float32."""

MLP: Settings = {"arch.hidden": [6, 6], "arch.latent": 2}
SMALL: Settings = {"arch.width": 2, "arch.latent": 3}


def term(*names: str) -> Settings:
    return {f"terms.{name}": {"name": name} for name in names}


def penalised(penalty: str, **options: object) -> Settings:
    return {
        **MLP,
        "terms.adversarial": {"name": "wasserstein"},
        "terms.penalty": {"name": penalty, **options},
    }


SYSTEMS: dict[str, tuple[str, str, Settings]] = {
    "mlp": ("mlp", "ring", MLP),
    "mlp-normed": (
        "mlp",
        "ring",
        {**MLP, "arch.generator_norm": "batch", "arch.discriminator_norm": "layer"},
    ),
    "mlp-spectral": ("mlp", "ring", {**MLP, "arch.spectral_norm": True, "arch.octaves": 2}),
    "dcgan": ("dcgan", "digits", SMALL),
    "dcgan-spectral": ("dcgan", "digits", {**SMALL, "arch.norm": "spectral"}),
    "dcgan-accumulated": ("dcgan", "digits", {**SMALL, "accumulate": 2}),
    "cdcgan": ("cdcgan", "digits", {**SMALL, "arch.hidden": 5, "fake_labels": "uniform"}),
    "keras": ("keras", "mnist-like", {"arch.filters": [2], "arch.latent": 3}),
    "oreilly": ("oreilly", "mnist-like", {"arch.latent": 4}),
    "wgan": ("wgan", "digits", {**SMALL, "terms.penalty": {"name": "wgan-gp", "every": 2}}),
    "progressive": (
        "progressive",
        "digits",
        {
            "arch.width": 3,
            "arch.latent": 3,
            "arch.stage_kimg": 0.006,
            "arch.fade_kimg": 0.006,
            "arch.whole_batch_to": 8,
            "terms.drift": {"name": "drift"},
        },
    ),
    "non-saturating": ("mlp", "ring", {**MLP, "terms.adversarial": {"name": "non-saturating"}}),
    "minimax": ("mlp", "ring", {**MLP, "terms.adversarial": {"name": "minimax"}}),
    "least-squares": ("mlp", "ring", {**MLP, "terms.adversarial": {"name": "least-squares"}}),
    "wasserstein": ("mlp", "ring", {**MLP, "terms.adversarial": {"name": "wasserstein"}}),
    "hinge": ("mlp", "ring", {**MLP, "terms.adversarial": {"name": "hinge"}}),
    "relativistic-pairing": (
        "mlp",
        "ring",
        {
            **MLP,
            "terms.adversarial": {"name": "relativistic-pairing"},
            "updates.generator.fresh_reals": True,
        },
    ),
    "relativistic-average": (
        "mlp",
        "ring",
        {**MLP, "terms.adversarial": {"name": "relativistic-average"}},
    ),
    "auxiliary-classifier": (
        "cdcgan",
        "digits",
        {
            **SMALL,
            "arch.hidden": 5,
            "arch.conditioning": "classifier",
            "terms.head": {"name": "auxiliary-classifier"},
        },
    ),
    "drift": ("mlp", "ring", penalised("drift")),
    "r1": ("mlp", "ring", penalised("r1", gamma={"start": 1.0, "end": 0.1}, every=2)),
    "r2": ("mlp", "ring", penalised("r2")),
    "zero-centred-gp": ("mlp", "ring", penalised("zero-centred-gp")),
    "wgan-gp": ("mlp", "ring", penalised("wgan-gp")),
    "wgan-lp": ("mlp", "ring", penalised("wgan-lp")),
    "dragan": ("mlp", "ring", penalised("dragan")),
    "weight-clipping": ("mlp", "ring", penalised("weight-clipping")),
    "diffaugment": (
        "dcgan",
        "digits",
        {**SMALL, "arch.norm": "none", "augmentation.name": "diffaugment", **term("r1")},
    ),
    "critic-five-times": ("mlp", "ring", {**MLP, "updates.discriminator.times": 5}),
    "rmsprop": (
        "mlp",
        "ring",
        {
            **MLP,
            "updates.discriminator.optimiser": {"name": "rmsprop", "lr": 1e-4},
            "updates.generator.optimiser": {"name": "rmsprop", "lr": 1e-4, "momentum": 0.5},
        },
    ),
    "sgd": (
        "mlp",
        "ring",
        {
            **MLP,
            "updates.discriminator.optimiser": {"name": "sgd", "lr": 1e-3},
            "updates.generator.optimiser": {"name": "sgd", "lr": 1e-3, "momentum": 0.5},
        },
    ),
    "sketch-tied": (
        "tied",
        "vectors",
        {"updates.generator.networks": ["generator", "q"]},
    ),
    "sketch-growing": ("growing", "vectors", {}),
    "sketch-mapped": (
        "mapped",
        "vectors",
        {
            "terms.path": {"name": "path-length"},
            "updates.generator.networks": ["mapping", "generator"],
            "updates.generator.rates": {"mapping": 0.01},
        },
    ),
    "sketch-translating": (
        "translating",
        "pairs",
        {
            "terms.cycle": {"name": "cycle"},
            "updates.discriminator.networks": ["judge_a", "judge_b"],
            "updates.generator.networks": ["to_a", "to_b"],
        },
    ),
}
KINDS = ("architecture", "loss", "penalty", "augmentation")


def as_graph(graph: GraphModule, examples: list[Tensor]) -> GraphModule:
    """Run the program operation by operation: what is traced, without a compiler."""
    del examples
    return graph


def trainer(system: str, more: Settings | None = None) -> Trainer:
    arch, data, settings = SYSTEMS[system]
    rate = {"lr": 1e-4, "eps": 1e-4}  # a gradient that is zero but for rounding moves nothing
    base = {
        "batch": 6,
        "steps": 10,
        "log_every": 3,  # vital signs are looked at in steps 0, 3, 6 and 9
        "compute.device": "cpu",
        "ema.half_life_kimg": 0.05,
        "updates.discriminator.optimiser": rate,
        "updates.generator.optimiser": rate,
    }
    noise = torch.randint(0, 256, (30, 1, 28, 28), generator=torch.Generator().manual_seed(3))
    tensors = {
        "mnist-like": noise.to(torch.uint8),
        "vectors": torch.randn(50, 8, generator=torch.Generator().manual_seed(5)),
    }
    given_data = TensorData.of(tensors[data]) if data in tensors else data
    if data == "digits":
        base |= {"data.resolution": 16}
    request = Request(
        arch=arch, data=given_data, settings=copy.deepcopy({**base, **settings, **(more or {})})
    )
    return prepare(request, Catalogue.discover([SKETCHES]), Observer()).trainer(Observer())


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def widened(tensor: Tensor) -> Tensor:
    return tensor.to(torch.get_default_dtype()) if tensor.is_floating_point() else tensor


def after(engine: Engine, one: Trainer, steps: int = 10) -> TrainState:
    """Make steps with every input in torch's default precision."""
    for _ in range(steps):
        moves, new = one.feed.moves(one.state)
        wide = [with_tensors(move, map(widened, tensors_of([move]))) for move in moves]
        engine.step(one.state, wide, new)
        one.state.grow()
    return one.state


def differences(a: TrainState, b: TrainState, tolerance: float) -> list[str]:
    """Return the names of tensors that differ by more than a share of their norm."""
    left, right = a.tensors(), b.tensors()
    assert left.keys() == right.keys()
    return [
        name
        for name in left
        if not (left[name] - right[name]).double().norm()
        <= tolerance * right[name].double().norm() + NOTHING
    ]


def failing(text: str) -> None:
    raise AssertionError(text)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.usefixtures("double")
def test_a_step_as_one_program_equals_the_eager_step(system: str) -> None:
    one, other = trainer(system), trainer(system)
    program = after(Compiled(failing, as_graph), one)
    assert differences(program, after(Eager(), other), TOLERANCE) == []


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
    assert differences(after(Compiled(failing), one), after(Eager(), other), TOLERANCE) == []


def test_machine_code_equals_the_eager_step_in_single_precision() -> None:
    one, other = trainer("rmsprop"), trainer("rmsprop")
    assert differences(after(Compiled(failing), one), after(Eager(), other), SINGLE) == []


@pytest.mark.parametrize("system", ["r1", "r2", "wgan-gp", "wgan", "dragan"])
@pytest.mark.usefixtures("double")
def test_a_penalty_reaches_the_weights_in_a_program(system: str) -> None:
    """A compiler that lost a gradient of a gradient would leave both runs alike."""
    factor = "gamma" if system in {"r1", "r2"} else "weight"
    always = {"terms.penalty.every": 1}
    weak = trainer(system, always)
    strong = trainer(system, {**always, f"terms.penalty.{factor}": 1000.0})
    a, b = (after(Compiled(failing, as_graph), one, 2) for one in (weak, strong))
    c = after(Eager(), trainer(system, always), 2)
    assert differences(a, c, TOLERANCE) == []
    assert any("exp_avg" in name for name in differences(a, b, 1e-3))


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
def test_the_arithmetic_is_torchs_own(options: Adam | RMSProp | SGD, dtype: torch.dtype) -> None:
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
        UPDATES[type(optimiser)](ours, gradient, slots, lr, optimiser.param_groups[0])
    tolerance = 1e-12 if dtype == torch.float64 else 1e-6
    pairs = [(ours, theirs.detach())]
    pairs += [(slots[slot], tensor) for slot, tensor in optimiser.state[theirs].items()]
    for own, other in pairs:
        torch.testing.assert_close(own, other, rtol=tolerance, atol=tolerance / 1000)


Sketch = Callable[..., Run]


def test_a_compiled_run_resumes_exactly(
    sketch: Sketch, last_tensors: Any, untimed: Any, stop_at: Any
) -> None:
    lazy = {"terms.zero": {"name": "r1r2", "every": 4}}
    settings: Settings = {**lazy, "compute.engine": "compiled"}
    whole = sketch(out="whole", settings=settings)
    assert whole.recipe()["compute"]["engine"] == "compiled"
    with pytest.raises(Interrupted):
        sketch(out="stopped", settings=settings, observer=stop_at(9))
    resumed = sketch(resume=whole.path.with_name("stopped"))
    right, found = last_tensors(whole), last_tensors(resumed)
    assert right.keys() == found.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in right.items())
    assert untimed(whole) == untimed(resumed)


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
        eager = sketch("normed", out="eager", settings={"steps": 3, "compute.engine": "eager"})
        right, found = last_tensors(eager), last_tensors(run)
        assert all(torch.equal(found[name], tensor) for name, tensor in right.items())

    def test_a_compiler_that_fails_is_quoted(
        self, sketch: Sketch, stop_at: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(graph: GraphModule, examples: list[Tensor]) -> Any:
            raise OSError("no compiler\nhere")

        monkeypatch.setattr("gan_toolkit.engines.compiled.inductor", broken)
        run, warnings = self.made(sketch, "plain", {}, stop_at)
        assert warnings == ["Not compiled, the eager engine goes on instead: no compiler here."]
        assert run.rows()[-1]["step"] == 3

    def test_a_compiler_that_errs_is_found_out(self) -> None:
        def loses_gradients(graph: GraphModule, examples: list[Tensor]) -> GraphModule:
            for node in graph.graph.nodes:
                if node.target == torch.ops.aten.addcmul_.default:
                    node.kwargs = {"value": 0.5}
            graph.recompile()
            return graph

        warnings: list[str] = []
        one, other = trainer("mlp"), trainer("mlp")
        wrong = after(Compiled(warnings.append, loses_gradients), one)
        assert "Compiled wrongly" in warnings[0]
        assert differences(wrong, after(Eager(), other), 0.0) == []


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
