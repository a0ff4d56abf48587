"""DiffAugment does to each image what a plain loop over pixels does, and can be differentiated."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor, nn

import gan_toolkit
from gan_toolkit import Batch, DataSpec, FieldSpec
from gan_toolkit.errors import RecipeError
from gan_toolkit.streams import stream
from gantk_diffaugment.diffaugment import DRAWS, DiffAugment, Policy

Image = NDArray[np.float64]
ORDER: tuple[Policy, ...] = ("colour", "translation", "cutout")

PLUGIN = '''
"""Images without batch norm."""

from torch import nn

from gan_toolkit import Component, TwoNetworks, hookimpl


class Small(TwoNetworks):
    """One convolution."""

    def generator(self, spec):
        return nn.Sequential(nn.Linear(self.latent, 2 * 8 * 10), nn.Unflatten(1, (2, 8, 10)))

    def discriminator(self, spec):
        return nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(144, 1))


@hookimpl
def gantk_components():
    return [Component("architecture", "small", Small, "Small")]
'''


def spec(*shape: int) -> DataSpec:
    field = FieldSpec(shape=shape, low=-1.0, high=1.0)
    return DataSpec(name="test", fields={"sample": field})


def draws(augment: DiffAugment, n: int, seed: int = 0) -> Batch:
    """Return draws as a run makes them, in float64."""
    named = augment.draws(spec(1, 8, 8))
    return {name: draw.sample(n, stream(seed, name)).double() for name, draw in named.items()}


def plain(image: Image, policy: tuple[Policy, ...], u: dict[str, float]) -> Image:
    """Return one image transformed pixel by pixel."""
    channels, height, width = image.shape
    for transform in policy:
        old, new = image.copy(), np.zeros_like(image)
        if transform == "colour":
            for y, x in itertools.product(range(height), range(width)):
                pixel = old[:, y, x] + (u["brightness"] - 0.5)
                grey = sum(pixel) / channels
                new[:, y, x] = [grey + 2 * u["saturation"] * (value - grey) for value in pixel]
            mean = new.sum() / new.size
            new = np.array([mean + (0.5 + u["contrast"]) * (value - mean) for value in new.flat])
            new = new.reshape(image.shape)
        elif transform == "translation":
            most = [int(side * 0.125 + 0.5) for side in (height, width)]
            moves = [
                int(u[name] * (2 * m + 1)) - m
                for name, m in zip(("down", "right"), most, strict=True)
            ]
            for y, x in itertools.product(range(height), range(width)):
                there = (y + moves[0], x + moves[1])
                if 0 <= there[0] < height and 0 <= there[1] < width:
                    new[:, y, x] = old[:, there[0], there[1]]
        else:
            size = [int(side * 0.5 + 0.5) for side in (height, width)]
            centre = [
                int(u[name] * (side + 1 - s % 2))
                for name, side, s in zip(("top", "left"), (height, width), size, strict=True)
            ]
            new = old
            for dy, dx in itertools.product(range(size[0]), range(size[1])):
                y, x = centre[0] - size[0] // 2 + dy, centre[1] - size[1] // 2 + dx
                if 0 <= y < height and 0 <= x < width:
                    new[:, y, x] = 0
        image = new
    return image


policies = st.permutations(ORDER).flatmap(
    lambda order: st.integers(1, 3).map(lambda count: tuple(order[:count]))
)


@settings(max_examples=40)
@given(
    policies,
    st.integers(1, 4),
    st.integers(1, 19),
    st.integers(1, 19),
    st.integers(0, 10_000),
)
def test_each_image_is_what_a_loop_over_its_pixels_makes(
    policy: tuple[Policy, ...], channels: int, height: int, width: int, seed: int
) -> None:
    augment = DiffAugment(policy=policy)
    u = draws(augment, 3, seed)
    images = torch.randn(
        3, channels, height, width, dtype=torch.float64, generator=stream(seed, "images")
    )
    made = augment.transform(images, u, {})
    assert made.shape == images.shape
    for row in range(3):
        numbers = {name: float(draw[row, 0]) for name, draw in u.items()}
        expected = plain(images[row].numpy(), policy, numbers)
        torch.testing.assert_close(made[row], torch.from_numpy(expected))


class TestDerivatives:
    @pytest.mark.parametrize("policy", [("colour",), ("translation",), ("cutout",), ORDER])
    def test_both_orders_are_those_of_finite_differences(self, policy: tuple[Policy, ...]) -> None:
        augment = DiffAugment(policy=policy)
        u = draws(augment, 2)
        x = torch.randn(2, 3, 6, 5, dtype=torch.float64, requires_grad=True)

        def curved(x: Tensor) -> Tensor:
            return augment.transform(x, u, {}).sin()

        assert torch.autograd.gradcheck(curved, (x,), fast_mode=True)
        assert torch.autograd.gradgradcheck(curved, (x,), fast_mode=True)

    @pytest.fixture
    def _deterministic(self) -> Iterator[None]:
        torch.set_deterministic_debug_mode("error")
        yield
        torch.set_deterministic_debug_mode("default")

    @pytest.mark.usefixtures("_deterministic")
    def test_a_penalty_through_it_asks_for_nothing_nondeterministic(self) -> None:
        augment = DiffAugment()
        u = {name: draw.float() for name, draw in draws(augment, 2).items()}
        x, D = torch.randn(2, 3, 16, 16, requires_grad=True), nn.Conv2d(3, 1, 3)
        logits = D(augment.transform(x, u, {})).tanh().sum()
        (slope,) = torch.autograd.grad(logits, x, create_graph=True)
        slope.square().sum().backward()
        assert D.weight.grad is not None
        assert D.weight.grad.isfinite().all()

    def test_fakes_get_a_gradient_where_they_are_seen_and_none_elsewhere(self) -> None:
        augment = DiffAugment(policy=("translation", "cutout"))
        x = torch.ones(8, 1, 16, 16, dtype=torch.float64, requires_grad=True)
        made = augment.transform(x, draws(augment, 8), {})
        (gradient,) = torch.autograd.grad(made.sum(), x)
        assert set(gradient.unique().tolist()) == {0, 1}
        assert torch.equal(gradient.sum((1, 2, 3)), made.detach().sum((1, 2, 3)))


class TestDraws:
    def test_a_row_depends_on_its_own_draws_alone(self) -> None:
        augment = DiffAugment()
        images, u = torch.randn(6, 3, 9, 12, dtype=torch.float64), draws(augment, 6)
        whole = augment.transform(images, u, {})
        for part in (slice(2), slice(2, 5), slice(5, 6)):
            rows = {name: draw[part] for name, draw in u.items()}
            assert torch.equal(augment.transform(images[part], rows, {}), whole[part])

    def test_reals_and_fakes_are_transformed_apart(self) -> None:
        augment = DiffAugment()
        both = {side: draws(augment, 4, seed) for seed, side in enumerate(("real", "fake"))}
        images = torch.randn(4, 1, 8, 8, dtype=torch.float64)
        seen = [augment.transform(images, u, {}) for u in both.values()]
        assert not any(map(torch.equal, *seen))

    def test_a_policy_draws_what_it_uses(self) -> None:
        for name, drawn in DRAWS.items():
            assert tuple(DiffAugment(policy=(name,)).draws(spec(1, 8, 8))) == drawn

    def test_every_shift_and_every_square_is_as_likely(self) -> None:
        n = 9000
        image = torch.zeros(n, 1, 16, 16)
        image[:, 0, 8, 8] = 1
        u = {name: (torch.arange(n) / n).view(n, 1) for name in ("down", "right", "top", "left")}
        shifted = DiffAugment(policy=("translation",)).transform(image, u, {})
        rows = shifted.sum((0, 1, 3))
        assert torch.equal(rows[6:11], torch.full((5,), n / 5))
        assert rows.sum() == n
        cut = DiffAugment(policy=("cutout",)).transform(torch.ones(n, 1, 16, 16), u, {})
        kept = cut[:, 0].sum((1, 2)).long().unique()
        sides = torch.tensor([4, 5, 6, 7, 8])  # centres 0 … 16 of a square of 8: cut at the edges
        assert torch.equal(kept, (256 - sides.square()).flip(0))

    def test_the_largest_draw_stays_inside(self) -> None:
        last = 1 - 2**-24  # what torch.rand may draw at most in float32
        for side in (*range(1, 70), 1000, 1024):
            image = torch.ones(1, 1, side, 1)
            u = dict.fromkeys(("down", "right", "top", "left"), torch.full((1, 1), last))
            moved = DiffAugment(policy=("translation",)).transform(image, u, {})
            assert moved.sum() == side - int(side / 8 + 0.5)
            cut = DiffAugment(policy=("cutout",)).transform(image, u, {})
            assert 0 < side - cut.sum() <= side / 2 + 1


class TestOptions:
    @pytest.mark.parametrize("policy", [(), ("colour", "colour"), ("rotation",)])
    def test_a_policy_of_nothing_twice_or_unknown_is_refused(self, policy: tuple[str, ...]) -> None:
        with pytest.raises(ValidationError, match=r"policy"):
            DiffAugment.model_validate({"policy": policy})

    def test_points_are_refused_with_a_reason(self) -> None:
        assert DiffAugment().refusals(spec(1, 8, 8)) == []
        (reason,) = DiffAugment().refusals(spec(2))
        assert "transforms images [C, H, W], but samples of 'test' are [2]" in reason

    def test_grey_images_have_no_saturation(self) -> None:
        augment = DiffAugment(policy=("colour",))
        images, u = torch.randn(4, 1, 5, 5, dtype=torch.float64), draws(augment, 4)
        other = {**u, "saturation": 1 - u["saturation"]}
        torch.testing.assert_close(
            augment.transform(images, u, {}), augment.transform(images, other, {})
        )


@pytest.mark.parametrize("penalty", ["r1", "r2", "wgan-gp", "dragan"])
def test_it_trains_below_a_penalty(penalty: str, tmp_path: Path) -> None:
    file = tmp_path / "small.py"
    file.write_text(PLUGIN, encoding="utf-8")
    images = torch.randint(0, 256, (20, 2, 8, 10), dtype=torch.uint8)
    run = gan_toolkit.train(
        arch="small",
        data=images,
        settings={
            "augmentation": {"name": "diffaugment"},
            "terms.penalty": {"name": penalty},
            "batch": 4,
            "steps": 3,
            "log_every": 3,
            "compute.device": "cpu",
            "compute.threads": 1,
        },
        plugins=[file],
        out=tmp_path / "run",
    )
    (row,) = run.rows()
    numbers = [value for value in row.values() if isinstance(value, float)]
    assert torch.tensor(numbers).isfinite().all()
    assert run.recipe()["augmentation"] == {"name": "diffaugment", "policy": list(ORDER)}


def test_points_are_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"augmentation: .* \[C, H, W\]"):
        gan_toolkit.train(
            arch="plain",
            data=torch.randn(20, 8),
            settings={"augmentation": {"name": "diffaugment"}},
            plugins=[Path(__file__).parents[1] / "training" / "sketches.py"],
            out=tmp_path / "run",
        )
