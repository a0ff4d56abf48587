"""What an architecture promises of `generate` and `judge`: that they are functions.

They depend on the tensors that are handed in, on weights and buffers, and on nothing else.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from gan_toolkit.architecture import Architecture
from gan_toolkit.data import Batch
from gan_toolkit.sampling import BLOCK, at_rest
from gan_toolkit.streams import global_stream
from gan_toolkit.testing.promised.architecture import a_pass_builds_nothing
from gan_toolkit.testing.promises import Broken, NotMade, Subject, promise
from gan_toolkit.testing.stages.trial import ROWS, Trial, after, differing, outputs, served

KEPT = 2
"""The row that stays as it is while all others of its batch change, those before and after it."""
MOST_DEAF = BLOCK // 4
"""Samples that another condition may leave as they are: small networks have dead rows."""


@promise("architecture")
@after(a_pass_builds_nothing)
def generate_and_judge_leave_their_inputs_alone(it: Subject) -> None:
    """`generate`, `judge` and `seen` change none of the tensors that they are handed.

    The same reals and draws serve several updates. Begin with an operation that makes a new tensor:
    no `z.mul_(…)`, no `inplace=True` on the input itself.
    """
    for training in (False, True):
        trial = Trial.of(it)
        for network in trial.networks.values():
            network.train(training)
        reals, draws = trial.reals(), trial.draws()
        given = trial.conditions(reals)
        handed = {"draws": draws, "batch": reals, "conditions": given, "s": trial.s}
        before = copy.deepcopy(handed)
        with torch.no_grad():
            trial.arch.seen(reals, trial.s)
            trial.arch.generate(trial.networks, draws, given, trial.s)
            trial.arch.judge(trial.networks, reals, trial.s)
        for what, tensors in handed.items():
            if changed := differing(before[what], tensors):
                raise Broken(f"{changed[0]} of the {what} is changed in place")


@promise("architecture")
@after(a_pass_builds_nothing)
def networks_at_rest_draw_nothing(it: Subject) -> None:
    """In eval mode no pass draws from torch's generator.

    Sample i of a seed is the same whenever it is drawn. Name every random input in `draws`; dropout
    and its like may draw while training, and only then.
    """
    trial = Trial.of(it)
    before = torch.random.get_rng_state()
    trial.looked_at()
    if not torch.equal(torch.random.get_rng_state(), before):
        raise Broken("torch's generator has moved")


@promise("architecture")
@after(networks_at_rest_draw_nothing)
def the_same_inputs_give_the_same_bits(it: Subject) -> None:
    """In eval mode a second pass gives the bits of the first, and leaves the weights as they are.

    Looking at networks must not change them. Count no calls, ask no clock, no numpy and no Python
    for random numbers, and update buffers only while `self.training`.
    """
    trial = Trial.of(it)
    before = {name: tensor.clone() for name, tensor in trial.weights().items()}
    if other := differing(trial.looked_at(), trial.looked_at()):
        raise Broken(f"{other[0]} differs")
    if changed := differing(before, trial.weights()):
        raise Broken(f"{changed[0]} has changed")


@promise("architecture")
@after(the_same_inputs_give_the_same_bits)
def its_weights_say_everything(it: Subject) -> None:
    """Networks built anew with the weights of used ones are the same, and so is a copy.

    Checkpoints and bundles hold parameters and buffers, averages are deep copies. Register what a
    network remembers (`register_buffer`) and its layers (`nn.ModuleList`, not a list).
    """
    trial = Trial.of(it)
    _pass_by(trial)
    fresh, copied = Trial.of(it, seed=1), copy.copy(trial)
    for name, network in fresh.networks.items():
        network.load_state_dict(trial.networks[name].state_dict())
    copied.networks = copy.deepcopy(trial.networks)
    before = trial.looked_at()
    if other := differing(before, fresh.looked_at()):
        raise Broken(f"{other[0]} of networks with the same weights differs")
    _pass_by(trial.stir())
    if other := differing(before, copied.looked_at()):
        raise Broken(f"{other[0]} of a copy changes with the original")


@promise("architecture")
@after(the_same_inputs_give_the_same_bits)
def rows_are_mixed_as_it_says(it: Subject) -> None:
    """In eval mode a row depends on the others of its batch if `mixes_rows` says so, and only then.

    A sample is to be the same whoever stands beside it in its block. Let batch norm keep running
    statistics, or name the networks that look at a batch's own in `mixes_rows`.
    """
    trial = Trial.of(it).stir()
    draws, others = (trial.draws(BLOCK, seed) for seed in (0, 1))
    given, beside = (trial.conditions(trial.reals(BLOCK, seed)) for seed in (0, 1))
    trial.networks.names.clear()
    one = trial.samples(draws=draws, given=given)
    other = trial.samples(draws=_beside(draws, others), given=_beside(given, beside))
    _hold_to_word(trial, "samples", one, other)
    batch, with_others = (trial.reals(2 * ROWS, seed) for seed in (0, 1))
    trial.networks.names.clear()
    with torch.no_grad(), at_rest(trial.networks):
        one = trial.judged(batch).logits
        other = trial.judged(_beside(batch, with_others)).logits
    _hold_to_word(trial, "verdicts", one, other)


@promise("architecture")
@after(the_same_inputs_give_the_same_bits)
def every_condition_counts(it: Subject) -> None:
    """Another label, or whatever else `conditions` names, gives another sample.

    Whoever asks for a seven expects the network to be told. Pass the condition on, or take its name
    out of `conditions`.
    """
    if not it.options(Architecture).conditions:
        raise NotMade("it has no conditions")
    trial = Trial.of(it).stir()
    given, others = (trial.conditions(trial.reals(BLOCK, seed)) for seed in (0, 1))
    before = trial.samples(given=given)
    for name in given:
        changed = trial.samples(given={**given, name: others[name]})
        deaf = sum(map(torch.equal, before, changed))
        if deaf > MOST_DEAF:
            raise Broken(f"'{name}' changes nothing in {deaf} of {BLOCK} samples")


@promise("architecture")
@after(the_same_inputs_give_the_same_bits)
def it_works_in_channels_last(it: Subject) -> None:
    """Networks and images laid out channels last give the same, but for rounding.

    Convolutions are faster that way. Use `flatten` and `reshape`, not `view`, on maps.
    """
    arch = it.options(Architecture)
    images = [spec for spec in served(arch) if len(spec.sample.shape) == 3]
    if not images:
        raise NotMade("its samples are no images")
    colour = [spec for spec in images if spec.sample.shape[0] > 1]  # one channel is first and last
    trial = Trial(arch, (colour or images)[0])
    before, reals, draws = trial.looked_at(), trial.reals(), trial.draws()
    for network in trial.networks.values():
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's gap
    with torch.no_grad(), at_rest(trial.networks):
        given = _channels_last(trial.conditions(reals))
        made = arch.generate(trial.networks, _channels_last(draws), given, trial.s)
        judged = arch.judge(trial.networks, _channels_last(reals), trial.s)
    for name, tensor in {**made, **outputs(judged)}.items():
        if not torch.allclose(tensor, before[name], rtol=1e-3, atol=1e-4):
            raise Broken(f"{name} differs by {(tensor - before[name]).abs().max():.2g}")


def _hold_to_word(trial: Trial, what: str, one: Tensor, other: Tensor) -> None:
    """Raise unless a row of two batches differs as `mixes_rows` says of the networks just used."""
    mixing = trial.networks.names & set(trial.arch.mixes_rows)
    if not torch.equal(one[KEPT], other[KEPT]) and not mixing:
        raise Broken(f"{what} change when other rows do, and mixes_rows does not say so")
    if torch.equal(one[KEPT], other[KEPT]) and mixing:
        told = ", ".join(sorted(mixing))
        raise Broken(f"{what} do not change when other rows do, but mixes_rows names {told}")


def _pass_by(trial: Trial) -> None:
    """Make some passes as training does, without learning."""
    with torch.no_grad(), global_stream(0, "passes"):
        for seed in range(3):
            trial.judged(trial.fakes(seed=seed))
            trial.judged(trial.reals(seed=seed))


def _beside(rows: Batch, others: Batch) -> Batch:
    """Return other rows with the kept one among them."""
    mixed = {name: tensor.clone() for name, tensor in others.items()}
    for name, tensor in mixed.items():
        tensor[KEPT] = rows[name][KEPT]
    return mixed


def _channels_last(batch: Batch) -> Batch:
    last = torch.channels_last
    return {n: t.contiguous(memory_format=last) if t.dim() == 4 else t for n, t in batch.items()}
