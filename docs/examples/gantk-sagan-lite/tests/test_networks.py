"""The networks, by their shapes and by what holds D."""

from __future__ import annotations

import pytest
import torch
from gan_toolkit import DataSpec, FieldSpec

from gantk_sagan_lite.attention import SelfAttention
from gantk_sagan_lite.networks import SAGANLite


def spec_of(*shape: int) -> DataSpec:
    return DataSpec(name="images", fields={"sample": FieldSpec(shape=shape, low=-1.0, high=1.0)})


@pytest.mark.parametrize(("side", "attention"), [(8, 4), (8, 8), (16, 8), (32, 16), (64, 8)])
def test_both_players_attend_once_at_the_side_that_was_chosen(side: int, attention: int) -> None:
    spec = spec_of(3, side, side)
    sides = []
    for network, given in zip(
        SAGANLite(width=4, attention=attention).networks(spec, 0).values(),
        (torch.randn(2, 64), torch.randn(2, 3, side, side)),
        strict=True,
    ):
        for module in network.modules():
            if isinstance(module, SelfAttention):
                module.register_forward_hook(lambda _m, _i, made: sides.append(made.shape[-1]))
        network(given)

    assert sides == [attention, attention]


def test_no_weight_of_d_has_a_singular_value_above_one() -> None:
    torch.manual_seed(0)
    discriminator = SAGANLite(width=4).discriminator(spec_of(1, 16, 16))
    for _ in range(50):  # power iterations
        discriminator(torch.randn(2, 1, 16, 16))

    weights = [
        module.weight.detach().flatten(1)
        for module in discriminator.eval().modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)
    ]
    assert len(weights) == 8  # three convolutions, four of attention, one dense
    for weight in weights:
        assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 16, 32), (1, 12, 12), (5, 16, 16), (2,)])
def test_what_it_cannot_make_it_refuses(shape: tuple[int, ...]) -> None:
    assert len(SAGANLite().refusals(spec_of(*shape))) == 1


def test_attention_at_a_side_without_a_map_is_refused_with_the_sides_there_are() -> None:
    (reason,) = SAGANLite(attention=32).refusals(spec_of(1, 16, 16))

    assert "maps of side 4, 8, 16" in reason
