"""Small tensors become parts of one vector and hold what they held."""

from __future__ import annotations

import pytest
import torch
from systems import after, failing, trainer
from torch import Tensor, nn

from gan_toolkit.engines.arithmetic import OWNERS, WRITTEN_OUT
from gan_toolkit.engines.backends import CAPTURED, Backend
from gan_toolkit.engines.programs import Programs
from gan_toolkit.engines.vectors import MOST, Layout, end_to_end
from gan_toolkit.state import TrainState

JOINING = Backend("traced", CAPTURED.build, joins=True)


def some() -> list[Tensor]:
    return [torch.arange(6.0).reshape(2, 3), torch.tensor(7.0), torch.tensor([8.0, 9.0])]


def test_the_parts_are_the_tensors_in_order() -> None:
    tensors = some()
    vector, moved = end_to_end(tensors)
    assert moved
    assert vector.tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert all(torch.equal(own, other) for own, other in zip(tensors, some(), strict=True))
    vector.mul_(2)
    assert tensors[1].item() == 14
    tensors[0].zero_()
    assert vector.tolist() == [0, 0, 0, 0, 0, 0, 14, 16, 18]


def test_what_lies_end_to_end_stays_where_it_is() -> None:
    tensors = some()
    first, _ = end_to_end(tensors)
    for part in (tensors, tensors[1:]):
        again, moved = end_to_end(part)
        assert again.data_ptr() == part[0].data_ptr()
        assert not moved
    swapped, moved = end_to_end(tensors[::-1])
    assert moved
    assert swapped.data_ptr() != first.data_ptr()
    assert swapped.tolist() == [8, 9, 7, 0, 1, 2, 3, 4, 5]


def test_a_weight_stays_the_weight_that_its_optimiser_and_its_network_know() -> None:
    layer = nn.Linear(3, 2)
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    vector, _ = end_to_end(list(layer.parameters()))
    before = vector.clone()
    layer(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    torch.testing.assert_close(before - vector, torch.ones(8))


def test_only_small_alike_and_unshared_tensors_are_joined() -> None:
    shared = torch.zeros(2)
    a_and_b = {"a": torch.zeros(2, 2), "b": torch.zeros(3)}
    families = {
        "small": {
            "weights": a_and_b,
            "counts": {"a.step": torch.zeros(()), "b.step": torch.zeros(())},
        },
        "large": {"c&d": {"c": torch.zeros(MOST), "d": torch.zeros(1)}},
        "single": {"e": {"e": torch.zeros(4)}},
        "mixed": {"f&g": {"f": torch.zeros(2), "g": torch.zeros(2).double()}},
        "turned": {"h&i": {"h": torch.zeros(2, 3).T, "i": torch.zeros(2)}},
        "empty": {"j&k": {"j": torch.zeros(0), "k": torch.zeros(2)}},
        "one": {"l&m": {"l": shared, "m": torch.zeros(1)}},
        "other": {"n&o": {"n": shared, "o": torch.zeros(1)}},
        "whole": {"p&q": {"p": torch.zeros(1), "q": torch.zeros(1)}, "r": {"r": torch.zeros(1)}},
        "": {"s&t": {"s": torch.zeros(1), "t": torch.zeros(1)}},
    }
    layout = Layout(families, join=True)
    assert layout.owners.keys() == {"weights", "counts"}
    assert layout.owners["weights"].tolist() == [0, 0, 0, 0, 1, 1, 1]
    gathered, moved = layout.gathered(families)
    assert moved
    assert len(gathered) == layout.count
    assert not layout.gathered(families)[1]
    named = layout.named(gathered)
    assert named.keys() == {
        "weights",
        "counts",
        "a",
        "b",
        "a.step",
        "b.step",
        *"cdefghijklmnopqrst",
    }
    assert named["a"].shape == (2, 2)
    assert named["l"] is named["n"] is shared
    assert Layout(families, join=False).owners == {}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_weight_of_a_vector_has_its_own_count_of_steps(dtype: torch.dtype) -> None:
    """Torch's Adam corrects the bias of a weight by the number of its own steps."""
    generator = torch.Generator().manual_seed(1)
    theirs = [nn.Parameter(torch.randn(n, generator=generator, dtype=dtype)) for n in (3, 4)]
    ours, _ = end_to_end([one.detach().clone() for one in theirs])
    optimiser = torch.optim.Adam(theirs, lr=0.1)
    theirs[1].grad = torch.ones(4, dtype=dtype)
    optimiser.step()  # of the second alone
    ours[3:] = theirs[1].detach()
    theirs[0].grad = torch.full([3], 2.0, dtype=dtype)
    empty = {"step": torch.tensor(0.0), **dict.fromkeys(["exp_avg", "exp_avg_sq"], torch.zeros(3))}
    memories = [empty, optimiser.state[theirs[1]]]
    slots = {
        slot: torch.cat([memory[slot].reshape(-1).to(dtype) for memory in memories])
        for slot in ("step", "exp_avg", "exp_avg_sq")
    }
    optimiser.step()
    WRITTEN_OUT[torch.optim.Adam](
        [ours],
        [torch.tensor([2.0] * 3 + [1.0] * 4, dtype=dtype)],
        [{**slots, OWNERS: torch.tensor([0] * 3 + [1] * 4)}],
        torch.tensor(0.1, dtype=torch.float64),
        optimiser.param_groups[0],
    )
    assert slots["step"].tolist() == [1, 2]
    expected = torch.cat([one.detach() for one in theirs])
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=0)


def storages(state: TrainState) -> set[int]:
    weights = [weight for own in state.weights.values() for weight in own]
    return {weight.untyped_storage().data_ptr() for weight in weights}


def test_a_program_joins_the_weights_of_each_network() -> None:
    assert len(storages(after(Programs(failing, JOINING), trainer("mlp"), 1))) == 2
    assert len(storages(after(Programs(failing, CAPTURED), trainer("mlp"), 1))) > 2
