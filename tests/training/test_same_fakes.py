"""An update that learns from the fakes of the one before: which they are, and what bars it."""

from __future__ import annotations

import copy

import pytest
import torch
from sketched import trainer
from torch import Tensor

from gan_toolkit.errors import RecipeError, UsageError
from gan_toolkit.step import step
from gan_toolkit.trainer import Trainer


def generator_moves(one: Trainer) -> bool:
    """Make a step; return whether any weight or statistic of G is another then."""
    generator = one.state.networks["generator"]
    before = copy.deepcopy(generator.state_dict())
    step(one.state, *one.feed.moves(one.state))
    return any(not torch.equal(before[key], now) for key, now in generator.state_dict().items())


@pytest.mark.parametrize("settings", [{}, {"accumulate": 4}, {"terms.zero": {"name": "r1r2"}}])
def test_an_update_that_learns_from_fakes_of_before_makes_none(
    vectors: tuple[Tensor, Tensor], settings: dict[str, object]
) -> None:
    one = trainer(vectors, settings={"updates.generator.fresh_fakes": False, **settings})
    made: list[int] = []
    one.state.networks["generator"].register_forward_hook(lambda *given: made.append(len(given[2])))
    moves, _ = one.feed.moves(one.state)

    assert moves[0].draws is moves[1].draws
    assert generator_moves(one)
    assert sum(made) == 12


def test_where_no_fakes_were_made_before_they_are_made(vectors: tuple[Tensor, Tensor]) -> None:
    settings = {
        "updates.discriminator.terms": ["adversarial.real"],
        "updates.generator.fresh_fakes": False,
    }
    late = {"updates.discriminator.starts_at": 2, "updates.generator.fresh_fakes": False}
    for each in (settings, late):
        assert generator_moves(trainer(vectors, settings=each))


def test_fakes_are_those_of_the_update_before_and_of_no_earlier_one(
    vectors: tuple[Tensor, Tensor],
) -> None:
    more = {
        "updates.d": {"networks": ["discriminator"], "role": "discriminator", "starts_at": 1},
        "updates.g": {"networks": ["generator"], "role": "generator", "fresh_fakes": False},
    }
    one = trainer(vectors, settings=more)
    borrowed = []
    for _ in range(2):
        moves, new = one.feed.moves(one.state)
        borrowed.append([move.name for move in moves if move.borrows])
        step(one.state, moves, new)

    assert borrowed == [[], ["g"]]


def test_fakes_are_not_kept_over_a_change_of_what_makes_them(
    vectors: tuple[Tensor, Tensor],
) -> None:
    settings = {
        "updates.discriminator.networks": ["discriminator", "mapping"],
        "updates.generator.networks": ["generator"],
        "updates.generator.fresh_fakes": False,
    }
    one = trainer(vectors, "mapped", settings)

    with pytest.raises(UsageError, match="made by 'mapping', which the same update changes"):
        step(one.state, *one.feed.moves(one.state))


def test_fakes_that_are_differentiated_twice_are_no_narrow_ones(
    vectors: tuple[Tensor, Tensor],
) -> None:
    settings = {
        "terms.path": {"name": "path-length"},
        "updates.generator.networks": ["mapping", "generator"],
        "updates.generator.fresh_fakes": False,
    }
    one = trainer(vectors, "mapped", settings)
    step(one.state, *one.feed.moves(one.state))

    with pytest.raises(RecipeError, match="'path-length' differentiates fakes twice"):
        trainer(vectors, "mapped", {**settings, "compute.precision": "bf16"})


def test_fakes_are_not_kept_over_a_change_of_shared_weights(
    vectors: tuple[Tensor, Tensor],
) -> None:
    settings = {
        "updates.generator.networks": ["generator", "q"],
        "updates.generator.fresh_fakes": False,
    }
    with pytest.raises(RecipeError, match="weights that its networks share"):
        trainer(vectors, "tied", settings)
