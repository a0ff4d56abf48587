"""Attention, against a plain loop over its three equations."""

from __future__ import annotations

import torch

from gantk_sagan_lite.attention import SelfAttention


def test_attention_is_what_its_equations_say() -> None:
    torch.manual_seed(0)
    layer = SelfAttention(16).double()
    layer.gamma.data.fill_(0.7)
    x = torch.randn(2, 16, 3, 4, dtype=torch.float64)
    f, g, h, v = (
        part.weight.detach()[:, :, 0, 0]
        for part in (layer.key, layer.query, layer.value, layer.out)
    )

    expected = torch.empty_like(x)
    for n in range(2):
        places = x[n].flatten(1).T  # [H·W, C]
        for j, own in enumerate(places):
            weights = torch.stack([((f @ other) @ (g @ own)).exp() for other in places])
            beta = weights / weights.sum()  # equation 1
            o = v @ sum(b * (h @ other) for b, other in zip(beta, places, strict=True))
            expected[n, :, j // 4, j % 4] = 0.7 * o + own  # equations 2 and 3

    torch.testing.assert_close(layer(x).detach(), expected)


def test_a_fresh_map_leaves_attention_as_it_came() -> None:
    x = torch.randn(2, 16, 4, 4)

    assert torch.equal(SelfAttention(16)(x), x)
