"""Toy distributions have the moments of their formulas; endless or stored, they are repeatable."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import Stored
from gan_toolkit.errors import RecipeError
from gan_toolkit.recipe import Recipe
from gan_toolkit.resolve import Request, build, resolve
from gantk_points.curves import Curve, Shape
from gantk_points.mixtures import Grid, Mixture, Ring
from gantk_points.points import Endless, PointSet
from gantk_points.roll import SwissRoll

MANY = 100_000
ALL = [
    Curve(),
    Curve(dimension=5, noise=0.5),
    Curve(kind="cosine", second=Shape(kind="sine"), share=0.3),
    Ring(),
    Grid(),
    SwissRoll(),
    SwissRoll(dimension=3, noise=0.1),
]
names = [f"{points.NAME}{points.size}" for points in ALL]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.discover()


def drawn(points: PointSet, n: int = MANY) -> Tensor:
    return points.draw(n, generator())["sample"].double()


def assert_moments(samples: Tensor, mean: list[float], covariance: list[list[float]]) -> None:
    """Compare with the closed form, within 5 standard errors seen in the samples themselves."""
    centred = samples - torch.tensor(mean, dtype=torch.float64)
    products = centred[:, :, None] * centred[:, None, :]
    for seen, expected in ((centred, torch.zeros(len(mean))), (products, torch.tensor(covariance))):
        allowed = 5 * seen.std(0) / math.sqrt(len(seen)) + 1e-9
        assert ((seen.mean(0) - expected).abs() <= allowed).all(), (seen.mean(0), expected)


def test_the_default_curve_is_ten_plus_x_squared_on_minus_50_to_50() -> None:
    samples = drawn(Curve())
    torch.testing.assert_close(samples[:, 1], 10 + samples[:, 0] ** 2, rtol=1e-6, atol=0)
    variance = 50**4 * (1 / 5 - 1 / 9)
    assert_moments(samples, [0, 10 + 2500 / 3], [[2500 / 3, 0], [0, variance]])


def test_a_polynomial_has_any_degree() -> None:
    coefficients = (1.0, -2.0, 0.5, 0.0, 0.25, -0.125, 0.0, 2.0)
    samples = drawn(Curve(coefficients=coefficients, low=-2, high=1.5), 100).numpy()
    expected = np.polynomial.Polynomial(coefficients)(samples[:, 0])
    np.testing.assert_allclose(samples[:, 1], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("kind", "function"), [("sine", math.sin), ("cosine", math.cos)])
def test_waves_have_amplitude_frequency_and_phase(
    kind: str, function: Callable[[float], float]
) -> None:
    wave = Curve.model_validate({"kind": kind, "amplitude": 3.0, "frequency": 0.5, "phase": 0.7})
    for x, y in drawn(wave, 50).tolist():
        assert y == pytest.approx(3 * function(math.pi * x + 0.7), abs=1e-5)


def test_in_more_dimensions_y_is_the_sum_over_the_coordinates_of_x() -> None:
    samples = drawn(Curve(coefficients=(1.0, 1.0, 1.0), dimension=4, low=0, high=1))
    assert samples.shape == (MANY, 4)
    x = samples[:, :3]
    torch.testing.assert_close(samples[:, 3], (1 + x + x**2).sum(1), rtol=1e-6, atol=1e-6)
    assert_moments(x, [0.5] * 3, (torch.eye(3) / 12).tolist())


def test_noise_is_on_y_alone() -> None:
    samples = drawn(Curve(coefficients=(3.0,), low=0, high=1, noise=0.2))
    assert_moments(samples, [0.5, 3], [[1 / 12, 0], [0, 0.04]])


def test_x_stays_below_high_even_where_rounding_would_reach_it() -> None:
    x = drawn(Curve(low=1e6, high=1e6 + 16, coefficients=(0.0,)))[:, 0]
    assert float(x.min()) == 1e6
    assert float(x.max()) == 1e6 + 16 - 0.0625


def test_of_two_curves_each_has_its_share_and_its_label() -> None:
    curve = Curve(second=Shape(coefficients=(-10.0, 0.0, -1.0)), share=0.2)
    rows = curve.draw(MANY, generator())
    x, y = rows["sample"].T
    sign = 1 - 2 * rows["label"]
    torch.testing.assert_close(y, sign * (10 + x**2), rtol=1e-6, atol=0)
    assert float((rows["label"] == 0).double().mean()) == pytest.approx(0.2, abs=5 * 0.4 / 316)
    assert curve.open().spec.classes == ("first", "second")


def test_the_ring_has_the_means_of_pacgans_protocol() -> None:
    turn = [math.cos(math.pi * k / 4) + 1j * math.sin(math.pi * k / 4) for k in range(8)]
    expected = [[z.real, z.imag] for z in turn]
    torch.testing.assert_close(Ring().means, torch.tensor(expected))
    assert Ring().sd == 0.01
    assert_moments(drawn(Ring()), [0, 0], [[0.5 + 1e-4, 0], [0, 0.5 + 1e-4]])


def test_the_grid_has_the_means_of_pacgans_protocol() -> None:
    places = (-4.0, -2.0, 0.0, 2.0, 4.0)
    assert Grid().means.tolist() == [[x, y] for x in places for y in places]
    assert Grid().sd == 0.05
    assert_moments(drawn(Grid()), [0, 0], [[8 + 0.0025, 0], [0, 8 + 0.0025]])


@pytest.mark.parametrize("points", [Ring(count=5, radius=3, sd=0.2), Grid(side=2, sd=0.3)])
def test_each_mode_is_a_round_gaussian_and_as_likely(points: Mixture) -> None:
    rows = points.draw(MANY, generator())
    modes = len(points.means)
    shares = rows["label"].bincount(minlength=modes) / MANY
    torch.testing.assert_close(shares, torch.full_like(shares, 1 / modes), rtol=0, atol=0.007)
    variance = points.sd**2
    for mode, mean in enumerate(points.means.tolist()):
        own = rows["sample"][rows["label"] == mode].double()
        assert_moments(own, mean, [[variance, 0], [0, variance]])


def test_a_mode_is_a_class_named_by_its_number() -> None:
    assert Grid(side=2).open().spec.classes == ("0", "1", "2", "3")
    assert Ring(count=1).means.tolist() == [[1.0, 0.0]]
    assert Grid(side=1).means.tolist() == [[0.0, 0.0]]


def test_the_swiss_roll_is_a_spiral() -> None:
    samples = drawn(SwissRoll())
    radius = samples.square().sum(1).sqrt()
    torch.testing.assert_close(samples[:, 0], radius * radius.cos(), rtol=0, atol=1e-4)
    torch.testing.assert_close(samples[:, 1], radius * radius.sin(), rtol=0, atol=1e-4)
    low, high = 1.5 * math.pi, 4.5 * math.pi
    assert low <= float(radius.min()) < float(radius.max()) < high
    assert_moments(radius[:, None], [3 * math.pi], [[(high - low) ** 2 / 12]])
    # The mean of t sin t and of t cos t over low … high, by parts.
    mean = [(high * math.sin(high) - low * math.sin(low)) / (high - low), 1 / (high - low)]
    assert samples.mean(0).tolist() == pytest.approx(mean, abs=5 * 7 / math.sqrt(MANY))


def test_the_swiss_roll_of_space_is_the_spiral_with_a_height() -> None:
    samples = drawn(SwissRoll(dimension=3, turns=0.5, height=7))
    radius = samples[:, :2].square().sum(1).sqrt()
    assert float(radius.max()) < 2.5 * math.pi
    assert_moments(
        torch.stack([radius, samples[:, 2]], 1),
        [2 * math.pi, 3.5],
        [[math.pi**2 / 12, 0], [0, 49 / 12]],
    )


def test_noise_thickens_the_swiss_roll_along_each_coordinate() -> None:
    clean, noisy = drawn(SwissRoll()), drawn(SwissRoll(noise=0.5))
    assert_moments(noisy - clean, [0, 0], [[0.25, 0], [0, 0.25]])


@pytest.mark.parametrize("points", ALL, ids=names)
def test_endless_rows_depend_on_the_generator_alone(points: PointSet) -> None:
    source, again = points.open(), points.model_copy().open()
    assert isinstance(source, Endless)
    assert isinstance(again, Endless)
    source.draw(3, generator(5))
    torch.manual_seed(1)
    one = source.draw(40, generator(1))
    torch.manual_seed(2)
    two, other = again.draw(40, generator(1)), again.draw(40, generator(2))
    for name, rows in one.items():
        assert torch.equal(rows, two[name])
        assert not torch.equal(rows, other[name])


@pytest.mark.parametrize("points", ALL, ids=names)
def test_rows_are_what_the_specification_says(points: PointSet) -> None:
    spec = points.open().spec
    assert spec.length is None
    rows = points.draw(7, generator())
    assert rows.keys() == spec.fields.keys()
    assert (rows["sample"].dtype, rows["sample"].shape) == (torch.float32, (7, points.size))
    assert spec.sample.shape == (points.size,)
    assert spec.sample.low is None
    if "label" in rows:
        assert (rows["label"].dtype, rows["label"].shape) == (torch.int64, (7,))
        assert 0 <= int(rows["label"].min()) <= int(rows["label"].max()) < len(spec.classes)


@pytest.mark.parametrize("points", ALL, ids=names)
def test_stored_rows_are_the_same_for_the_same_seed(points: PointSet) -> None:
    fixed = points.model_copy(update={"points": 30})
    one, two = fixed.open(), fixed.open()
    other = fixed.model_copy(update={"seed": 1}).open()
    assert isinstance(one, Stored)
    assert isinstance(two, Stored)
    assert isinstance(other, Stored)
    assert one.spec.length == 30
    everything = torch.arange(30)
    for name, rows in one.gather(everything).items():
        assert torch.equal(rows, two.gather(everything)[name])
    assert not torch.equal(one.gather(everything)["sample"], other.gather(everything)["sample"])
    assert one.spec.fingerprint == two.spec.fingerprint != other.spec.fingerprint


def test_a_stored_fingerprint_is_the_hash_of_the_rows() -> None:
    source = Ring(points=100).open()
    assert isinstance(source, Stored)
    rows = source.gather(torch.arange(100))
    samples, labels = (
        hashlib.sha256(rows[name].numpy().tobytes()).hexdigest() for name in ("sample", "label")
    )
    content = f'[[2], ["0", "1", "2", "3", "4", "5", "6", "7"], "{samples}", "{labels}"]'
    assert source.spec.fingerprint == hashlib.sha256(content.encode()).hexdigest()


def test_an_endless_fingerprint_tells_distributions_apart() -> None:
    marks = [points.open().spec.fingerprint for points in [*ALL, Ring(sd=0.02), Curve(high=51)]]
    assert len(set(marks)) == len(ALL) + 2
    assert Ring().open().spec.fingerprint == Ring(sd=0.01, seed=3).open().spec.fingerprint


REFUSED: list[tuple[str, dict[str, object], str]] = [
    ("curve", {"low": 1.0, "high": 1.0}, r"low \(1\) must lie below high \(1\)"),
    ("curve", {"low": 1e6, "high": 1e6 + 1}, "low and high must differ by 1e\\+01 at least"),
    ("curve", {"coefficients": ()}, "coefficients: must not be empty"),
    ("curve", {"coefficients": (0.0,) * 12 + (1.0,)}, r"may reach 2e\+20, more than 1e\+19"),
    ("curve", {"coefficients": (0.0,) * 400 + (1.0,)}, "may reach inf, more than"),
    ("curve", {"kind": "sine", "coefficients": (1.0,)}, "a sine has no coefficients; drop it"),
    ("curve", {"amplitude": 2.0, "phase": 1.0}, "a polynomial has no amplitude and no phase"),
    ("curve", {"second": {"phase": 1.0}}, "data.second: a polynomial has no phase"),
    ("curve", {"second": {"amplitud": 1.0}}, "data.second.amplitud: no such option. Did you mean"),
    ("curve", {"dimension": 1}, "dimension: must be greater than or equal to 2"),
    ("curve", {"share": 0.3}, "share belongs to two curves; set second too"),
    ("curve", {"share": 1.0}, "share: must be less than 1"),
    ("curve", {"points": 0}, "points: must be greater than or equal to 1"),
    ("ring", {"count": 0}, "count: must be greater than or equal to 1"),
    ("ring", {"sd": 0.0}, "sd: must be greater than 0"),
    ("grid", {"side": 101}, "side: must be less than or equal to 100"),
    ("grid", {"spacing": -1.0}, "spacing: must be greater than 0"),
    ("swiss-roll", {"dimension": 4}, "dimension: must be 2 or 3"),
    ("swiss-roll", {"noise": -1.0}, "noise: must be greater than or equal to 0"),
]


@pytest.mark.parametrize(("name", "options", "message"), REFUSED)
def test_options_out_of_range_are_refused_in_one_sentence(
    name: str, options: dict[str, object], message: str, catalogue: Catalogue
) -> None:
    values = {"arch": {"name": "dcgan"}, "data": {"name": name, **options}}
    with pytest.raises(RecipeError, match=message) as refusal:
        build(values, catalogue)
    assert len(refusal.value.problems) == 1


def test_a_second_curve_is_set_by_dotted_keys_and_comes_back_from_the_recipe(
    catalogue: Catalogue,
) -> None:
    asked = Request(arch="dcgan", data="curve", sets=["data.second.kind='sine'", "data.points=9"])
    recipe: Recipe = resolve(asked, catalogue)
    assert recipe.data == Curve(second=Shape(kind="sine"), points=9)
    assert Curve.model_validate(recipe.data.plain()) == recipe.data


def test_wrong_types_are_not_guessed() -> None:
    with pytest.raises(ValidationError, match="valid integer"):
        Ring.model_validate({"count": "8"})
