"""Vital signs against closed forms and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_toolkit.architecture import Judged
from gan_toolkit.data import LABEL, SAMPLE
from gan_toolkit.vitals import AT_A_LOOK, SIDE, Reference, Vitals, small, span

CORNERS = torch.tensor([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0], [100.0, 100.0]])


def drawn(n: int, seed: int, dimensions: int = 4) -> Tensor:
    """Return [n, dimensions] from a standard normal."""
    return torch.randn(n, dimensions, generator=torch.Generator().manual_seed(seed))


def spots(counts: tuple[int, ...], seed: int = 0) -> Tensor:
    """Return points tightly around the four corners, so many at each."""
    centres = CORNERS.repeat_interleave(torch.tensor(counts), dim=0)
    return centres + drawn(len(centres), seed, 2) * 0.1


def reference(samples: Tensor, labels: Tensor | None = None, *, whole: bool = False) -> Reference:
    batch = {SAMPLE: samples} | ({} if labels is None else {LABEL: labels})
    classes = 0 if labels is None else int(labels.max()) + 1
    return Reference.of(batch, whole=whole, classes=classes, seed=0)


def signs(
    real: Tensor,
    fake: Tensor,
    about: Reference | None = None,
    labels: tuple[Tensor, Tensor] | None = None,
) -> dict[str, float]:
    """Return the signs of a row in which these were looked at, a piece at a time."""
    vitals = Vitals(log_every=50)
    for side, samples, own in (("real", real, 0), ("fake", fake, 1)):
        for first in range(0, len(samples), AT_A_LOOK):
            rows = samples[first : first + AT_A_LOOK]
            batch = {SAMPLE: rows}
            if labels is not None:
                batch[LABEL] = labels[own][first : first + AT_A_LOOK]
            vitals.look(side, batch, Judged(torch.zeros(len(rows))))
    about = about or reference(real)
    return vitals.signs(100, lambda: about)


def test_samples_of_the_same_distribution_are_near_varied_and_everywhere() -> None:
    found = signs(drawn(320, 1), drawn(320, 2), reference(drawn(2048, 3)))
    assert abs(found["vital.distance"]) < 0.01
    assert found["vital.diversity"] == pytest.approx(1, abs=0.1)
    assert found["vital.reached"] > 0.95
    assert found["vital.duplicates"] < 0.03


def test_samples_that_are_all_one_have_no_diversity_and_are_all_doubles() -> None:
    found = signs(drawn(320, 1), drawn(1, 2).expand(320, -1))
    assert found["vital.diversity"] == pytest.approx(0, abs=1e-6)
    assert found["vital.duplicates"] == 1


def test_distance_is_the_energy_distance_as_a_plain_loop_has_it() -> None:
    real, fake = drawn(30, 1), 0.5 * drawn(25, 2) + 0.3
    x, y = real.double().numpy(), fake.double().numpy()

    def mean(a: np.ndarray, b: np.ndarray, pairs: int) -> float:
        return sum(float(np.linalg.norm(p - q)) for p in a for q in b) / pairs

    across, reals, fakes = mean(x, y, 30 * 25), mean(x, x, 30 * 29), mean(y, y, 25 * 24)
    found = signs(real, fake)
    assert found["vital.distance"] == pytest.approx((2 * across - reals - fakes) / (2 * across))
    assert found["vital.diversity"] == pytest.approx(fakes / reals)


def test_two_points_apart_are_at_distance_one() -> None:
    found = signs(torch.zeros(64, 3), torch.ones(64, 3))
    assert found["vital.distance"] == pytest.approx(1)


def test_a_quarter_of_the_data_left_out_is_a_quarter_not_reached() -> None:
    about = reference(spots((512, 512, 512, 512)))
    found = signs(spots((80, 80, 80, 80), 1), spots((107, 107, 106, 0), 2), about)
    assert found["vital.reached"] == pytest.approx(0.75, abs=0.02)


def test_counts_by_cluster_are_remembered_over_rows() -> None:
    about, vitals = reference(spots((512, 512, 512, 512))), Vitals(log_every=50)
    reached = []
    for row in range(14):
        counts = (11, 11, 10, 0) if row else (8, 8, 8, 8)
        for look in range(20):
            for side, rows in (("real", spots((8,) * 4, look)), ("fake", spots(counts, look))):
                vitals.look(side, {SAMPLE: rows}, Judged(torch.zeros(len(rows))))
        reached.append(vitals.signs(100, lambda: about)["vital.reached"])
    assert min(reached[:3]) > 0.9  # a row or two without them may be chance
    assert reached[-1] == pytest.approx(0.75, abs=0.02)


def test_a_mean_that_moves_by_the_spread_of_the_data_travels_one() -> None:
    about, vitals = reference(drawn(2048, 0)), Vitals(log_every=50)
    travels = []
    for shift in (0.0, 0.0, 1.0):
        for part in range(5):
            rows = drawn(32, 10 * part + int(shift)) + shift
            vitals.look("real", {SAMPLE: drawn(32, part)}, Judged(torch.zeros(32)))
            vitals.look("fake", {SAMPLE: rows}, Judged(torch.zeros(32)))
        travels.append(vitals.signs(100, lambda: about)["vital.travel"])
    # Every coordinate moved by its standard deviation, so the norm moved by the data's.
    assert travels[0] == travels[1] == 0
    assert travels[2] == pytest.approx(1, abs=0.1)


def test_chance_alone_is_no_travel() -> None:
    about, vitals = reference(drawn(2048, 0)), Vitals(log_every=50)
    travels = []
    for row in range(6):
        vitals.look("real", {SAMPLE: drawn(64, 50 + row)}, Judged(torch.zeros(64)))
        vitals.look("fake", {SAMPLE: drawn(64, 80 + row)}, Judged(torch.zeros(64)))
        travels.append(vitals.signs(100, lambda: about)["vital.travel"])
    assert max(travels) < 0.15  # without the correction: √(2/64) = 0.18 at the middle


def test_copies_of_the_whole_data_are_at_no_distance_from_it() -> None:
    data = drawn(60, 0)
    about = reference(data, whole=True)
    assert signs(data, data[torch.arange(320) % 20], about)["vital.nearest"] == 0
    assert signs(data, drawn(320, 1), about)["vital.nearest"] == pytest.approx(1, abs=0.2)
    assert "vital.nearest" not in signs(data, data, reference(data))


@pytest.mark.parametrize("way", [0.0, 0.5, 1.0])
def test_a_leak_is_how_far_fakes_are_towards_the_augmented(way: float) -> None:
    real, vitals = drawn(32, 0), Vitals(log_every=50)
    for side, samples in (("real", real), ("augmented", real + 2), ("fake", real + 2 * way)):
        vitals.look(side, {SAMPLE: samples}, Judged(torch.zeros(32)))
    about = reference(real)
    assert vitals.signs(100, lambda: about)["vital.leak"] == pytest.approx(way, abs=1e-6)


def test_labels_are_obeyed_or_not() -> None:
    data, labels = spots((100, 100, 100, 100)), torch.arange(4).repeat_interleave(100)
    about = reference(data, labels)
    assert signs(data, data, about, (labels, labels))["vital.obeyed"] == 1
    assert signs(data, data, about, (labels, (labels + 1) % 4))["vital.obeyed"] == 0


def test_shuffled_labels_tell_no_more_than_chance() -> None:
    data, labels = spots((100, 100, 100, 100)), torch.arange(4).repeat_interleave(100)
    shuffled = labels[torch.randperm(400, generator=torch.Generator().manual_seed(0))]
    assert reference(data, labels).telling == pytest.approx(math.sqrt(0.75 * 400 / 0.25), rel=1e-6)
    assert abs(reference(data, shuffled).telling) < 3


def test_verdicts_are_counted() -> None:
    vitals = Vitals(log_every=50)
    vitals.look("real", {SAMPLE: drawn(4, 0)}, Judged(torch.tensor([1.0, 2.0, 3.0, -1.0])))
    vitals.look("fake", {SAMPLE: drawn(4, 1)}, Judged(torch.tensor([-1.0, -2.0, 2.5, 0.0])))
    found = vitals.signs(100, lambda: reference(drawn(50, 2)))
    assert found["accuracy.real"] == 0.75
    assert found["accuracy.fake"] == 0.5
    assert found["logit.real"] == 1.25
    wins = sum(r > f for r in (1, 2, 3, -1) for f in (-1, -2, 2.5, 0)) / 16
    assert found["accuracy.order"] == wins


def test_patches_of_a_verdict_count_together() -> None:
    vitals = Vitals(log_every=50)
    patches = torch.tensor([[[3.0, -1.0]], [[1.0, -2.0]]])
    vitals.look("real", {SAMPLE: drawn(2, 0)}, Judged(patches))
    assert vitals.signs(100, lambda: reference(drawn(50, 2)))["logit.real"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("log_every", "looks"), [(1, 1), (3, 1), (10, 1), (20, 2), (50, 5), (100, 5), (1000, 5)]
)
def test_a_row_has_one_to_five_looks(log_every: int, looks: int) -> None:
    assert sum(Vitals(log_every).due(step) for step in range(log_every)) == looks


def test_a_long_run_is_looked_at_less_often() -> None:
    short, long = Vitals(10, planned=8_000), Vitals(10, planned=100_000)
    assert [sum(v.due(step) for step in range(1200)) for v in (short, long)] == [120, 30]
    assert [sum(v.measured(step) for step in range(1200)) for v in (short, long)] == [12, 3]
    assert span(10, 100_000) == 400
    assert span(300, 100_000) == 600  # rows are where they are


def test_rows_close_together_share_their_vital_signs() -> None:
    about, vitals = reference(drawn(500, 0)), Vitals(log_every=20)
    told = {}
    for step in range(20, 220, 20):
        for side in ("real", "fake"):
            vitals.look(side, {SAMPLE: drawn(8, step)}, Judged(torch.ones(8)))
        told[step] = vitals.signs(step, lambda: about)
    assert all("accuracy.order" in signs for signs in told.values())
    assert [step for step, signs in told.items() if "vital.distance" in signs] == [100, 200]


@pytest.mark.parametrize("size", [(4, 4), (8, 8), (28, 28), (48, 64)])
def test_images_of_any_size_are_looked_at_in_the_same_pixels(size: tuple[int, int]) -> None:
    images = torch.rand(3, 2, *size)
    assert small(images).shape == (3, 2 * SIDE * SIDE)
    assert torch.allclose(small(torch.full((1, 1, *size), 0.3)), torch.tensor(0.3))


def test_what_was_kept_survives_a_checkpoint() -> None:
    about, one, other = reference(drawn(500, 0)), Vitals(log_every=50), Vitals(log_every=50)
    for vitals in (one, other):
        for side in ("real", "fake"):
            vitals.look(side, {SAMPLE: drawn(64, len(side))}, Judged(torch.zeros(64)))
        vitals.signs(100, lambda: about)
        vitals.look("real", {SAMPLE: drawn(64, 7)}, Judged(torch.ones(64)))
    third = Vitals(log_every=50)
    third.load({name: tensor.clone() for name, tensor in one.tensors().items()})
    for vitals in (other, third):
        vitals.look("fake", {SAMPLE: drawn(64, 8) + 2}, Judged(torch.ones(64)))
    assert other.signs(100, lambda: about) == third.signs(100, lambda: about)


def test_what_is_remembered_stays_on_the_host_when_a_run_goes_on_elsewhere() -> None:
    """In float64, which not every device has; `meta` stands for such a device."""
    vitals = Vitals(log_every=10)
    past, kept = torch.zeros(3, dtype=torch.float64), torch.zeros(4, 2)
    vitals.load({"past/centre": past, "kept/fake.sample": kept}, torch.device("meta"))
    found = vitals.tensors()
    assert found["past/centre"].device.type == "cpu"
    assert found["kept/fake.sample"].device.type == "meta"
