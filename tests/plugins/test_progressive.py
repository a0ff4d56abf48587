"""Progressive growing is the paper's: table 2, fades; its runs resume exactly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

import gan_toolkit
from gan_toolkit import Catalogue, DataSpec, FieldSpec, Observer, Run
from gan_toolkit.checkpoint import listed, read
from gan_toolkit.errors import Interrupted, RecipeError
from gan_toolkit.play import Play
from gan_toolkit.resolve import Request, resolve
from gan_toolkit.run import TIMES
from gan_toolkit.state import TrainState
from gan_toolkit.step import minibatches
from gantk_progressive.drift import Drift
from gantk_progressive.growth import Progressive
from gantk_progressive.layers import (
    enlarged,
)

PAPER = Progressive(latent=512, width=512, taper=16384, stage_kimg=800.0, fade_kimg=800.0, group=16)
TINY = Progressive(latent=5, width=6, taper=48, stage_kimg=0.06, fade_kimg=0.06)


def spec(*shape: int) -> DataSpec:
    """Return a data specification of one image shape."""
    field = FieldSpec(shape=shape, low=-1.0, high=1.0)
    return DataSpec(name="test", fields={"sample": field})


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def at(level: float) -> dict[str, Tensor]:
    return {"level": torch.tensor(level)}


# The paper's table 2


def test_at_1024_both_networks_have_the_papers_23_1_million_parameters() -> None:
    with torch.device("meta"):
        nets = PAPER.networks(spec(3, 1024, 1024), 16)
    counted = {name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()}
    assert counted == {"generator": 23_071_507, "discriminator": 23_077_137}


def test_at_1024_the_channels_are_those_of_the_papers_table_2() -> None:
    with torch.device("meta"):
        nets = PAPER.networks(spec(3, 1024, 1024), 16)
    G = {name: tuple(p.shape) for name, p in nets["generator"].named_parameters()}
    D = {name: tuple(p.shape) for name, p in nets["discriminator"].named_parameters()}
    channels = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256, 128: 128, 256: 64, 512: 32, 1024: 16}
    for side in (8, 16, 32, 64, 128, 256, 512, 1024):
        wide, narrow = channels[side // 2], channels[side]
        in_g = [s for name, s in G.items() if name.startswith(f"blocks.{side}.") and len(s) == 4]
        in_d = [s for name, s in D.items() if name.startswith(f"blocks.{side}.") and len(s) == 4]
        assert in_g == [(narrow, wide, 3, 3), (narrow, narrow, 3, 3)]
        assert in_d == [(narrow, narrow, 3, 3), (wide, narrow, 3, 3)]
    assert [s for name, s in G.items() if name.startswith("first") and len(s) == 4] == [
        (512, 512, 4, 4),
        (512, 512, 3, 3),
    ]
    assert G["to_image.1024.weight"] == (3, 16, 1, 1)
    assert D["from_image.1024.0.weight"] == (16, 3, 1, 1)
    assert [s for name, s in D.items() if name.startswith("last") and len(s) > 1] == [
        (512, 513, 3, 3),
        (512, 512 * 16),
        (1, 512),
    ]


def test_at_1024_thin_networks_make_and_judge_an_image() -> None:
    arch = Progressive(latent=4, width=4, taper=1)
    nets = arch.networks(spec(3, 1024, 1024), 15)
    fakes = arch.generate(nets, {"z": noise(1, 4)}, {}, at(7.5))
    assert fakes["sample"].shape == (1, 3, 1024, 1024)
    assert arch.judge(nets, fakes, at(7.5)).logits.shape == (1,)


# Fades


def kept(new: nn.Module, old: nn.Module) -> None:
    """Give a grown network the weights of the one before, by name."""
    own = new.state_dict()
    new.load_state_dict(own | {k: v for k, v in old.state_dict().items() if k in own})


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_fade_leads_from_the_old_networks_to_the_new(level: int) -> None:
    data = spec(2, 32, 32)
    old, fading, new = (TINY.networks(data, stage) for stage in range(2 * level - 2, 2 * level + 1))
    for name in old:
        kept(fading[name], old[name])
        kept(new[name], fading[name])
    z, x = {"z": noise(6, 5)}, {"sample": noise(6, 2, 32, 32)}

    def both(nets: Any, where: float) -> tuple[Tensor, Tensor]:
        return TINY.generate(nets, z, {}, at(where))["sample"], TINY.judge(
            nets, x, at(where)
        ).logits

    begun, ended = both(fading, level - 1.0), both(fading, float(level))
    before, after = both(old, level - 1.0), both(new, float(level))
    assert torch.equal(begun[0], before[0])
    torch.testing.assert_close(begun[1], before[1])  # the same means of pixels, in another order
    for part in range(2):
        assert torch.equal(ended[part], after[part])
        assert not torch.allclose(begun[part], ended[part])
    quarter = both(fading, level - 0.75)[0]
    torch.testing.assert_close(quarter, 0.75 * begun[0] + 0.25 * ended[0])


def test_small_pictures_are_enlarged_without_smoothing() -> None:
    image = TINY.generate(TINY.networks(spec(1, 32, 32), 0), {"z": noise(2, 5)}, {}, at(0.0))
    picture = image["sample"]
    assert torch.equal(
        picture, picture[..., ::8, ::8].repeat_interleave(8, 2).repeat_interleave(8, 3)
    )


def test_a_fade_in_bfloat16_is_that_of_float32_to_its_precision() -> None:
    torch.manual_seed(0)
    nets = TINY.networks(spec(1, 16, 16), 3)
    z, s = {"z": noise(8, 5)}, at(1.3)
    exact = TINY.generate(nets, z, {}, s)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = TINY.generate(nets, z, {}, s)
        logits = TINY.judge(nets, exact, s).logits
    for seen, wanted in (
        (rounded["sample"], exact["sample"]),
        (logits, TINY.judge(nets, exact, s).logits),
    ):
        assert seen.dtype == torch.bfloat16
        assert float((seen - wanted).detach().abs().mean()) < 0.02 * float(wanted.detach().std())


@pytest.mark.parametrize(
    ("level", "shares"),
    [(0.0, {4: 1.0}), (1.25, {8: 0.75, 16: 0.25}), (3.0, {32: 1.0}), (7.5, {32: 1.0})],
)
def test_real_images_fade_as_the_generators_do(level: float, shares: dict[int, float]) -> None:
    x = noise(3, 2, 32, 32)
    expected = torch.zeros_like(x)
    for side, share in shares.items():
        small = x.view(3, 2, side, 32 // side, side, 32 // side).mean((3, 5))
        expected += share * small.repeat_interleave(32 // side, 2).repeat_interleave(32 // side, 3)
    seen = TINY.seen({"sample": x, "label": torch.arange(3)}, at(level))
    torch.testing.assert_close(seen["sample"], expected)
    assert seen["label"].tolist() == [0, 1, 2]
    if shares == {32: 1.0}:
        assert torch.equal(seen["sample"], x)


def test_the_discriminator_sees_no_more_than_its_own_size() -> None:
    D = TINY.networks(spec(1, 32, 32), 2)["discriminator"]
    x = noise(4, 1, 32, 32)
    small = avg_pool2d(x, 4)
    torch.testing.assert_close(D(x, torch.tensor(1.0)), D(small, torch.tensor(1.0)))


# When it grows


def test_stages_and_levels_follow_the_images_seen() -> None:
    arch = Progressive(stage_kimg=2.0, fade_kimg=1.0)
    stages = [arch.stage_at(nimg) for nimg in (0, 1999, 2001, 2999, 3000, 4999, 5500, 6000, 10**9)]
    assert stages == [0, 0, 1, 1, 2, 2, 3, 4, 16]
    levels = [arch.scalars(nimg)["level"] for nimg in (0, 2000, 2500, 3000, 5250, 10**9)]
    assert levels == [0.0, 0.0, 0.5, 1.0, 1.25, 8.0]


@given(st.integers(0, 60_000), st.integers(0, 500))
def test_growth_never_goes_back_and_a_stage_is_a_level_or_on_its_way(nimg: int, more: int) -> None:
    arch = Progressive(stage_kimg=0.7, fade_kimg=2.3)
    level, later = arch.level_at(nimg), arch.level_at(nimg + more)
    assert level <= later <= level + more / 2300 + 1e-9
    assert arch.stage_at(nimg) == (2 * level if level == int(level) else 2 * int(level) + 1)


def test_networks_stop_growing_at_the_size_of_the_data() -> None:
    names = {
        stage: TINY.networks(spec(1, 16, 16), stage)["generator"].state_dict().keys()
        for stage in (3, 4, 5, 16)
    }
    assert names[4] == names[5] == names[16] < names[3]


def test_minibatches_halve_with_each_doubling_beyond_the_limit() -> None:
    arch = Progressive(stage_kimg=1.0, fade_kimg=1.0, whole_batch_to=8)
    moments = (0, 1500, 2500, 3500, 5500, 7500, 10**9)  # 4, to 8, 8, to 16, to 32, to 64, the end
    assert [arch.minibatches(spec(1, 64, 64), n) for n in moments] == [1, 1, 1, 2, 4, 8, 8]
    assert [arch.minibatches(spec(1, 16, 16), n) for n in moments] == [1, 1, 1, 2, 2, 2, 2]
    limits = [PAPER.minibatches(spec(3, 1024, 1024), n * 1_600_000) for n in range(9)]
    assert limits == [1, 1, 1, 1, 1, 1, 2, 4, 8]


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 64))
def test_minibatches_are_equal_cover_the_batch_and_split_into_micro_batches(
    micro: int, rows: int, asked: int
) -> None:
    plan = SimpleNamespace(batch=micro * rows, accumulate=micro)
    arch = SimpleNamespace(minibatches=lambda spec, nimg: asked)
    state: Any = SimpleNamespace(recipe=SimpleNamespace(plan=plan, arch=arch), spec=None, nimg=0)
    cut = list(minibatches(state))
    assert [row for part in cut for row in part] == list(range(micro * rows))
    assert {len(part) % micro for part in cut} == {0}
    assert len({len(part) for part in cut}) == 1
    if rows % asked == 0:
        assert len(cut) == asked


# Runs

SETTINGS: dict[str, object] = {
    "arch.latent": 4,
    "arch.width": 4,
    "arch.taper": 32,
    "arch.stage_kimg": 0.024,
    "arch.fade_kimg": 0.040,
    "arch.whole_batch_to": 16,
    "batch": 8,
    "steps": 28,
    "log_every": 4,
    "sample_every": 7,
    "checkpoint_every": 3,
    "keep": 100,
    "compute.threads": 1,
}
"""Three steps a size and five a fade: 8×8 stands from step 8, 16×16 from 16, 32×32 from 24 on.

