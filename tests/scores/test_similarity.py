"""MS-SSIM against a plain loop over windows, and what must hold of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_toolkit.data import DataSpec, FieldSpec
from gan_toolkit.errors import UsageError
from gan_toolkit.evaluation import evaluate
from gan_toolkit.scoring import Side
from gan_toolkit.streams import stream
from gantk_metrics.similarity import WEIGHTS, ms_ssim, similarity

SPEC = DataSpec(name="two", fields={"sample": FieldSpec(shape=(1, 28, 28), low=-1.0, high=1.0)})


def images(n: int, side: int = 28, key: str = "") -> Tensor:
    dice = stream(0, "test", key)
    coarse = torch.rand(n, 1, 7, 7, generator=dice) * 2 - 1
    return torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")


def written_out(a: np.ndarray, b: np.ndarray, scales: int) -> float:
    """Return MS-SSIM of two images [H, W] in -1 … 1 by the papers' formulas, window by window."""
    d = np.arange(11) - 5.0
    line = np.exp(-(d**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    product = 1.0
    for scale in range(scales):
        if scale:
            a, b = (x.reshape(len(x) // 2, 2, -1, 2).mean((1, 3)) for x in (a, b))
        found = []
        for i in range(len(a) - 10):
            for j in range(a.shape[1] - 10):
                p, q = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
                mp, mq = (window * p).sum(), (window * q).sum()
                vp = (window * (p - mp) ** 2).sum()
                vq = (window * (q - mq) ** 2).sum()
                both = (window * (p - mp) * (q - mq)).sum()
                light = (2 * mp * mq + 0.02**2) / (mp**2 + mq**2 + 0.02**2)
                shape = (2 * both + 0.06**2) / (vp + vq + 0.06**2)
                found.append(light * shape if scale == scales - 1 else shape)
        product *= max(float(np.mean(found)), 0) ** (WEIGHTS[scale] / sum(WEIGHTS[:scales]))
    return product


@pytest.mark.parametrize(("side", "scales"), [(16, 1), (28, 2), (44, 3)])
def test_it_is_the_papers_formula_window_by_window(side: int, scales: int) -> None:
    a = images(1, side, "a").double()
    b = (0.6 * a + 0.4 * images(1, side, "b").double()).clamp(-1, 1)
    expected = written_out(a[0, 0].numpy(), b[0, 0].numpy(), scales)
    assert float(ms_ssim(a, b)) == pytest.approx(expected, rel=1e-9)


def test_equal_images_are_wholly_alike_and_order_does_not_matter() -> None:
    a, b = images(4, key="a"), images(4, key="b")
    torch.testing.assert_close(ms_ssim(a, a), torch.ones(4))
    torch.testing.assert_close(ms_ssim(a, b), ms_ssim(b, a))


def test_unlike_structure_counts_as_none_and_not_as_a_complex_number() -> None:
    a = images(3, key="a")
    assert ms_ssim(a, -a).isfinite().all()
    assert float(ms_ssim(a, -a).max()) < 0.1


def test_a_collapsed_model_is_more_alike_than_real_pairs() -> None:
    real = images(400)
    collapsed = real[:1].repeat(300, 1, 1, 1) + 0.02 * images(300, key="small")
    (score,) = evaluate(collapsed, real, metrics=["ms-ssim"], n=300)
    assert score.floor is not None
    assert score.error is not None
    assert score.value > 0.9
    assert score.floor < 0.5


def test_pairs_are_of_one_class_where_a_model_was_asked_for_classes() -> None:
    two = images(2, key="two")
    labels = torch.arange(200) % 2
    side = Side(
        "samples",
        SPEC,
        200,
        lambda a, n: {"sample": two[labels][a : a + n], "label": labels[a : a + n]},
    )
    assert similarity(side, 0, by_class=True)[0] == pytest.approx(1)
    assert similarity(side, 0, by_class=False)[0] < 0.9


@pytest.mark.parametrize(
    ("shape", "reason"), [((8, 2), "compares images"), ((8, 1, 8, 8), "11×11 or more")]
)
def test_what_has_no_window_is_refused(shape: tuple[int, ...], reason: str) -> None:
    rows = torch.rand(shape)
    with pytest.raises(UsageError, match=reason):
        evaluate(rows, rows, metrics=["ms-ssim"], n=8)
