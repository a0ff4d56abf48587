"""What an architecture promises of training: gradients everywhere, and runs that stay exact."""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from gan_toolkit import bundle
from gan_toolkit.architecture import Architecture, Judged
from gan_toolkit.data import LABEL, SAMPLE, Batch, DataSpec
from gan_toolkit.export import write_model
from gan_toolkit.feed import architecture_scalars
from gan_toolkit.fit import refusals
from gan_toolkit.generator import Generator
from gan_toolkit.observer import Observer
from gan_toolkit.recipe import Recipe
from gan_toolkit.resolve import Request, resolve
from gan_toolkit.run import Run
from gan_toolkit.sampling import draw_samples, seeded
from gan_toolkit.state import Tensors
from gan_toolkit.testing.promised.architecture import (
    exports_are_all_that_sampling_needs,
    networks_are_planned_without_memory,
)
from gan_toolkit.testing.promised.playing import (
    generate_and_judge_leave_their_inputs_alone,
    its_weights_say_everything,
    the_same_inputs_give_the_same_bits,
)
from gan_toolkit.testing.promises import Broken, NotMade, Subject, promise
from gan_toolkit.testing.stages.trial import (
    ROWS,
    Rows,
    Trial,
    after,
    differing,
    moments,
    outputs,
    same,
    served,
    weighted,
)
from gan_toolkit.training import train_request

STEPS = 4
SHORT = {
    "planned_steps": STEPS,
    "batch": ROWS,
    "accumulate": 1,
    "log_every": 1,
    "ema.half_life_kimg": 0.0,  # the average is then the network itself
    "compute.device": "cpu",
    "compute.precision": "fp32",
    "compute.threads": 0,
    "compute.channels_last": False,  # as they are loaded, to the last bit
}
"""What makes a run a short one."""


@promise("architecture")
@after(generate_and_judge_leave_their_inputs_alone, the_same_inputs_give_the_same_bits)
def every_weight_of_the_generator_learns(it: Subject) -> None:
    """The verdict on fakes has a gradient for every weight that `generate` uses.

    A weight that nothing reaches stays what chance made it. Detach nothing between the draws and
    the sample, keep to operations with a derivative, and build no layer that is not used.
    """
    _hold_to_gradients(it, generating=True)


@promise("architecture")
@after(generate_and_judge_leave_their_inputs_alone, the_same_inputs_give_the_same_bits)
def every_weight_of_the_discriminator_learns(it: Subject) -> None:
    """The verdict on reals and fakes, heads included, has a gradient for every weight it uses.

    As for the generator. A layer that only some options or some stage of growth use is to be built
    only then.
    """
    _hold_to_gradients(it, generating=False)


@promise("architecture")
@after(every_weight_of_the_discriminator_learns)
def slopes_can_be_penalised(it: Subject) -> None:
    """The slope of the logits at a sample has a finite gradient for weights of the discriminator.

    That is what R1, R2 and the gradient penalty of WGAN-GP are differentiated for. Use operations
    with a second derivative, and add a small number below a root.
    """
    trial = Trial.of(it)
    reals = trial.reals()
    sample = reals[SAMPLE].requires_grad_()
    logits = trial.judged(reals).logits
    (slope,) = torch.autograd.grad(logits.sum(), sample, create_graph=True)
    if slope.requires_grad:
        slope.square().sum().backward()
    found = [w.grad for w in trial.parameters().values() if w.grad is not None]
    if not found:
        raise Broken("the slope depends on no weight")
    if not all(gradient.isfinite().all() for gradient in found):
        raise Broken("the gradient is not finite")


@promise("architecture")
@after(every_weight_of_the_generator_learns, every_weight_of_the_discriminator_learns)
def it_works_in_bf16(it: Subject) -> None:
    """Under bfloat16 autocast, samples, verdicts and their gradients are finite.

    That is what `--precision bf16` trains in. Layers then return bfloat16, so mix in tensors of
    your own by operations that take two types, or with `.to(x.dtype)`.
    """
    trial = Trial.of(it)
    with torch.autocast("cpu", torch.bfloat16):
        made = trial.fakes()
        found = outputs(trial.judged(made))
    weights = list(trial.parameters().values())
    slopes = torch.autograd.grad(weighted(found), weights, allow_unused=True)
    tensors = [made[SAMPLE], *found.values(), *(slope for slope in slopes if slope is not None)]
    if not all(tensor.isfinite().all() for tensor in tensors):
        raise Broken("they are not")


@promise("architecture")
@after(
    its_weights_say_everything,
    exports_are_all_that_sampling_needs,
    every_weight_of_the_generator_learns,
    every_weight_of_the_discriminator_learns,
)
def it_trains(it: Subject) -> None:
    """`gantk train --arch NAME` trains: four steps change what an update or `ema` names.

    It takes the recipe of the architecture's own name, or, where there is none, the default loss on
    `generator` and `discriminator`. Ship such a recipe if yours are called otherwise, if there are
    more of them, or if a head needs a term.
    """
    trained = _trained(it)
    recipe = trained.seen.recipe
    updated = [name for update in recipe.plan.updates.values() for name in update.networks]
    for name in dict.fromkeys((*updated, *recipe.arch.ema)):
        own = [key for key in trained.seen.before if key.startswith(f"networks/{name}/")]
        if all(same(trained.seen.before[key], trained.tensors[key]) for key in own):
            raise Broken(f"'{name}' is what it was before {STEPS} steps")


