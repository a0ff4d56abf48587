"""The sliced Wasserstein distance against plain arithmetic and what must hold of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_toolkit.data import SAMPLE, DataSpec, FieldSpec
from gan_toolkit.errors import UsageError
from gan_toolkit.evaluation import evaluate
from gan_toolkit.scoring import Score, Side
from gan_toolkit.streams import stream
from gantk_metrics.sliced import (
    DIRECTIONS,
    PATCH,
    PATCHES,
    blurred,
    cut,
    distance,
    normalised,
    patches,
    pyramid,
)


def noise(*shape: int, key: str = "") -> Tensor:
    return torch.randn(*shape, generator=stream(0, "test", key))


def images(n: int, channels: int = 1, side: int = 32) -> Tensor:
    """Return smooth images in -1 … 1: waves of random place and length."""
    dice = stream(3, "waves")
    phase, pace = torch.rand(2, n, channels, 1, 1, generator=dice)
    x = torch.linspace(0, 6, side)
    return torch.sin((1 + pace) * x[None, None, :, None] + 6 * phase) * torch.cos(x * pace)


def swd(made: Tensor, real: Tensor, seed: int = 0) -> Score:
    (score,) = evaluate(made, real, metrics=["swd"], n=len(made), seed=seed)
    return score


def test_along_each_direction_it_is_the_distance_of_sorted_numbers() -> None:
    a, b = noise(300, 6, key="a"), noise(300, 6, key="b") * 2 + 1
    rays = torch.randn(6, DIRECTIONS, generator=stream(7, "swd directions")).numpy()
    rays = rays / np.sqrt((rays**2).sum(0))
    gaps = np.abs(np.sort(a.numpy() @ rays, 0) - np.sort(b.numpy() @ rays, 0))
    assert distance(a, b, 7) == pytest.approx(float(gaps.mean()), rel=1e-5)


def test_it_is_the_shift_between_two_shifted_sets_times_the_mean_cosine() -> None:
    rows = noise(400, 3)
    shift = torch.tensor([2.0, 0.0, 0.0])
    # Along a direction at an angle t to it the sets are 2 |cos t| apart; in three dimensions its
    # mean is 1 (Archimedes: the height on a sphere is even).
    assert distance(rows, rows + shift, 0) == pytest.approx(1.0, abs=0.12)
    assert distance(rows, rows[torch.randperm(400)], 0) == 0


def test_a_pyramid_adds_up_to_its_image() -> None:
    whole = images(4, channels=3, side=64)
    levels = pyramid(whole)
    assert list(levels) == [64, 32, 16]
    found = levels[16]
    for side in (32, 64):
        spread = torch.zeros(4, 3, side, side)
        spread[:, :, ::2, ::2] = found
        found = levels[side] + 4 * blurred(spread)
    torch.testing.assert_close(found, whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("side", "levels"), [(8, [8]), (28, [28]), (32, [32, 16])])
def test_a_pyramid_ends_at_sixteen_pixels(side: int, levels: list[int]) -> None:
    assert list(pyramid(images(2, side=side))) == levels


def test_a_blur_keeps_a_flat_image() -> None:
    flat = torch.full((1, 2, 9, 12), 0.25)
    torch.testing.assert_close(blurred(flat), flat)


def test_patches_are_cut_from_the_image_they_belong_to() -> None:
    rows, cols = torch.meshgrid(torch.arange(20.0), torch.arange(24.0), indexing="ij")
    maps = torch.stack([rows * 100 + cols, rows * 0 + 7]).expand(3, 2, 20, 24).clone()
    maps[:, 1] += torch.arange(3.0)[:, None, None]
    found = cut(maps, torch.Generator().manual_seed(0))
    assert found.shape == (3 * PATCHES, 2, PATCH, PATCH)
    assert torch.equal(found[:, 1, 0, 0], (torch.arange(3.0) + 7).repeat_interleave(PATCHES))
    corner = found[:, 0, 0, 0]
    window = torch.arange(PATCH) * 100.0
    assert torch.equal(found[:, 0, :, 0], corner[:, None] + window)


def test_each_channel_comes_to_mean_zero_and_variance_one() -> None:
    rows = noise(50, 2, PATCH, PATCH) * torch.tensor([3.0, 0.1])[:, None, None] + 5
    found = normalised(rows).unflatten(1, (2, -1))
    torch.testing.assert_close(found.mean((0, 2)), torch.zeros(2), rtol=0, atol=1e-4)
    torch.testing.assert_close(found.std((0, 2)), torch.ones(2), rtol=0, atol=1e-4)


def test_more_noise_is_further_away_and_a_sample_of_the_same_kind_is_near() -> None:
    real = images(600)
    made = images(600)
    far = [swd((made + amount * noise(600, 1, 32, 32)).clamp(-1, 1), real) for amount in (0.2, 0.8)]
    near = swd(made, real)
    assert near.value < 0.02 < far[0].value < far[1].value
    assert set(near.parts) == {"32", "16"}
    assert near.value == pytest.approx(sum(near.parts.values()) / 2)


def test_the_same_call_gives_the_same_digits_and_another_seed_others() -> None:
    real, made = images(300), (images(300) + 0.2 * noise(300, 1, 32, 32)).clamp(-1, 1)
    assert swd(made, real).value == swd(made, real).value
    assert swd(made, real, seed=1).value != swd(made, real).value


def test_both_sides_give_as_many_images() -> None:
    score = swd(images(400), images(250))
    assert "32 patches of each of 125 images a side" in score.receipt.notes[-1]


def test_patches_do_not_hang_on_more_images_than_are_asked_for() -> None:
    field = FieldSpec(shape=(1, 16, 16), low=-1.0, high=1.0)
    spec = DataSpec(name="some", fields={SAMPLE: field})
    rows = images(700, side=16)
    side = Side("samples", spec, 700, lambda first, count: {SAMPLE: rows[first : first + count]})
    found = patches(side, 600, seed=0)[16]
    assert found.shape == (600 * PATCHES, PATCH * PATCH)


def test_real_images_that_are_sorted_by_class_are_seen_evenly() -> None:
    kinds = torch.cat([images(2000, side=16), -images(2000, side=16).square()])  # one, then another
    mixed = kinds[torch.randperm(4000, generator=stream(0, "mixed"))]
    score = swd(mixed[:500], kinds)
    assert score.value < 0.03 < swd(kinds[:500], kinds).value


def test_points_are_refused() -> None:
    with pytest.raises(UsageError, match="swd judges images"):
        evaluate(noise(100, 2), noise(100, 2), metrics=["swd"], n=100)
