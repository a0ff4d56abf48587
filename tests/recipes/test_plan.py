"""What a plan's numbers mean: schedules, averages, lengths, and which changes matter."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.observer import Observer
from gan_toolkit.options import Schedule
from gan_toolkit.recipe import Ema, Plan, Update, differences
from gan_toolkit.resolve import Request, resolve
from gan_toolkit.timing import Timing
from gan_toolkit.training import prepare

D = Update(networks=("discriminator",), role="discriminator")
G = Update(networks=("generator",), role="generator")
fractions = st.floats(0, 1)


@given(fraction=fractions)
def test_a_linear_schedule_is_a_straight_line(fraction: float) -> None:
    schedule = Schedule(start=3.0, end=1.0, shape="linear")

    assert schedule.at(fraction) == pytest.approx(3 - 2 * fraction)


@given(fraction=fractions)
def test_a_cosine_schedule_is_half_a_cosine(fraction: float) -> None:
    schedule = Schedule(start=3.0, end=1.0)

    assert schedule.at(fraction) == pytest.approx(2 + math.cos(math.pi * fraction))


@given(one=fractions, other=fractions)
def test_an_exponential_schedule_is_a_straight_line_of_logarithms(one: float, other: float) -> None:
    schedule = Schedule(start=3.0, end=0.03, shape="exponential")

    assert schedule.at(0.5) == pytest.approx(0.3)
    fall = math.log(schedule.at(one)) - math.log(schedule.at(other))
    assert fall == pytest.approx(math.log(100) * (other - one), abs=1e-9)


@given(start=st.floats(1e-300, 1e300), end=st.floats(1e-300, 1e300))
def test_an_exponential_schedule_has_its_ends_to_the_bit(start: float, end: float) -> None:
    schedule = Schedule(start=start, end=end, shape="exponential")

    assert (schedule.at(0), schedule.at(1)) == (start, end)
    assert min(start, end) * (1 - 1e-9) <= schedule.at(0.5) <= max(start, end) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("fraction", "value"), [(0, 5), (0.2, 5), (0.4, 4), (0.6, 3), (0.8, 1), (1, 1), (7.5, 1)]
)
def test_a_schedule_holds_its_ends(fraction: float, value: float) -> None:
    schedule = Schedule(start=5.0, end=1.0, shape="linear", begin=0.2, finish=0.6)
    expected = {0.4: 3.0, 0.6: 1.0}.get(fraction, value)

    assert schedule.at(fraction) == pytest.approx(expected)


@given(half_life=st.floats(0.1, 100), batch=st.integers(1, 500))
def test_an_average_forgets_half_in_its_half_life(half_life: float, batch: int) -> None:
    ema = Ema(half_life_kimg=half_life, ramp=0)
    batches = 1000 * half_life / batch

    assert (1 - ema.weight(10**9, batch)) ** batches == pytest.approx(0.5)


@given(nimg=st.integers(1, 10**6))
def test_the_ramp_shortens_the_half_life_to_a_share_of_the_images_seen(nimg: int) -> None:
    ema = Ema(half_life_kimg=10.0, ramp=0.05)
    half_life = min(10_000, 0.05 * nimg)

    assert 1 - ema.weight(nimg, 64) == pytest.approx(0.5 ** (64 / half_life))


@pytest.mark.parametrize(("ema", "nimg"), [(Ema(half_life_kimg=0.0), 640), (Ema(), 0)])
def test_without_a_half_life_the_average_is_the_weights(ema: Ema, nimg: int) -> None:
    assert ema.weight(nimg, 64) == 1.0


@pytest.mark.parametrize(
    ("first", "second", "batches"),
    [
        ({}, {}, 1),
        ({"times": 5}, {}, 5),
        ({}, {"fresh_reals": True}, 2),
        ({"fresh_reals": True}, {}, 1),
        ({"times": 2}, {"times": 2, "fresh_reals": True}, 4),
    ],
)
def test_real_images_of_a_step_are_counted(
    first: dict[str, object], second: dict[str, object], batches: int
) -> None:
    plan = Plan(
        updates={"d": D.model_copy(update=first), "g": G.model_copy(update=second)}, batch=8
    )

    assert plan.reals_per_step == 8 * batches


@pytest.mark.parametrize(("kimg", "steps"), [(1.0, 100), (0.001, 1), (0.0149, 1), (0.016, 2)])
def test_kimg_become_steps(kimg: float, steps: int) -> None:
    assert Plan(updates={"d": D, "g": G}, batch=10, kimg=kimg).length == steps


def test_left_out_the_length_is_640_kimg() -> None:
    assert Plan(updates={"d": D, "g": G}, batch=64).length == 10_000


@pytest.mark.parametrize(
    ("sets", "grave", "harmless"),
    [
        ([], [], []),
        (["batch=4"], ["batch: 8 → 4"], []),
        (["arch.width=5"], ["arch.width: 4 → 5"], []),
        (["seed=5", "ema.ramp=0"], ["ema.ramp: 0.05 → 0.0", "seed: 0 → 5"], []),
        (["compute.precision=bf16"], ["compute.precision: 'auto' → 'bf16'"], []),
        (["log_every=1"], ["log_every: 2 → 1"], []),
        (["keep=9", "sample_every=2"], [], ["keep: 3 → 9", "sample_every: 500 → 2"]),
        (["compute.device=cpu"], [], ["compute.device: 'auto' → 'cpu'"]),
        (["compute.threads=1"], [], ["compute.threads: 0 → 1"]),
        (["steps=9"], [], []),
        (["kimg=9"], [], []),
        (["planned_steps=9"], ["planned_steps: 'unset' → 9"], []),
    ],
)
def test_changes_are_told_apart_by_whether_they_touch_the_numbers(
    catalogue: Catalogue, sets: list[str], grave: list[str], harmless: list[str]
) -> None:
    old = resolve(Request(recipe="toy"), catalogue)
    new = resolve(Request(recipe="toy", sets=sets), catalogue)

    assert differences(old.values(), new) == (grave, harmless)


def test_an_option_that_an_older_run_did_not_have_is_no_change(catalogue: Catalogue) -> None:
    old = resolve(Request(recipe="toy"), catalogue).values()
    del old["updates"]["generator"]["fresh_fakes"]
    same, other = (
        resolve(Request(recipe="toy", sets=[f"updates.generator.fresh_fakes={chosen}"]), catalogue)
        for chosen in ("true", "false")
    )

    assert differences(old, same) == ([], [])
    assert differences(old, other) == (["updates.generator.fresh_fakes: 'unset' → False"], [])


class TestThreads:
    """A run gets one thread unless all of them are seen to be faster."""

    @pytest.mark.parametrize(("many_s", "chosen"), [(0.5, 4), (0.95, 1), (3.0, 1)])
    def test_more_than_one_must_pay(
        self, many_s: float, chosen: int, toy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = torch.get_num_threads()
        monkeypatch.setattr(
            Timing, "a_step", lambda self: 1.0 if torch.get_num_threads() == 1 else many_s
        )
        torch.set_num_threads(4)
        try:
            request = Request(recipe="toy", settings={"compute.device": "cpu", "steps": 1000})
            ready = prepare(request, Catalogue.discover([toy]), Observer())
            assert ready.recipe.plan.compute.threads == torch.get_num_threads() == chosen
        finally:
            torch.set_num_threads(before)

    def test_what_was_asked_for_is_not_questioned(
        self, toy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = torch.get_num_threads()
        monkeypatch.delattr(Timing, "a_step")
        settings = {"compute.device": "cpu", "compute.threads": 2, "steps": 1000}
        try:
            ready = prepare(
                Request(recipe="toy", settings=settings), Catalogue.discover([toy]), Observer()
            )
            assert ready.recipe.plan.compute.threads == 2
        finally:
            torch.set_num_threads(before)