@promise("architecture")
@after(it_trains)
def a_resumed_run_is_the_same_run(it: Subject) -> None:
    """Two steps, a stop and two more give the bits of four steps at once.

    What a network remembers must be saved, so keep it in parameters and buffers; what it needs to
    know of the time comes as `s` (see `scalars`), not by counting calls.
    """
    with tempfile.TemporaryDirectory() as folder:
        run, watcher = _train(it, Path(folder, "run"), steps=STEPS // 2)
        more = Request(data=watcher.recipe.data, settings={"steps": STEPS})
        with _as_before():
            train_request(more, it.catalogue, watcher, resume=run.path)
        tensors = run.newest(watcher.warn).tensors
    if other := differing(tensors, _trained(it).tensors):
        raise Broken(f"{other[0]} differs")


@promise("architecture")
@after(it_trains, networks_are_planned_without_memory)
def an_exported_model_draws_the_same_samples(it: Subject) -> None:
    """A trained generator, exported and loaded, draws the samples of the networks in memory.

    Bit for bit: what is published is what was trained. Buffers must be of a type that a weights
    file names: floats of 16 to 64 bits, int32, int64, uint8, bool.
    """
    trained = _trained(it)
    arch, spec = trained.seen.recipe.arch, trained.seen.spec
    if others := set(arch.conditions) - {LABEL}:
        raise NotMade(f"a bundle cannot show samples made of {', '.join(sorted(others))}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, bundle.RUN_WEIGHTS)
        file.write_bytes(trained.weights)
        model = write_model(file.parent, Generator(file, it.catalogue))
    about = model.description
    samples = draw_samples(
        arch,
        trained.seen.networks,
        spec,
        ROWS,
        inputs=seeded(arch.draws(spec), 1),
        s=architecture_scalars(arch, about.nimg, about.fraction),
    )
    if not torch.equal(model.sample(ROWS, seed=1), samples):
        raise Broken("they differ")


def _hold_to_gradients(it: Subject, *, generating: bool) -> None:
    """Raise unless each weight of one side is reached at some stage, and what arrives is sound."""
    arch = it.options(Architecture)
    spec = served(arch)[0]
    reached: dict[str, bool] = {}
    for nimg in moments(arch):
        trial = Trial(arch, spec, nimg).stir()
        fakes = trial.fakes()
        used = set(trial.networks.names)
        batches = [fakes] if generating else [fakes, trial.reals()]
        verdicts = [trial.judged(batch) for batch in batches]
        names = used if generating else trial.networks.names - used
        total = torch.stack([weighted(_learned(verdict)) for verdict in verdicts]).sum()
        weights = {n: w for n, w in trial.parameters().items() if n.partition(".")[0] in names}
        found = torch.autograd.grad(total, [*weights.values()], allow_unused=True)
        for name, gradient in zip(weights, found, strict=True):
            reached[name] = reached.get(name, False) or gradient is not None
        size = math.fsum(g.abs().sum().item() for g in found if g is not None)
        if not math.isfinite(size) or (size == 0 and any(reached.values())):
            raise Broken(f"the gradients add up to {size} after {nimg} real images")
    if dead := [name for name, alive in reached.items() if not alive]:
        more = f" and {len(dead) - 1} more" if len(dead) > 1 else ""
        raise Broken(f"no gradient reaches {dead[0]}{more}")


def _learned(judged: Judged) -> Batch:
    """Return what losses read of a verdict."""
    return outputs(Judged(judged.logits, heads=judged.heads))


class Watcher(Observer):
    """Keeps in view what a run trains."""

    recipe: Recipe
    spec: DataSpec
    networks: Mapping[str, nn.Module]
    before: Tensors
    """Every weight at the start, named as in a checkpoint."""

    def built(self, recipe: Recipe, spec: DataSpec, networks: Mapping[str, nn.Module]) -> None:
        """Keep the networks, and copies of their weights."""
        self.recipe, self.spec, self.networks = recipe, spec, networks
        self.before = {
            f"networks/{name}/{key}": weight.detach().clone()
            for name, network in networks.items()
            for key, weight in network.named_parameters()
        }


@dataclass(frozen=True)
class Trained:
    """What is left of a run."""

    seen: Watcher
    tensors: Tensors
    """Its last checkpoint."""
    weights: bytes
    """The file of its exported networks."""


@functools.lru_cache(maxsize=1)
def _trained(it: Subject) -> Trained:
    """Return a run of all steps at once."""
    with tempfile.TemporaryDirectory() as folder:
        run, watcher = _train(it, Path(folder, "run"), steps=STEPS)
        tensors = run.newest(watcher.warn).tensors
        return Trained(watcher, tensors, (run.path / bundle.RUN_WEIGHTS).read_bytes())


def _train(it: Subject, path: Path, steps: int) -> tuple[Run, Watcher]:
    watcher = Watcher()
    with _as_before():
        run = train_request(_request(it, steps), it.catalogue, watcher, out=path)
    return run, watcher


def _request(it: Subject, steps: int) -> Request:
    """Return a short run by the architecture's own recipe, on data that fit it."""
    assert it.component is not None
    rows = [Rows.of(spec) for spec in served(it.options(Architecture))]
    recipe = resolve(Request(arch=it.component.name, data=rows[0]), it.catalogue)
    at_once = {f"updates.{name}.starts_at": 0 for name in recipe.plan.updates}
    fitting = [each for each in rows if not refusals(recipe, each.open().spec)]
    return Request(
        arch=it.component.name,
        data=(fitting or rows)[0],
        settings={**SHORT, **at_once, "steps": steps},
    )


@contextmanager
def _as_before() -> Iterator[None]:
    """Give torch its mode back: a run forbids what is not deterministic, for the whole process."""
    mode = torch.get_deterministic_debug_mode()
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
