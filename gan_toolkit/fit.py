"""What cannot be mixed, said before training: every part of a recipe held against the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import get_args

from torch.nn import BatchNorm1d, Module
from torch.nn.modules.batchnorm import _BatchNorm  # torch gives the base of batch norms no name
from torch.nn.utils.parametrize import is_parametrized

from gan_toolkit import processes
from gan_toolkit.data import LABEL, DataSpec
from gan_toolkit.errors import did_you_mean
from gan_toolkit.play import Role
from gan_toolkit.recipe import Recipe
from gan_toolkit.streams import global_stream
from gan_toolkit.terms import Term, known_parts


def refusals(recipe: Recipe, spec: DataSpec) -> list[str]:
    """Return why a recipe cannot be trained on data of this spec, one sentence a reason.

    `spec` is as the architecture sees it. The networks are looked at only when everything else
    fits: they could not be built otherwise.
    """
    reasons = [f"arch: {reason}" for reason in recipe.arch.refusals(spec)]
    reasons += _missing_fields(recipe, spec)
    reasons += _labels_without_reader(recipe, spec)
    reasons += _moves_without_term(recipe)
    reasons += _unknown_parts(recipe)
    reasons += _players_without_move(recipe)
    reasons += _narrow_fakes(recipe)
    if recipe.augmentation is not None:
        reasons += [f"augmentation: {reason}" for reason in recipe.augmentation.refusals(spec)]
    reasons += _heads_without_term(recipe, spec)
    return reasons or [*_batch_norms(recipe, spec), *_tied_to_the_fakes(recipe, spec)]


def doubts(recipe: Recipe, spec: DataSpec) -> list[str]:
    """Return what can be trained but cannot be expected to end well, one sentence each."""
    return [*_players_without_loss(recipe), *_critics_without_bound(recipe, spec)]


def _players_without_loss(recipe: Recipe) -> Iterator[str]:
    """Yield players that hear of penalties and of classes alone."""
    for role in get_args(Role):
        told = any(
            update.role == role and not (term.heads or _holds_slope(term))
            for update in recipe.plan.updates.values()
            for term in recipe.terms_of(update).values()
        )
        if not told:
            yield (
                f"updates: nothing tells the {role} reals from fakes. Let one of its updates take "
                "an adversarial loss (`gantk list loss`)."
            )


def _critics_without_bound(recipe: Recipe, spec: DataSpec) -> Iterator[str]:
    """Yield losses that fall without end, as nothing holds the slope of the critic."""
    unbound = [name for name, term in recipe.terms.items() if term.needs_bound]
    if not unbound or any(map(_holds_slope, recipe.terms.values())):
        return
    networks = _first_networks(recipe, spec)
    updates = recipe.plan.updates.values()
    critics = {n for update in updates if update.role == "discriminator" for n in update.networks}
    modules = (module for name in critics & networks.keys() for module in networks[name].modules())
    if any(map(is_parametrized, modules)):  # spectrally normalised
        return
    for name in unbound:
        yield (
            f"terms.{name}: nothing holds the discriminator's slope, so the "
            f"'{recipe.names[f'terms.{name}']}' loss falls without end and says little. Add a "
            "penalty of it or a constraint (`gantk list penalty`), or an architecture's spectral "
            "norm."
        )


def _holds_slope(term: Term) -> bool:
    """Return whether a term is a penalty of slopes or a constraint of weights."""
    return term.second_order or type(term).constrain is not Term.constrain


def _missing_fields(recipe: Recipe, spec: DataSpec) -> list[str]:
    arch = recipe.names["arch"]
    needed = dict.fromkeys(recipe.arch.conditions, f"arch: '{arch}' is conditioned on")
    for name, term in recipe.terms.items():
        needed |= dict.fromkeys(term.fields, f"terms.{name}: it needs")
    if recipe.plan.fake_labels == "uniform":
        needed[LABEL] = "fake_labels: 'uniform' draws"
    labels = "Class sub-folders make labels; else choose"
    return [
        f"{who} '{field}', but '{spec.name}' has only {', '.join(spec.fields)}. "
        f"{labels if field == LABEL else 'Choose'} data that has it (`gantk list data`)."
        for field, who in needed.items()
        if field not in spec.fields
    ]


def _labels_without_reader(recipe: Recipe, spec: DataSpec) -> list[str]:
    """Return why labels of fakes cannot be drawn, or why nobody would read them."""
    if recipe.plan.fake_labels != "uniform" or LABEL not in spec.fields:
        return []
    if not spec.classes:
        unnamed = f"fake_labels: 'uniform' draws among classes, but '{spec.name}' names none"
        return [f"{unnamed}; set fake_labels to 'data'."]
    read = {field for term in recipe.terms.values() for field in term.fields}
    if LABEL in read.union(recipe.arch.conditions):
        return []
    unread = f"fake_labels: 'uniform' draws labels that '{recipe.names['arch']}' does not read"
    return [f"{unread}; leave it out, or see `gantk list architecture` for one that does."]


def _moves_without_term(recipe: Recipe) -> list[str]:
    """Return updates that no term takes part in, and terms that take part in no update."""
    updates = recipe.plan.updates
    pairs = {(move, name) for move, update in updates.items() for name in recipe.terms_of(update)}
    moving, used = {move for move, _ in pairs}, {name for _, name in pairs}
    reasons = [
        f"updates.{move}: no term takes part in this update of the {update.role}. Add a loss "
        "(`gantk list loss`), or remove the update."
        for move, update in updates.items()
        if move not in moving
    ]
    reasons += [
        f"terms.{name}: no update of the {' or the '.join(term.roles)} uses it. Add it to such an "
        "update's `terms`, or remove it."
        for name, term in recipe.terms.items()
        if name not in used
    ]
    return reasons


def _unknown_parts(recipe: Recipe) -> Iterator[str]:
    """Yield parts of terms that updates name and that are none, where no step is needed to tell."""
    for move, update in recipe.plan.updates.items():
        for name, term in recipe.terms.items():
            if update.role in term.roles and update.parts(name):
                known = known_parts(term, update.role)
                yield from filter(None, [known and update.unknown_part(move, name, known)])


def _players_without_move(recipe: Recipe) -> list[str]:
    """Return players that no update moves."""
    moved = {update.role for update in recipe.plan.updates.values()}
    return [
        f"updates: none is the {role}'s, and a game takes two. Add one of that role."
        for role in get_args(Role)
        if role not in moved
    ]


def _heads_without_term(recipe: Recipe, spec: DataSpec) -> list[str]:
    """Return heads of the architecture that nothing teaches, and terms without their head."""
    arch, heads = recipe.names["arch"], recipe.arch.heads(spec)
    read = {head: name for name, term in recipe.terms.items() for head in term.heads}
    reasons = [
        f"terms.{name}: it reads the head '{head}', which '{arch}' does not have with these "
        f"options.{did_you_mean(head, heads)} See `gantk show architecture {arch}`."
        for head, name in read.items()
        if head not in heads
    ]
    reasons += [
        f"arch: no term teaches the head '{head}' of '{arch}'. "
        "Add one that does (`gantk list loss`), or choose options without that head."
        for head in heads
        if head not in read
    ]
    return reasons


def _batch_norms(recipe: Recipe, spec: DataSpec) -> Iterator[str]:
    """Yield what batch norm bars: slopes of single samples through D, vectors one at a time."""
    plan = recipe.plan
    per_sample = [name for name, term in recipe.terms.items() if term.per_sample]
    count = processes.count() if plan.compute.batch_norm == "local" else 1
    alone = plan.batch == plan.accumulate * count
    if not per_sample and not alone:
        return
    networks = _first_networks(recipe, spec)
    if alone and (name := next(_holding(BatchNorm1d, networks), None)):
        yield (
            f"accumulate: batch norm in '{name}' needs two samples or more at once, but "
            f"accumulate = {plan.accumulate}{f' in {count} processes' if count > 1 else ''} leaves "
            f"one of a batch of {plan.batch}. Set a larger batch or a smaller accumulate."
        )
    for update in plan.updates.values():
        mixing = [name for name in _holding(_BatchNorm, networks) if name in update.networks]
        barred = [name for name in per_sample if update.takes(name)]
        if update.role == "discriminator" and mixing and barred:
            yield (
                f"terms.{barred[0]}: '{recipe.names[f'terms.{barred[0]}']}' looks at the gradient "
                f"of each sample alone, but batch norm in '{mixing[0]}' mixes the samples of a "
                "batch. Choose a discriminator without it (`gantk show architecture "
                f"{recipe.names['arch']}`), or leave that term out."
            )
            return


def _narrow_fakes(recipe: Recipe) -> Iterator[str]:
    """Yield terms that would differentiate twice what D's update made in bfloat16."""
    if recipe.plan.compute.precision != "bf16":
        return
    for name, update in recipe.plan.updates.items():
        for key, term in recipe.terms_of(update).items():
            if term.second_order and not update.fresh_fakes:
                yield (
                    f"terms.{key}: '{recipe.names[f'terms.{key}']}' differentiates fakes twice, "
                    "and those of the update before are made in bfloat16. "
                    f"Leave out updates.{name}.fresh_fakes, or choose another precision."
                )


def _tied_to_the_fakes(recipe: Recipe, spec: DataSpec) -> Iterator[str]:
    """Yield updates whose fakes the update before makes old: it changes weights of both."""
    updates = recipe.plan.updates
    lent = [pair for pair in itertools.pairwise(updates) if not updates[pair[1]].fresh_fakes]
    if not lent:
        return
    networks = _first_networks(recipe, spec)
    for before, name in lent:
        changed, own = (
            {weight for each in updates[key].networks for weight in networks[each].parameters()}
            for key in (before, name)
        )
        if changed & own:
            yield (
                f"updates.{name}.fresh_fakes = false, but '{before}', the update before, changes "
                "weights that its networks share. Leave that option out."
            )


def _first_networks(recipe: Recipe, spec: DataSpec) -> Mapping[str, Module]:
    """Return networks as a run begins with, built to be looked at."""
    with global_stream(0, "fit"):
        return recipe.arch.networks(spec, recipe.arch.stage_at(0))


def _holding(kind: type[Module], networks: Mapping[str, Module]) -> Iterator[str]:
    for name, network in networks.items():
        if any(isinstance(module, kind) for module in network.modules()):
            yield name
