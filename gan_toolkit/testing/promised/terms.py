"""What a loss, a penalty or a constraint promises."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator, Mapping

import torch
from safetensors.torch import load, save
from torch import Tensor

from gan_toolkit.data import SAMPLE
from gan_toolkit.play import Role
from gan_toolkit.terms import State, Term
from gan_toolkit.testing.promises import Broken, NotMade, Subject, promise
from gan_toolkit.testing.stages.game import WatchedPlay
from gan_toolkit.testing.stages.scene import (
    ROWS,
    Scene,
    Tried,
    check_rows,
    flat,
    nothing_drawn,
    plain,
    spec_for,
    steep,
    term_of,
    tries,
)
from gan_toolkit.testing.stages.trial import after

PART = re.compile(r"\w+(-\w+)*")


@promise("loss")
@promise("penalty")
def its_parts_are_named_numbers(it: Subject) -> None:
    """Each part of the value is a finite 0-d tensor of floats with a name.

    Parts are summed, logged as `update.term.part`, and chosen by an update's `terms`. Reduce over
    the whole batch with `.mean()`, and name parts by letters, digits and hyphens: `real`, `fake`.
    """
    for role, scene in tries(it, plain, steep):
        _check_parts(scene.tried(role), role)


@promise("loss")
@promise("penalty")
@after(its_parts_are_named_numbers)
def it_takes_logits_of_patches(it: Subject) -> None:
    """A verdict on patches, [N, 1, h, w], is taken as one of [N] is.

    Which D the term meets is the choice of whoever writes the recipe. Take the mean over all of a
    tensor, make targets with `ones_like`, sum logits before you differentiate them.
    """
    for role, scene in tries(it, _patches):
        _check_parts(scene.tried(role), role)


@promise("loss")
@promise("penalty")
@after(its_parts_are_named_numbers)
def it_names_what_it_reads(it: Subject) -> None:
    """It reads no gradient, head or field that `needs`, `heads` and `fields` do not name.

    A recipe is held against them before training, and gradients are prepared by them: an unnamed
    read works beside some terms and fails beside others. A head that is named must be read, too,
    for the recipe counts on its being taught.
    """
    term = term_of(it)
    plays = [scene.tried(role).play for role, scene in tries(it, plain, steep)]
    read = {
        "needs": {name for play in plays for name in play.gradients},
        "heads": {name for play in plays for name in play.heads},
        "fields": {name for play in plays for name in play.fields} - {SAMPLE},
    }
    for where, names in read.items():
        named = getattr(term, where)
        if unnamed := sorted(names.difference(named)):
            raise Broken(f"it reads '{unnamed[0]}', but `{where}` is {named}")
    if unread := sorted(set(term.heads) - read["heads"]):
        raise Broken(f"`heads` names '{unread[0]}', which it does not read")


@promise("loss")
@promise("penalty")
@after(its_parts_are_named_numbers)
def its_value_follows_from_its_inputs(it: Subject) -> None:
    """The same play, draws, scheduled numbers and memory give the same bits.

    That is why a resumed run equals one that never stopped. Take random numbers from `draws`; keep
    what lasts in the `state` that you return, never in the object or in a module.
    """
    for role, scene in tries(it, plain, steep):
        with nothing_drawn():
            first, second = scene.tried(role).numbers, scene.tried(role).numbers
        if changed := _differing(first, second):
            raise Broken(f"'{changed}' was {first[changed]:g}, then {second.get(changed)}")


@promise("loss")
@promise("penalty")
@after(its_value_follows_from_its_inputs)
def it_leaves_its_inputs_as_they_were(it: Subject) -> None:
    """Samples, verdicts, draws, memory and weights are not changed in place by the value.

    All terms of an update look at one play, so the next one would see what this one left. Use no
    method that ends in an underscore on what you did not make.
    """
    for role, scene in tries(it, plain, steep):
        memory = scene.term.state(spec_for(scene.term))
        kept, kept_memory = copy.deepcopy((scene, memory))
        left = _inputs(scene, scene.tried(role, memory).play, memory)
        if changed := _differing(_inputs(kept, kept.play(role), kept_memory), left):
            raise Broken(f"in the {role}'s update it changed {changed}")


@promise("loss")
@promise("penalty")
@after(its_value_follows_from_its_inputs)
def its_memory_fits_a_checkpoint(it: Subject) -> None:
    """What `value` returns as state has the names, shapes and types of `state`, and can be saved.

    A checkpoint is loaded over a fresh `state(spec)`, in place. Make new tensors at each call of
    `state`, all that there will ever be, and keep their shapes.
    """
    for role, scene in tries(it, plain):
        fresh = scene.term.state(spec_for(scene.term))
        kept = {name: tensor.detach() for name, tensor in scene.tried(role).state.items()}
        if not fresh and not kept:
            raise NotMade("it has no memory")
        if _forms(kept) != _forms(fresh):
            raise Broken(f"it starts as {_forms(fresh)}, and is {_forms(kept)} after a value")
        known = copy.deepcopy(fresh)
        saved = load(save({name: tensor.contiguous().clone() for name, tensor in kept.items()}))
        for name, tensor in saved.items():
            fresh[name].copy_(tensor)
        if changed := _differing(known, scene.term.state(spec_for(scene.term))):
            raise Broken(f"'{changed}' is shared by all who call `state`")
        if changed := _differing(scene.tried(role, kept).numbers, scene.tried(role, fresh).numbers):
            raise Broken(f"from a saved memory '{changed}' has another value")


@promise("loss")
@promise("penalty")
def each_of_its_draws_has_a_row_a_sample(it: Subject) -> None:
    """A draw gives as many rows as are asked of it, from the generator that it is handed.

    Draws are cut as the batch is cut, and drawn again when a run is resumed. Return `Normal`,
    `Mixture`, `Uniform` and `Categorical`, or a class whose `sample` puts the number of rows first.
    """
    term = term_of(it)
    check_rows(term.draws(spec_for(term)))


@promise("loss")
@after(its_value_follows_from_its_inputs)
def the_order_of_rows_does_not_matter(it: Subject) -> None:
    """Rows shuffled, reals, fakes and draws alike, have the same loss.

    Rows come in the order of a shuffle and mean nothing by it. Compare rows of equal place only,
    and reduce by what treats all rows alike.
    """
    term = term_of(it)
    if term.state(spec_for(term)):
        raise NotMade("it may remember some of the rows")
    for name, part, shuffled in _rearranged(it, torch.tensor([3, 0, 5, 1, 4, 2])):
        if not math.isclose(part, shuffled, rel_tol=1e-3, abs_tol=1e-6):
            raise Broken(f"'{name}' is {part:g}, and {shuffled:g} when the rows are shuffled")


@promise("loss")
@promise("penalty")
@after(its_value_follows_from_its_inputs)
def twice_the_batch_costs_the_same(it: Subject) -> None:
    """A batch in which every row stands twice, in some order, has about the value of the batch.

    `accumulate` cuts a batch into pieces and takes the mean of what they cost, and a learning rate
    is found for one batch and used for another. Reduce by `.mean()`, not by `.sum()`. A statistic
    that corrects for the number of rows may move by a quarter.
    """
    places = torch.arange(2 * ROWS)
    side_by_side, one_after_the_other = (
        list(_rearranged(it, order)) for order in (places // 2, places % ROWS)
    )  # a term that compares rows with their neighbours, or halves, meets each with itself in one
    for (name, part, doubled), (*_, other) in zip(side_by_side, one_after_the_other, strict=True):
        if not any(math.isclose(part, d, rel_tol=0.25, abs_tol=1e-6) for d in (doubled, other)):
            raise Broken(f"'{name}' is {part:g}, and {doubled:g} for twice the batch")


@promise("penalty")
@after(its_parts_are_named_numbers)
def it_never_rewards(it: Subject) -> None:
    """No part of a penalty is negative.

    Zero is what a player that keeps the rule pays. What may fall below it is a loss: declare it as
    one.
    """
    parts = [
        (role, name, number)
        for role, scene in tries(it, plain, steep, flat)
        for name, number in scene.tried(role).numbers.items()
    ]
    if not parts:
        raise NotMade("it has no part")
    for role, name, number in parts:
        if number < 0:
            raise Broken(f"in the {role}'s update '{name}' is {number:g}")


@promise("loss")
@promise("penalty")
def constraining_twice_is_constraining_once(it: Subject) -> None:
    """`constrain` changes weights in place, and finds nothing left to do when called again.

    Optimisers hold on to the tensors that they were given. Write `@torch.no_grad()` above it, use
    methods that end in an underscore, and bring weights to where they may be rather than nearer.
    """
    term = term_of(it)
    if type(term).constrain is Term.constrain:
        raise NotMade("it constrains nothing")
    for role in term.roles:
        network = steep(term).play(role).players[role]
        given = dict(network.named_parameters())
        forms = _forms(given)
        term.constrain({role: network})
        weights = dict(network.named_parameters())
        if _forms(weights) != forms or any(weights[name] is not given[name] for name in given):
            raise Broken(f"the {role}'s weights are no longer the same tensors of {forms}")
        once = copy.deepcopy(weights)
        term.constrain({role: network})
        for name, weight in weights.items():
            if not torch.allclose(weight, once[name], rtol=1e-3, atol=1e-5):
                raise Broken(f"the {role}'s weights '{name}' changed again")


def _patches(term: Term) -> Scene:
    return steep(term, patches=4)


def _rearranged(it: Subject, order: Tensor) -> Iterator[tuple[str, float, float]]:
    """Yield each part's name and its value, before and after rows are put in an order."""
    for role, scene in tries(it, plain, steep):
        rearranged = scene.rows(order).tried(role).numbers
        for name, number in scene.tried(role).numbers.items():
            yield name, number.item(), rearranged[name].item()