A network that has just grown is exported even between the third steps. After step 27 the next size
would be due: stage 7 is 32×32 still.
"""
STAGES = {
    3: 0,
    4: 1,
    6: 1,
    8: 2,
    9: 2,
    12: 3,
    15: 3,
    16: 4,
    18: 4,
    20: 5,
    21: 5,
    24: 6,
    27: 6,
    28: 7,
}


def trained(
    folder: Path,
    settings: dict[str, object] | None = None,
    *,
    observer: Observer | None = None,
    resume: bool = False,
) -> Run:
    pixels = torch.Generator().manual_seed(6)
    return gan_toolkit.train(
        arch=None if resume else "progressive",
        data=torch.randint(0, 256, (30, 1, 32, 32), generator=pixels, dtype=torch.uint8),
        settings={} if resume else {**SETTINGS, **(settings or {})},
        out=None if resume else folder,
        resume=folder if resume else None,
        observer=observer,
    )


class StopAt(Observer):
    """Asks the run to stop after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def advanced(self, step: int) -> None:
        if step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


class LoadEach(Observer):
    """Samples every model that a run exports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stages: dict[int, int] = {}
        self.pictures: dict[int, Tensor] = {}

    def advanced(self, step: int) -> None:
        if step in STAGES:
            generator = gan_toolkit.load(self.folder)
            assert generator.description.nimg == step * 8
            self.stages[step] = generator.description.stage
            self.pictures[step] = generator.sample(3, seed=1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, LoadEach]:
    """Return a run that grew three times, and what its exports showed on the way."""
    folder = tmp_path_factory.mktemp("progressive") / "whole"
    seen = LoadEach(folder)
    return trained(folder, observer=seen), seen


def test_a_run_grows_through_three_fades_and_every_export_loads_and_samples(
    whole: tuple[Run, LoadEach],
) -> None:
    _, seen = whole
    assert seen.stages == STAGES
    for step, picture in seen.pictures.items():
        assert picture.shape == (3, 1, 32, 32)
        assert picture.isfinite().all()
        coarse = max(1, 8 >> (seen.stages[step] + 1) // 2)
        assert torch.equal(picture, enlarged(picture[..., ::coarse, ::coarse], coarse))


def test_growth_changes_no_weight_that_it_keeps() -> None:
    small = {**SETTINGS, "arch.stage_kimg": 1.0, "arch.fade_kimg": 1.0}
    recipe = resolve(
        Request(arch="progressive", data="digits", settings=small), Catalogue.discover()
    )
    state = TrainState(recipe, spec(1, 16, 16), torch.device("cpu"))
    for nimg in (1001, 2000, 3001, 4000):
        before = {name: tensor.clone() for name, tensor in state.tensors().items()}
        state.nimg = nimg
        assert state.grow()
        after = state.tensors()
        shared = before.keys() & after.keys()
        assert {"networks/generator/first.1.weight", "ema/generator/first.1.weight"} <= shared
        assert [name for name in shared if not torch.equal(before[name], after[name])] == []


def test_optimiser_state_survives_growth_by_name(whole: tuple[Run, LoadEach]) -> None:
    kept = {c.step: c.tensors for c in map(read, listed(whole[0].path / "checkpoints"))}

    def updates(step: int, weight: str) -> float:
        return float(kept[step][f"optimisers/discriminator/discriminator/{weight}/step"])

    # From step 21 on, each step updates twice: 32×32 is trained on halves of the batch.
    assert [updates(step, "last.1.weight") for step in (3, 8, 20, 24)] == [3, 8, 20, 28]
    assert [updates(24, f"blocks.{side}.0.weight") for side in (8, 16, 32)] == [24, 16, 8]
    assert updates(20, "from_image.16.0.weight") == updates(24, "from_image.32.0.weight") == 8
    assert not any("from_image.16" in name for name in kept[24])


@pytest.mark.parametrize("stop", [15, 16], ids=["before-a-growth", "after-it"])
def test_a_run_stopped_at_a_growth_resumes_to_the_same_bits(
    stop: int, whole: tuple[Run, LoadEach], tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        trained(tmp_path / "run", observer=StopAt(stop))
    resumed = trained(tmp_path / "run", resume=True)
    ends = [read(list(listed(run.path / "checkpoints"))[-1]) for run in (whole[0], resumed)]
    assert ends[0].step == ends[1].step == 28
    assert ends[0].tensors.keys() == ends[1].tensors.keys()
    assert [n for n, t in ends[0].tensors.items() if not torch.equal(t, ends[1].tensors[n])] == []
    rows = [
        [{k: v for k, v in row.items() if k not in TIMES} for row in run.rows()]
        for run in (whole[0], resumed)
    ]
    assert rows[0] == rows[1]
    for kind in ("samples/*", "generator.safetensors"):
        files = [{p.name: p.read_bytes() for p in r.path.glob(kind)} for r in (whole[0], resumed)]
        assert files[0] == files[1]


def test_a_kill_inside_a_fade_costs_no_bit(whole: tuple[Run, LoadEach], tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_progressive import Observer, trained
class Kill(Observer):
    def advanced(self, step):
        if step == 22:
            os.kill(os.getpid(), signal.SIGKILL)
trained(Path(sys.argv[2]), observer=Kill())
"""
    folder = tmp_path / "run"
    arguments = [sys.executable, "-c", program, str(Path(__file__).parent), str(folder)]
    assert subprocess.run(arguments, check=False, timeout=120).returncode == -signal.SIGKILL
    resumed = trained(folder, resume=True)
    ends = [read(list(listed(run.path / "checkpoints"))[-1]).tensors for run in (whole[0], resumed)]
    assert ends[0].keys() == ends[1].keys()
    assert [
        name for name, tensor in ends[0].items() if not torch.equal(tensor, ends[1][name])
    ] == []


