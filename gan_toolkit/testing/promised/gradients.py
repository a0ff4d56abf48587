"""What a loss, a penalty or a constraint promises of its gradients: whom it teaches, and what."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from gan_toolkit.play import Role
from gan_toolkit.terms import Loss, Term
from gan_toolkit.testing.promised.terms import its_parts_are_named_numbers
from gan_toolkit.testing.promises import Broken, NotMade, Subject, promise
from gan_toolkit.testing.stages.scene import Scene, Tried, flat, plain, steep, term_of, tries
from gan_toolkit.testing.stages.trial import after

LARGE = 25_000.0
"""A scale of D that makes logits beyond ±10,000."""


@promise("loss")
@promise("penalty")
@after(its_parts_are_named_numbers)
def it_teaches_each_player_it_names(it: Subject) -> None:
    """The weights of each player in `roles` are moved by a gradient or by a constraint.

    Training refuses an update in which no term takes part, and goes by `roles`. Name there the
    players that the term moves, and detach nothing that they are to learn from.
    """
    term = term_of(it)
    for role in term.roles:
        scenes = (plain(term), steep(term), steep(term, scale=0.2))
        lessons = [lesson for scene in scenes for lesson in scene.tried(role).lessons().values()]
        if not any(lesson.any() for lesson in lessons) and not _constrains(term, role):
            raise Broken(f"`roles` names the {role}, but nothing moves its weights")


@promise("loss")
@promise("penalty")
@after(its_parts_are_named_numbers)
def a_flat_discriminator_does_it_no_harm(it: Subject) -> None:
    """Before a D that gives every sample the same logit, value and gradients are finite.

    D is flat where its last layer begins at zero and where its units are off. The gradient of
    `sqrt` at 0 is infinite and makes NaN of all weights: use `.norm(dim=1)`, whose gradient at 0 is
    0, or add an epsilon under the root.
    """
    for role, scene in tries(it, flat):
        _check_finite(scene.tried(role), f"before a flat D the {role}'s")


@promise("loss")
@promise("penalty")
@after(its_parts_are_named_numbers)
def it_says_whether_it_is_differentiated_twice(it: Subject) -> None:
    """`second_order` is true exactly when the value rests on a gradient that it was handed or took.

    Such an update is computed in float32 throughout, for bfloat16 falsifies it; others would only
    be slower for that. Set it where you read `real_gradients` or `fake_gradients`, or call
    `torch.autograd.grad(…, create_graph=True)`.
    """
    term = term_of(it)
    found = any(scene.tried(role).differentiated() for role, scene in tries(it, steep))
    if term.second_order and not found:
        raise Broken("`second_order` is true, but the value rests on no gradient")
    if found and not term.second_order:
        raise Broken("`second_order` is false, but the value rests on a gradient")


@promise("loss")
@promise("penalty")
@after(its_parts_are_named_numbers)
def it_says_whether_it_looks_at_single_samples(it: Subject) -> None:
    """`per_sample` is true if D's value rests on the gradient of logits with respect to samples.

    Batch norm in D mixes samples, so that the gradient of one is that of all; a recipe with such a
    D beside such a term is refused. Set it where you differentiate logits.
    """
    term = _with(it, "discriminator")
    found = steep(term).tried("discriminator").differentiated()
    if "samples" in found and not term.per_sample:
        raise Broken("`per_sample` is false, but the value rests on such a gradient")


@promise("loss")
@after(its_parts_are_named_numbers)
def the_discriminator_learns_to_tell_them_apart(it: Subject) -> None:
    """While D is undecided, its value falls as the logits of reals rise and those of fakes fall.

    A positive logit means real: so accuracy is read and so every loss and penalty can be mixed.
    Look for a wrong sign, or for targets that changed places.
    """
    tried = plain(_with(it, "discriminator"), real=0.2, fake=0.2).tried("discriminator")
    _check_direction(tried, {"real": -1, "fake": 1})


@promise("loss")
@after(its_parts_are_named_numbers)
def the_generator_learns_to_be_taken_for_real(it: Subject) -> None:
    """Where D sees through the fakes, G's value falls as their logits rise.

    A loss of the other sign trains G to be found out. Look for a wrong sign, or for D's part in
    G's place.
    """
    tried = plain(_with(it, "generator")).tried("generator")
    _check_direction(tried, {"fake": -1})


@promise("loss")
@after(its_parts_are_named_numbers)
def both_sides_teach_the_discriminator(it: Subject) -> None:
    """In D's update a `Loss` has a gradient through real logits and one through fake logits.

    A D taught by one side calls everything real, or nothing. Read both logits, detach neither: the
    engine sees to it that G does not learn in D's update.
    """
    term = _with(it, "discriminator")
    if not isinstance(term, Loss):
        raise NotMade("it is a term of its own, no `Loss`")
    tried = plain(term, real=0.2, fake=0.2).tried("discriminator")
    for side, logits in _logits(tried).items():
        gradient = tried.gradient(logits)
        if gradient is None or not gradient.any():
            raise Broken(f"the {side} logits get no gradient")


@promise("loss")
@after(its_parts_are_named_numbers)
def large_logits_stay_finite(it: Subject) -> None:
    """With logits beyond ±10,000, right or wrong, value and gradients are finite.

    A critic's logits have no bound. Write -log σ(x) as `softplus(-x)`, for `log(sigmoid(x))` is
    -inf at -100 already; clamp what goes into `exp`.
    """
    for role, scene in tries(it, _sure, _sorely_wrong):
        _check_finite(scene.tried(role), f"with large logits the {role}'s")


def _sure(term: Term) -> Scene:
    return plain(term, scale=LARGE)


def _sorely_wrong(term: Term) -> Scene:
    return plain(term, scale=-LARGE)


def _with(it: Subject, role: Role) -> Term:
    term = term_of(it)
    if role not in term.roles:
        raise NotMade(f"it has no part in the {role}'s update")
    return term


def _logits(tried: Tried) -> dict[str, Tensor]:
    return {"real": tried.play.real_logits, "fake": tried.play.fake_logits}


def _constrains(term: Term, role: Role) -> bool:
    network = steep(term).play(role).players[role]
    before = copy.deepcopy(network.state_dict())
    with torch.no_grad():
        term.constrain({role: network})
    return any(
        not torch.equal(before[name], weight) for name, weight in network.state_dict().items()
    )


def _check_finite(tried: Tried, whose: str) -> None:
    """Raise `Broken` unless the parts and the gradients of weights are finite."""
    for name, number in tried.numbers.items():
        if not number.isfinite():
            raise Broken(f"{whose} '{name}' is {number:g}")
    for name, gradient in tried.lessons().items():
        if not gradient.isfinite().all():
            raise Broken(f"{whose} gradient of '{name}' holds {gradient.sum():g}")


def _check_direction(tried: Tried, wanted: dict[str, int]) -> None:
    """Raise `Broken` if, on average over a side's logits, the total moves against `wanted`."""
    found = {side: tried.gradient(_logits(tried)[side]) for side in wanted}
    slopes = {side: slope.sum().item() for side, slope in found.items() if slope is not None}
    if not slopes:
        raise NotMade("its gradient does not pass through logits")
    for side, slope in slopes.items():
        if slope * wanted[side] < 0:
            moves = "rises" if slope > 0 else "falls"
            raise Broken(f"as {side} logits rise, the {tried.play.role}'s value {moves}")
