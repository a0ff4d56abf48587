"""What an augmentation promises."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from gan_toolkit.augmentation import Augmentation
from gan_toolkit.data import SAMPLE, Batch, DataSpec, FieldSpec
from gan_toolkit.feed import scalars
from gan_toolkit.streams import stream
from gan_toolkit.testing.promises import Broken, NotMade, Subject, promise
from gan_toolkit.testing.stages.scene import (
    MIDWAY,
    ROWS,
    check_rows,
    default,
    nothing_drawn,
    sampled,
)
from gan_toolkit.testing.stages.surroundings import is_sentence
from gan_toolkit.testing.stages.trial import after

SHAPES = ((3, 16, 16), (1, 12, 10), (2,), (2, 7))
"""Samples that data may have: images of two kinds, points, and something else."""


@promise("augmentation")
def what_it_refuses_it_refuses_in_sentences(it: Subject) -> None:
    """`refusals` answers for samples of any shape, and each reason is a sentence.

    They are printed before training, under the key of the recipe. Say what is wrong with the data
    and what to do instead, and end with a full stop.
    """
    augmentation = default(it, Augmentation)
    for shape in SHAPES:
        for reason in augmentation.refusals(_spec(shape)):
            if not is_sentence(reason):
                raise Broken(f"it refuses samples of {list(shape)} with {reason!r}")


@promise("augmentation")
def what_it_serves_keeps_its_form(it: Subject) -> None:
    """Samples of any shape that is not refused come out in this shape and type, and finite.

    D was built for samples of that shape. Pad and crop back, bring draws to the samples' type, and
    let `refusals` name the data that cannot be served: what `transform` raises comes too late.
    """
    augmentation = default(it, Augmentation)
    for spec in _served(augmentation):
        samples = _samples(spec)
        given = f"samples of {list(spec.sample.shape)} are not refused, but"
        try:
            made = _transformed(augmentation, samples, spec)
        except Exception as error:
            raise Broken(f"{given} {type(error).__name__}: {error}") from error
        if made.shape != samples.shape:
            raise Broken(f"{given} {list(samples.shape)} became {list(made.shape)}")
        if made.dtype != samples.dtype or not made.isfinite().all():
            raise Broken(
                f"{given} they became {made.dtype}, {made.isfinite().sum()} of them finite"
            )


@promise("augmentation")
@after(what_it_serves_keeps_its_form)
def gradients_pass_through_it(it: Subject) -> None:
    """A gradient with respect to transformed samples reaches each of the samples that came in.

    G learns through the augmentation or not at all. Use torch's own operations, and neither
    `detach` nor `no_grad`; rounding and comparing are fine on draws, not on samples.
    """
    augmentation, spec = _first(it)
    samples = _samples(spec).requires_grad_()
    made = _transformed(augmentation, samples, spec)
    if not made.requires_grad:
        raise Broken("transformed samples carry no gradient")
    (gradient,) = torch.autograd.grad((made * _grain(made)).sum(), samples, allow_unused=True)
    if gradient is None or not gradient.flatten(1).any(1).all():
        raise Broken("a sample gets no gradient")
    if not gradient.isfinite().all():
        raise Broken("gradients of samples are NaN or infinite")


@promise("augmentation")
@after(gradients_pass_through_it)
def gradients_of_gradients_pass_through_it(it: Subject) -> None:
    """The gradient of D with respect to samples can be differentiated through the augmentation.

    A penalty of D's slope does so. Make a transform of torch's own operations, nearly all of which
    are differentiable twice; a backward of your own must be made of such operations too.
    """
    augmentation, spec = _first(it)
    samples = _samples(spec).requires_grad_()
    weight = _grain(samples[0]).requires_grad_()
    verdict = torch.tanh((_transformed(augmentation, samples, spec) * weight).flatten(1).sum(1))
    (slope,) = torch.autograd.grad(verdict.sum(), samples, create_graph=True)
    penalty = slope.square().sum()
    lesson = None
    if penalty.requires_grad:
        (lesson,) = torch.autograd.grad(penalty, weight, allow_unused=True)
    if lesson is None or not lesson.any():
        raise Broken("a penalty of D's slope does not reach D's weights")
    if not lesson.isfinite().all():
        raise Broken("a penalty of D's slope has gradients that are NaN or infinite")


@promise("augmentation")
@after(what_it_serves_keeps_its_form)
def the_same_draws_make_the_same_samples(it: Subject) -> None:
    """The same samples and draws give the same bits, and no generator is touched.

    A resumed run makes every step again from its draws. Take random numbers from `draws` only.
    """
    augmentation, spec = _first(it)
    draws = sampled(augmentation.draws(spec), ROWS)
    with nothing_drawn():
        first, again = (_made(augmentation, _samples(spec), copy.deepcopy(draws)) for _ in range(2))
    if not torch.equal(first, again):
        raise Broken(f"two calls differ by {(first - again).abs().max():g}")


@promise("augmentation")
@after(what_it_serves_keeps_its_form)
def other_draws_make_other_samples(it: Subject) -> None:
    """Other draws transform the same samples in another way.

    What D sees must vary. Read each draw by the name it has in `draws`.
    """
    augmentation, spec = _first(it)
    if not augmentation.draws(spec):
        raise NotMade("it draws nothing")
    first, other = (_transformed(augmentation, _samples(spec), spec, seed) for seed in (0, 1))
    if torch.equal(first, other):
        raise Broken("samples are the same by other draws")


@promise("augmentation")
@after(the_same_draws_make_the_same_samples)
def a_sample_is_transformed_by_itself(it: Subject) -> None:
    """A transformed sample depends on the sample and the draws of its own row.

    A batch may be cut into pieces, and reals and fakes must not be told apart by their company.
    Give each row a draw of its own, and take means over its dimensions, not over the batch.
    """
    augmentation, spec = _first(it)
    samples, draws = _samples(spec), sampled(augmentation.draws(spec), ROWS)
    together = _made(augmentation, samples.clone(), copy.deepcopy(draws))
    for row in range(ROWS):
        own = {name: draw[row : row + 1].clone() for name, draw in draws.items()}
        alone = _made(augmentation, samples[row : row + 1].clone(), own)
        if not torch.allclose(together[row : row + 1], alone, rtol=1e-4, atol=1e-5):
            change = (together[row] - alone).abs().max()
            raise Broken(f"alone, the sample of row {row} becomes another, by up to {change:g}")


@promise("augmentation")
@after(what_it_serves_keeps_its_form)
def it_leaves_samples_and_draws_as_they_were(it: Subject) -> None:
    """Neither the samples nor the draws that are handed in are changed in place.

    Penalties and other terms look at the samples as they were. Use no method that ends in an
    underscore on what you did not make.
    """
    augmentation, spec = _first(it)
    samples, draws = _samples(spec), sampled(augmentation.draws(spec), ROWS)
    known = copy.deepcopy(draws)
    _made(augmentation, samples, draws)
    if not torch.equal(samples, _samples(spec)):
        raise Broken("it changed the samples")
    for name, rows in known.items():
        if not torch.equal(rows, draws[name]):
            raise Broken(f"it changed the draws '{name}'")


@promise("augmentation")
def each_of_its_draws_has_a_row_a_sample(it: Subject) -> None:
    """A draw gives as many rows as are asked of it, from the generator that it is handed.

    Draws are cut as the batch is cut, and drawn again when a run is resumed. Return `Normal`,
    `Mixture`, `Uniform` and `Categorical`, or a class whose `sample` puts the number of rows first.
    """
    augmentation, spec = _first(it)
    check_rows(augmentation.draws(spec))


def _served(augmentation: Augmentation) -> list[DataSpec]:
    """Return the data that the augmentation does not refuse."""
    served = [spec for spec in map(_spec, SHAPES) if not augmentation.refusals(spec)]
    if not served:
        raise NotMade(f"it refuses samples of {', '.join(str(list(shape)) for shape in SHAPES)}")
    return served


def _first(it: Subject) -> tuple[Augmentation, DataSpec]:
    """Return the augmentation, and data that it serves."""
    augmentation = default(it, Augmentation)
    return augmentation, _served(augmentation)[0]


def _spec(shape: tuple[int, ...]) -> DataSpec:
    fields = {SAMPLE: FieldSpec(shape=shape, low=-1.0, high=1.0)}
    return DataSpec(name="noise", fields=fields, length=ROWS)


def _samples(spec: DataSpec) -> Tensor:
    return torch.rand(ROWS, *spec.sample.shape, generator=stream(0, "samples")) * 2 - 1


def _grain(like: Tensor) -> Tensor:
    return torch.randn(like.shape, generator=stream(0, "grain"))


def _transformed(
    augmentation: Augmentation, samples: Tensor, spec: DataSpec, seed: int = 0
) -> Tensor:
    return _made(augmentation, samples, sampled(augmentation.draws(spec), ROWS, seed))


def _made(augmentation: Augmentation, samples: Tensor, draws: Batch) -> Tensor:
    return augmentation.transform(samples, draws, scalars(augmentation, MIDWAY, "cpu"))
