"""The Fréchet distance against closed forms and an independent arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gan_toolkit.errors import DataError
from gan_toolkit.evaluation import evaluate
from gan_toolkit.scoring import Score, Seen
from gan_toolkit.streams import stream
from gantk_metrics.frechet import distance, gaussian, gaussians

Chunked = Callable[[Tensor, int], list[Seen]]


def noise(*shape: int, key: str = "") -> Tensor:
    return torch.randn(*shape, generator=stream(0, "test", key))


def covariance(d: int, key: str) -> Tensor:
    root = noise(d, d, key=key).double()
    return root @ root.T / d


def by_eigenvalues(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """Heusel et al. 2017, equation 6, by the eigenvalues of the product itself, in numpy.

    A B is similar to A^½ B A^½, so that its eigenvalues are real and not negative.
    """
    A, B = a["covariance"].numpy(), b["covariance"].numpy()
    roots = np.sqrt(np.linalg.eigvals(A @ B).astype(complex)).real.sum()
    shift = ((a["mean"] - b["mean"]) ** 2).sum().item()
    return float(shift + np.trace(A) + np.trace(B) - 2 * roots)


def test_the_distance_is_the_formulas_by_another_route() -> None:
    for d in (1, 5, 64):
        a = {"mean": noise(d, key="a").double(), "covariance": covariance(d, "A")}
        b = {"mean": noise(d, key="b").double(), "covariance": covariance(d, "B")}
        assert distance(a, b) == pytest.approx(by_eigenvalues(a, b), rel=1e-9)
        assert distance(a, b) == pytest.approx(distance(b, a), rel=1e-9)


def test_commuting_gaussians_have_the_closed_form() -> None:
    s, t = torch.tensor([1.0, 4.0, 0.0]).double(), torch.tensor([9.0, 1.0, 4.0]).double()
    turn = torch.linalg.qr(noise(3, 3).double()).Q
    a = {"mean": torch.zeros(3).double(), "covariance": turn @ s.diag() @ turn.T}
    b = {"mean": torch.ones(3).double(), "covariance": turn @ t.diag() @ turn.T}
    # |m|² + Σ (√s - √t)² = 3 + (1-3)² + (2-1)² + (0-2)²
    assert distance(a, b) == pytest.approx(12, rel=1e-6)  # a root of a zero keeps half the digits


def test_a_set_is_at_no_distance_from_itself_in_any_order(chunked: Chunked) -> None:
    rows = noise(500, 20) * 10 + 3
    shuffled = rows[torch.randperm(500, generator=stream(0, "order"))]
    assert abs(distance(gaussian(chunked(rows, 64)), gaussian(chunked(shuffled, 7)))) < 1e-9


def test_a_constant_feature_does_no_harm(chunked: Chunked) -> None:
    rows = torch.cat([noise(300, 3), torch.full((300, 2), 5.0)], 1)
    moved = rows + torch.tensor([0.0, 0.0, 0.0, 2.0, 0.0])
    a, b = (gaussian(chunked(each, 100)) for each in (rows, moved))
    assert distance(a, b) == pytest.approx(4, rel=1e-6)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(0, 5))
@settings(max_examples=30)
def test_streaming_is_one_shot(sizes: list[int], offset: int) -> None:
    rows = noise(sum(sizes) + 1, 4, key=str(sizes)) + 10.0**offset
    found = gaussian(Seen(part) for part in rows.split([*sizes, 1]))
    expected = torch.cov(rows.double().T)
    assert torch.allclose(found["mean"], rows.double().mean(0), rtol=1e-12)
    assert (found["covariance"] - expected).abs().max() <= 1e-9 * expected.abs().max()


def test_the_distance_of_samples_of_one_law_falls_with_their_number(chunked: Chunked) -> None:
    law = [
        gaussian(chunked(noise(n, 32, key=f"{n} {half}"), 512))
        for n in (100, 3200)
        for half in "ab"
    ]
    few, many = distance(*law[:2]), distance(*law[2:])
    assert few / many == pytest.approx(32, rel=0.3)  # the bias goes with 1 / n


def test_shuffling_real_and_made_up_samples_together_leaves_no_distance(chunked: Chunked) -> None:
    real, fake = noise(2000, 8, key="r"), noise(2000, 8, key="f") * 2
    both = torch.cat([real, fake])[torch.randperm(4000, generator=stream(0, "null"))]
    apart = distance(gaussian(chunked(real, 500)), gaussian(chunked(fake, 500)))
    null = distance(gaussian(chunked(both[:2000], 500)), gaussian(chunked(both[2000:], 500)))
    assert apart == pytest.approx(8, rel=0.1)  # Σ (2 - 1)²
    assert null < 0.02 * apart


def test_one_row_is_refused(chunked: Chunked) -> None:
    with pytest.raises(DataError, match="two samples or more"):
        gaussian(chunked(noise(1, 4), 1))


def test_the_gaussian_of_a_class_is_that_of_its_rows_alone(chunked: Chunked) -> None:
    rows = noise(300, 5)
    labels = torch.randint(4, (300,), generator=stream(0, "labels"))
    labels[labels == 2] = 9  # a class without rows, and rows of a class beyond
    parts = zip(rows.split(64), labels.split(64), strict=True)
    found = gaussians([Seen(part, label=label) for part, label in parts], classes=4)
    assert found["count"].tolist() == [int((labels == c).sum()) for c in range(4)]
    for place in (0, 1, 3):
        mine = rows[labels == place].double()
        torch.testing.assert_close(found["mean"][place], mine.mean(0))
        torch.testing.assert_close(found["covariance"][place], torch.cov(mine.T))
    assert not found["covariance"][2].any()


def scored(
    fake: tuple[Tensor, Tensor] | Tensor, real: tuple[Tensor, Tensor] | Tensor, plugin: Path
) -> Score:
    n = len(fake[0] if isinstance(fake, tuple) else fake)
    (score,) = evaluate(fake, real, metrics=["fd"], n=n, plugins=[plugin])
    return score


def test_a_class_is_compared_with_the_real_samples_of_that_class(means: Path) -> None:
    rows, labels = noise(2400, 1, 4, 4, key="real").clamp(-1, 1), torch.arange(2400) % 3
    made = rows.clone()
    made[labels == 1] = 0.5
    score = scored((made, labels), (rows, labels), means)
    assert list(score.parts) == ["0", "1", "2"]
    assert abs(score.parts["0"]) + abs(score.parts["2"]) < 1e-9
    one = rows[labels == 1].unflatten(2, (2, 2)).unflatten(4, (2, 2)).mean((3, 5)).flatten(1)
    spread, shift = torch.cov(one.double().T).trace(), one.double().mean(0) - 0.5
    expected = float(spread + shift.square().sum())  # against a Gaussian without spread
    assert score.parts["1"] == pytest.approx(expected, rel=1e-5)


def test_shuffled_labels_show_in_the_classes_and_not_in_the_whole(means: Path) -> None:
    labels = torch.arange(4000) % 2
    rows = (noise(4000, 1, 4, 4) * 0.2 + (labels - 0.5)[:, None, None, None]).clamp(-1, 1)
    mixed = labels[torch.randperm(4000, generator=stream(0, "mixed"))]
    obeyed, ignored = (scored((rows, asked), (rows, labels), means) for asked in (labels, mixed))
    assert ignored.value == pytest.approx(obeyed.value, abs=1e-9)
    assert min(ignored.parts.values()) > 0.5 > 1e-6 > max(obeyed.parts.values())


def test_a_class_of_too_few_samples_is_left_out_and_named(means: Path) -> None:
    rows, labels = noise(2100, 1, 4, 4).clamp(-1, 1), torch.arange(2100) % 2
    labels[:4] = 2  # as many as the extractor has features
    score = scored((rows, labels), (rows, labels), means)
    assert list(score.parts) == ["0", "1"]
    assert score.receipt.notes[-1] == "no fd-a-means of 2: 4 samples or fewer of such a class"


def test_more_classes_than_the_samples_are_enough_for_are_told_with_the_number_to_ask_for(
    means: Path,
) -> None:
    rows, labels = noise(2100, 1, 4, 4).clamp(-1, 1), torch.arange(2100) % 700
    score = scored((rows, labels), (rows, labels), means)
    assert score.parts == {}
    assert score.receipt.notes[-1] == "no fd-a-means of each class, of which it needs 5: -n 3,500"


def test_a_model_that_is_not_asked_for_classes_has_no_parts(means: Path) -> None:
    rows, labels = noise(2100, 1, 4, 4).clamp(-1, 1), torch.arange(2100) % 2
    score = scored(rows, (rows, labels), means)
    assert (score.parts, score.receipt.notes) == ({}, ())


def test_a_side_of_fewer_samples_than_features_is_told(means: Path) -> None:
    rows = noise(2100, 1, 4, 4).clamp(-1, 1)
    notes = scored(rows, rows[:4], means).receipt.notes
    assert notes[-2].startswith("fd-a-means: real samples, 4, are no more than the 4 features")
    assert notes[-1].startswith("fd-a-means: half the real samples, 2, are no more than")
    assert not any("singular" in note for note in scored(rows, rows, means).receipt.notes)


def test_through_the_network_of_the_papers_it_bears_their_name(means: Path) -> None:
    text = means.read_text(encoding="utf-8")
    titles = 'titles: ClassVar[dict[str, str]] = {"fd": "fid"}\n\n    def refusals'
    means.write_text(text.replace("def refusals", titles), encoding="utf-8")
    rows = noise(2100, 1, 4, 4).clamp(-1, 1)
    metrics = ["fd", "neighbours"]
    names = [s.name for s in evaluate(rows, rows, metrics=metrics, n=2100, plugins=[means])]
    assert names[:2] == ["fid", "precision-a-means"]