def test_minibatches_are_updates_of_their_own(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", {"arch.whole_batch_to": 8, "steps": 18})
    assert [row["nimg"] for row in run.rows()][-1] == 18 * 8
    tensors = read(list(listed(run.path / "checkpoints"))[-1]).tensors
    # Twelve steps of one minibatch, then six of two, on the way to 16×16.
    name = "optimisers/generator/generator/first.1.weight/step"
    assert float(tensors[name]) == 12 + 2 * 6


# What it needs


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((1, 28, 28), r"power of two from 8 to 1024, not 28×28; try `--set data\.resolution=32`"),
        ((3, 64, 48), r"not 64×48; try `--set data\.resolution=64`"),
        ((3, 2048, 2048), r"not 2048×2048; try `--set data\.resolution=1024`"),
        ((1, 4, 4), r"not 4×4; try `--set data\.resolution=8`"),
        ((5, 32, 32), "1 to 4 channels, not 5"),
        ((2,), r"makes images \[C, H, W\], but samples of 'test' are \[2\]"),
    ],
)
def test_a_shape_that_cannot_be_made_is_refused_with_a_reason(
    shape: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(AssertionError, match=reason):
        assert not TINY.refusals(spec(*shape)), TINY.refusals(spec(*shape))[0]


@pytest.mark.parametrize("side", [8, 64, 1024])
def test_powers_of_two_are_not_refused(side: int) -> None:
    assert TINY.refusals(spec(3, side, side)) == []


def test_images_of_28_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    data = torch.zeros(20, 1, 28, 28, dtype=torch.uint8)
    with pytest.raises(RecipeError, match=r"not 28×28; try `--set data\.resolution=32`"):
        gan_toolkit.train(arch="progressive", data=data, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("data", ["mnist", "digits"])
def test_the_recipe_grows_three_times_or_to_its_data_and_ends_on_a_long_stage(data: str) -> None:
    recipe = resolve(Request(arch="progressive", data=data), Catalogue.discover())
    assert isinstance(recipe.arch, Progressive)
    side = recipe.data.model_dump()["resolution"]
    last = recipe.plan.length * recipe.plan.reals_per_step
    assert 4 << int(recipe.arch.level_at(last // 2)) >= side
    assert recipe.arch.refusals(spec(1, side, side)) == []


# The drift term


def test_drift_is_the_weighted_mean_square_of_the_real_logits() -> None:
    x, nets = noise(6, 1, 8, 8), TINY.networks(spec(1, 8, 8), 2)
    play = Play("discriminator", TINY, nets, {"sample": x}, {"z": noise(6, 5)}, at(1.0))
    parts, _ = Drift().value(play, {}, {"weight": torch.tensor(0.25)}, {})
    logits = nets["discriminator"](x, torch.tensor(1.0)).detach().double().numpy()
    assert parts.keys() == {"drift"}
    assert float(parts["drift"].detach()) == pytest.approx(0.25 * float((logits**2).mean()))
    assert Drift.roles == ("discriminator",)
