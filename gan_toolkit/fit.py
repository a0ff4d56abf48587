"""What cannot be mixed, said before training: every part of a recipe held against the others."""

from __future__ import annotations

from collections.abc import Iterator

from torch.nn.modules.batchnorm import _BatchNorm  # torch gives the base of batch norms no name

from gan_toolkit.data import LABEL, DataSpec
from gan_toolkit.errors import did_you_mean
from gan_toolkit.recipe import Recipe
from gan_toolkit.streams import global_stream


def refusals(recipe: Recipe, spec: DataSpec) -> list[str]:
    """Return why a recipe cannot be trained on data of this spec, one sentence a reason.

    `spec` is as the architecture sees it. The networks are looked at only when everything else
    fits: they could not be built otherwise.
    """
    reasons = [f"arch: {reason}" for reason in recipe.arch.refusals(spec)]
    reasons += _missing_fields(recipe, spec)
    if recipe.augmentation is not None:
        reasons += [f"augmentation: {reason}" for reason in recipe.augmentation.refusals(spec)]
    reasons += _heads_without_term(recipe, spec)
    return reasons or [*_mixed_samples(recipe, spec)]


def _missing_fields(recipe: Recipe, spec: DataSpec) -> list[str]:
    arch = recipe.names["arch"]
    needed = dict.fromkeys(recipe.arch.conditions, f"arch: '{arch}' is conditioned on")
    for name, term in recipe.terms.items():
        needed |= dict.fromkeys(term.fields, f"terms.{name}: it needs")
    if recipe.plan.fake_labels == "uniform":
        needed[LABEL] = "fake_labels: 'uniform' draws"
    return [
        f"{who} '{field}', but '{spec.name}' has only {', '.join(spec.fields)}. "
        "Class sub-folders make labels."
        for field, who in needed.items()
        if field not in spec.fields
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
        f"arch: no term teaches the head '{head}' of '{arch}'. `gantk list loss` shows terms."
        for head in heads
        if head not in read
    ]
    return reasons


def _mixed_samples(recipe: Recipe, spec: DataSpec) -> Iterator[str]:
    """Yield terms that look at each sample's own gradient through a D that mixes samples."""
    per_sample = [name for name, term in recipe.terms.items() if term.per_sample]
    if not per_sample:
        return
    with global_stream(0, "fit"):
        networks = recipe.arch.networks(spec, recipe.arch.stage_at(0))
    for update in recipe.plan.updates.values():
        if update.role != "discriminator":
            continue
        for name in update.networks:
            modules = networks[name].modules() if name in networks else ()
            if any(isinstance(module, _BatchNorm) for module in modules):
                yield (
                    f"terms.{per_sample[0]}: '{recipe.names[f'terms.{per_sample[0]}']}' looks at "
                    f"the gradient of each sample alone, but batch norm in '{name}' mixes the "
                    "samples of a batch. Choose a discriminator without it (`gantk show "
                    f"architecture {recipe.names['arch']}`), or leave that term out."
                )
                return
