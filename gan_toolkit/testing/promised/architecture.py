"""What an architecture promises: networks that serve some data, samples, verdicts.

An engine calls `generate` and `judge` and looks into nothing. What is promised here, in `playing`
and in `learning` is what lets it sample, penalise, average, save, resume and export networks that
it has never seen.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gan_toolkit.architecture import Architecture, Judged
from gan_toolkit.bundle import Stored, stored
from gan_toolkit.data import LABEL, SAMPLE, Batch, DataSpec, FieldSpec
from gan_toolkit.streams import stream
from gan_toolkit.testing.promises import Broken, NotMade, Subject, promise
from gan_toolkit.testing.stages.surroundings import is_sentence
from gan_toolkit.testing.stages.trial import (
    COMMON,
    OTHER,
    ROWS,
    STRANGE,
    Trial,
    after,
    differing,
    moments,
    outputs,
    served,
    specs,
)

FAR = 10
"""How many times the half of its range a sample of fresh networks may lie off the middle."""


@promise("architecture")
def it_is_made_without_options(it: Subject) -> None:
    """The class is a subclass of `Architecture`, and every option has a default.

    `gantk train --arch NAME` names none. Give each field a default that suits small images.
    """
    it.options(Architecture)


@promise("architecture")
@after(it_is_made_without_options)
def it_refuses_in_sentences(it: Subject) -> None:
    """Of any data, `refusals` returns a list of sentences and raises nothing.

    It is asked before anything is built, of data that nobody thought of: points, single numbers,
    images of five channels or of odd sides, labels without names. Look at `len(spec.sample.shape)`
    before you unpack it, and end with what to try instead.
    """
    arch = it.options(Architecture)
    for shape in (*STRANGE, *COMMON, *OTHER):
        labelled, plain = specs(arch, shape)
        for spec in (labelled, plain, _without_names(labelled)):
            reasons = arch.refusals(spec)
            if not isinstance(reasons, list) or not all(map(is_sentence, reasons)):
                raise Broken(f"of samples {list(shape)} it says {reasons!r}")


@promise("architecture")
@after(it_is_made_without_options)
def it_serves_some_data(it: Subject) -> None:
    """With default options it serves images of a usual size, or points in the plane.

    What serves no common data cannot be tried, here or by anyone who has just installed it. Let the
    networks follow `spec.sample.shape`.
    """
    if not served(it.options(Architecture)):
        shapes = ", ".join("×".join(map(str, shape)) for shape in (*COMMON, *OTHER))
        raise Broken(f"it serves none of {shapes}")


@promise("architecture")
@after(it_serves_some_data)
def its_networks_are_there(it: Subject) -> None:
    """`networks` returns modules by name, among them all that `ema` and `exports` name.

    The averages are copies of the networks in `ema`, a bundle holds those in `exports`; a name that
    is none fails when a run is saved. `mixes_rows` is held to the same.
    """
    trial = Trial.of(it)
    for name, network in trial.networks.items():
        if not isinstance(network, nn.Module):
            raise Broken(f"'{name}' is a {type(network).__name__}, no torch module")
    arch = trial.arch
    for said in ("ema", "exports", "mixes_rows"):
        if strangers := set(getattr(arch, said)) - trial.networks.keys():
            have = ", ".join(trial.networks)
            raise Broken(f"{said} names {', '.join(sorted(strangers))}; the networks are {have}")
    if not arch.exports:
        raise Broken("exports names no network, so a bundle would hold none")


@promise("architecture")
@after(its_networks_are_there)
def networks_are_built_anew(it: Subject) -> None:
    """Every call of `networks` builds new modules, with the same names and shapes each time.

    A checkpoint is loaded by name into what is built again. Use no lazy layers, and remember
    nothing from call to call.
    """
    trial, again = Trial.of(it), Trial.of(it, seed=1)
    if lazy := [name for name, weight in trial.parameters().items() if is_lazy(weight)]:
        raise Broken(f"a pass would decide the shape of {lazy[0]}")
    _hold_to_names(trial.weights(), again.weights(), "of another build")
    places = {id(weight): name for name, weight in trial.parameters().items()}
    if shared := [places[id(w)] for w in again.parameters().values() if id(w) in places]:
        raise Broken(f"two builds share {shared[0]}")


@promise("architecture")
@after(networks_are_built_anew)
def its_weights_are_float32(it: Subject) -> None:
    """Every parameter is float32, and on the CPU until an engine moves it.

    Draws and data are float32; less is asked for by `--precision bf16`, more by nobody. Name no
    dtype and no device when you build.
    """
    for name, weight in Trial.of(it).parameters().items():
        if weight.dtype is not torch.float32:
            raise Broken(f"{name} is {weight.dtype}")
        if weight.device.type != "cpu":
            raise Broken(f"{name} is on {weight.device}")


@promise("architecture")
@after(networks_are_built_anew)
def networks_are_planned_without_memory(it: Subject) -> None:
    """Under `torch.device("meta")` the networks are built with the same names, shapes and types.

    So a weights file is held against them before a byte is allocated, whatever options a stranger
    wrote into it. Read no number off a tensor while you build (`.item()`, `float(…)`).
    """
    with torch.device("meta"):
        planned = Trial.of(it).weights()
    _hold_to_names(Trial.of(it).weights(), planned, "as planned")


@promise("architecture")
@after(networks_are_built_anew)
def the_seed_decides_the_first_weights(it: Subject) -> None:
    """Built twice under the same state of torch's generator, networks have the same weights.

    A recipe and its seed are to give the same bits. Initialise with `torch.nn.init` or torch's own
    functions, not with numpy or Python's `random`.
    """
    if other := differing(Trial.of(it).weights(), Trial.of(it).weights()):
        raise Broken(f"{other[0]} differs")


@promise("architecture")
@after(it_serves_some_data)
def draws_come_from_their_generator(it: Subject) -> None:
    """A draw returns n rows that depend on the generator it is handed, and on nothing else.

    Resuming and sampling draw again from a seed. Pass `generator=generator` to every function of
    torch that draws; `Normal`, `Mixture`, `Uniform` and `Categorical` do.
    """
    arch = it.options(Architecture)
    for name, draw in arch.draws(served(arch)[0]).items():
        first, again = (draw.sample(ROWS, stream(0, name)) for _ in range(2))
        if len(first) != ROWS:
            raise Broken(f"{ROWS} rows of '{name}' are {list(first.shape)}")
        if not torch.equal(first, again):
            raise Broken(f"'{name}' differs when it is drawn again")


@promise("architecture")
@after(its_weights_are_float32, the_seed_decides_the_first_weights, draws_come_from_their_generator)
def samples_have_the_shape_of_the_data(it: Subject) -> None:
    """`generate` returns N finite float32 samples of the data's shape, for all that is served.

    It is handed what `draws` and `conditions` name and nothing more. Name each field it reads in
    `conditions`; refuse the shapes that the networks do not fit.
    """
    arch = it.options(Architecture)
    for spec in served(arch):
        _hold_to_shape(Trial(arch, spec))
    for nimg in moments(arch)[1:]:
        _hold_to_shape(Trial(arch, served(arch)[0], nimg))


@promise("architecture")
@after(samples_have_the_shape_of_the_data)
def samples_are_of_the_size_of_the_data(it: Subject) -> None:
    """Samples of bounded data lie in the data's range, or not far off while nothing is learned.

    The range is `spec.sample.low` … `high`, which is the class's `sample_range`. End G in tanh or a
    sigmoid that fits it; a linear output that starts near it will do.
    """
    trial = Trial.of(it)
    low, high = trial.spec.sample.low, trial.spec.sample.high
    if low is None or high is None:
        raise NotMade("its data has no bounds")
    samples = trial.samples()
    least, most = samples.min().item(), samples.max().item()
    if max(abs(least - (low + high) / 2), abs(most - (low + high) / 2)) > FAR * (high - low) / 2:
        raise Broken(f"they go from {least:.4g} to {most:.4g}, and the data from {low} to {high}")


@promise("architecture")
@after(samples_have_the_shape_of_the_data)
def exports_are_all_that_sampling_needs(it: Subject) -> None:
    """`generate` asks for no network that `exports` leaves out.

    A bundle holds those alone, and samples are drawn from it. Name every network on the way from
    the draws to the sample: the mapping network too.
    """
    trial = Trial.of(it)
    trial.samples()
    if missing := trial.networks.names - set(trial.arch.exports):
        raise Broken(f"it asks for {', '.join(sorted(missing))}")


@promise("architecture")
@after(samples_have_the_shape_of_the_data)
def verdicts_are_one_a_sample(it: Subject) -> None:
    """`judge` returns N finite logits, or N patches of them, for reals and for fakes.

    Losses take the mean over samples themselves. Return `Judged(logits)` with logits [N] or [N, …],
    without a last activation.
    """
    arch = it.options(Architecture)
    for spec in served(arch):
        trial = Trial(arch, spec)
        with torch.no_grad():
            for batch in (trial.reals(), trial.fakes()):
                judged = trial.judged(batch)
                if not isinstance(judged, Judged):
                    raise Broken(f"it returns a {type(judged).__name__}, no Judged")
                for name, tensor in outputs(Judged(judged.logits, judged.features)).items():
                    _hold_to_rows(name, tensor)


@promise("architecture")
@after(verdicts_are_one_a_sample)
def heads_are_those_announced(it: Subject) -> None:
    """The heads of a verdict are those that `heads(spec)` names, with N finite rows each.

    Before training it is made sure that a term teaches each. Name in `heads` what `judge` returns
    with these options, no more and no less.
    """
    trial = Trial.of(it)
    with torch.no_grad():
        heads = trial.judged(trial.reals()).heads
    said = trial.arch.heads(trial.spec)
    if set(heads) != set(said):
        raise Broken(f"heads says {list(said)}, judge returns {sorted(heads)}")
    for name, head in heads.items():
        _hold_to_rows(f"the head '{name}'", head)


@promise("architecture")
@after(heads_are_those_announced)
def a_pass_builds_nothing(it: Subject) -> None:
    """After a pass the networks have the names, shapes and types that they were built with.

    Optimisers, averages and checkpoints know what was there at the start. Build every layer and
    buffer in `__init__`.
    """
    trial = Trial.of(it)
    before = {name: tensor.clone() for name, tensor in trial.weights().items()}
    with torch.no_grad():
        trial.fakes()
        trial.judged(trial.reals())
    _hold_to_names(before, trial.weights(), "after a pass")


def _without_names(spec: DataSpec) -> DataSpec:
    """Return labelled data whose classes have no names."""
    return spec.model_copy(update={"fields": {**spec.fields, LABEL: FieldSpec(shape=())}})


def _hold_to_names(one: Batch, other: Batch, whose: str) -> None:
    """Raise unless two sets of weights agree in all but their values."""
    expected, found = ({n: stored(t) for n, t in each.items()} for each in (one, other))
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise Broken(f"{name} is {_told(expected, name)}, but {whose} {_told(found, name)}")


def _told(tensors: Mapping[str, Stored], name: str) -> str:
    told = tensors.get(name)
    return f"{told.dtype} {list(told.shape)}" if told else "missing"


def _hold_to_shape(trial: Trial) -> None:
    with torch.no_grad():
        samples = trial.fakes()[SAMPLE]
    shape = (ROWS, *trial.spec.sample.shape)
    if samples.shape != shape:
        raise Broken(f"{list(shape)} was asked for, and it returns {list(samples.shape)}")
    if samples.dtype is not torch.float32:
        raise Broken(f"samples are {samples.dtype}")
    if not samples.isfinite().all():
        raise Broken("samples hold NaN or infinity")


def _hold_to_rows(name: str, tensor: Tensor) -> None:
    if not tensor.dim() or len(tensor) != ROWS:
        raise Broken(f"{name} of {ROWS} samples are {list(tensor.shape)}")
    if not tensor.isfinite().all():
        raise Broken(f"{name} hold NaN or infinity")