def _inputs(scene: Scene, play: WatchedPlay, memory: State) -> dict[str, Tensor]:
    """Return everything that a term may look at, by name."""
    groups = {
        "reals": play.reals,
        "fakes": play.fakes,
        "draws": scene.draws,
        "state": memory,
        "heads of reals": play.real.heads,
        "heads of fakes": play.fake.heads,
        **{player: network.state_dict() for player, network in play.players.items()},
    }
    named = {f"{group} '{name}'": t for group, held in groups.items() for name, t in held.items()}
    sides = {"reals": play.real, "fakes": play.fake}
    logits = {f"the logits of {side}": judged.logits for side, judged in sides.items()}
    features = {f"the features of {side}": judged.features for side, judged in sides.items()}
    return named | logits | {name: t for name, t in features.items() if t is not None}


def _check_parts(tried: Tried, role: Role) -> None:
    for name, part in tried.parts.items():
        where = f"in the {role}'s update '{name}'"
        if not PART.fullmatch(name):
            raise Broken(f"{where} is no name")
        if not isinstance(part, Tensor) or part.dim() or not part.is_floating_point():
            shape = f"{part.dtype} {list(part.shape)}" if isinstance(part, Tensor) else type(part)
            raise Broken(f"{where} is {shape}")
        if not part.isfinite():
            raise Broken(f"{where} is {part:g}")


def _forms(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    return {name: f"{tensor.dtype} {list(tensor.shape)}" for name, tensor in tensors.items()}


def _differing(known: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """Return the name of the first tensor that is missing or not the same to the bit, or ""."""
    names = (n for n, t in known.items() if n not in found or not torch.equal(t, found[n]))
    return next(names, "")
