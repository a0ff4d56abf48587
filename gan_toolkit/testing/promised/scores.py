"""What an extractor and a metric promises."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

import torch
from torch import Tensor, nn

from gan_toolkit.data import SAMPLE, DataSpec, FieldSpec
from gan_toolkit.errors import DataError
from gan_toolkit.scoring import Extractor, FeatureMetric, Metric, Score, Seen
from gan_toolkit.streams import stream
from gan_toolkit.testing.promised.component import NAME
from gan_toolkit.testing.promises import Broken, NotMade, Subject, promise
from gan_toolkit.testing.stages.exams import BAD, Exams, made_here, sittings
from gan_toolkit.testing.stages.scene import default
from gan_toolkit.testing.stages.surroundings import is_sentence, offline, own_cache

SHA256 = re.compile("[0-9a-f]{64}")
SHAPES = ((1, 28, 28), (3, 32, 32), (3, 40, 24), (3, 75, 75))
"""Images that an extractor is shown, those that it refuses apart."""
IMAGES = 5
FEW = 64
"""Samples of an exam that is set to see whether it is refused."""
AWAY = 1e-3
"""How far features may move with the other images of a batch, as a share of the largest."""


@promise("extractor")
def it_says_which_weights_it_has(it: Subject) -> None:
    """`sha256` is that of the weights, 64 hex digits, and `resize` says how images come to size.

    Receipts carry both: numbers that were taken through other weights do not compare. Hash the
    file that `open` reads, and refuse one with another hash.
    """
    extractor = default(it, Extractor)
    if not SHA256.fullmatch(getattr(extractor, "sha256", "")):
        raise Broken(f"sha256 is {getattr(extractor, 'sha256', 'missing')!r}")
    if not getattr(extractor, "resize", ""):
        raise Broken("resize is empty; say 'none' when it takes any size as it is")


@promise("extractor")
def what_it_cannot_look_at_it_refuses(it: Subject) -> None:
    """`refusals` returns sentences for samples that it cannot look at, none for all others.

    Without them a user meets an error of a convolution. Look at `spec.sample.shape` and at its
    range, say what you take, and return an empty list for it.
    """
    extractor = default(it, Extractor)
    for spec in (_spec((2,)), *map(_spec, SHAPES)):
        reasons = extractor.refusals(spec)
        if not isinstance(reasons, list) or not all(map(is_sentence, reasons)):
            raise Broken(f"for {list(spec.sample.shape)} it says {reasons!r}")
        if not isinstance(extractor.suits(spec), bool):
            raise Broken(f"suits returns {extractor.suits(spec)!r}")
    if not extractor.refusals(_spec((2,))):
        raise Broken("it does not refuse points [2], which are no images")


@promise("extractor")
def it_opens_in_eval_mode(it: Subject) -> None:
    """The network that `open` returns is in eval mode, all of its modules.

    Dropout and batch norm would make features random or dependent on their batch. End with
    `return network.eval()`.
    """
    try:
        network = _opened(it)
    except DataError as error:
        raise NotMade(f"its weights are not at hand: {error}") from error
    training = [name or "the network" for name, part in network.named_modules() if part.training]
    if training:
        raise Broken(f"in training mode: {', '.join(training)}")


@promise("extractor")
def its_features_are_finite_rows(it: Subject) -> None:
    """It makes of images of any size a `Seen` whose features are finite float32, [N, d].

    Metrics fit Gaussians and measure distances between rows, of one width for all images. Resize
    inside the network, pool, and flatten.
    """
    widths = set()
    for images, network in _shown(it):
        seen = _look(network, images)
        if not isinstance(seen, Seen):
            raise Broken(f"it returns {type(seen).__name__}")
        features, shape = seen.features, list(images.shape)
        if features.dim() != 2 or len(features) != len(images):
            raise Broken(f"features of {shape} are {list(features.shape)}")
        if features.dtype is not torch.float32 or not features.isfinite().all():
            raise Broken(
                f"features of {shape} are {features.dtype}, not all of them finite float32"
            )
        widths.add(features.shape[1])
    if len(widths) > 1:
        raise Broken(f"features have {' or '.join(map(str, sorted(widths)))} columns, by size")


@promise("extractor")
def its_logits_are_of_its_classes(it: Subject) -> None:
    """One that names classes gives a finite logit for each, [N, classes]; others give none.

    Metrics read shares of classes off them by the names in `classes`. Name as many as there are
    columns, in their order.
    """
    classes = default(it, Extractor).classes
    for images, network in _shown(it):
        logits = _look(network, images).logits
        if logits is None and not classes:
            continue
        if logits is None or not classes:
            raise Broken(f"{len(classes)} classes, {'no' if logits is None else 'but'} logits")
        if logits.shape != (len(images), len(classes)) or not logits.isfinite().all():
            raise Broken(f"logits of {len(classes)} classes are {list(logits.shape)}")


@promise("extractor")
def looking_twice_shows_the_same(it: Subject) -> None:
    """The same images have the same features, bit for bit, also when it is opened anew.

    A score whose last digits change from call to call cannot be compared with anything. Draw
    nothing; load all weights, and none of them at random.
    """
    for images, network in _shown(it):
        first = _look(network, images).features
        if not torch.equal(first, _look(network, images).features):
            raise Broken("a second look shows other features")
        if not torch.equal(first, _look(_opened(it), images).features):
            raise Broken("opened anew it shows other features")


@promise("extractor")
def it_looks_at_each_image_alone(it: Subject) -> None:
    """Features of an image do not depend on the others in its batch.

    Samples are read in chunks, and a chunk's size is not part of a receipt. Normalise by fixed
    numbers, never by those of the batch.
    """
    for images, network in _shown(it):
        together = _look(network, images).features
        alone = torch.cat([_look(network, image).features for image in images.split(1)])
        moved = float((together - alone).abs().max() / together.abs().max().clamp(min=1e-6))
        if moved > AWAY:
            raise Broken(f"alone, features differ by {moved:.2g} of the largest")


@promise("metric")
def what_it_cannot_judge_it_refuses(it: Subject) -> None:
    """For each kind of data a metric either refuses, in sentences, or returns scores.

    `gantk evaluate` takes every metric that does not refuse; one that raises ends the evaluation
    for all. Look at `exam.spec`, `exam.data` and `exam.fake.n` in `refusals`.
    """
    metric = default(it, Metric)
    for material in made_here():
        exam = Exams(material, FEW, it.catalogue).of("real")
        with offline(), own_cache():
            reasons = metric.refusals(exam)
            if not isinstance(reasons, list) or not all(map(is_sentence, reasons)):
                raise Broken(f"for {material.title} it says {reasons!r}")
            with suppress(DataError):  # weights that are not at hand
                if not reasons and not metric.scores(exam):
                    raise Broken(f"for {material.title} it neither refuses nor scores")


@promise("metric")
def its_scores_are_finite(it: Subject) -> None:
    """Scores, their floors, errors and parts are numbers, for a model that has collapsed as well.

    JSON and tables have no place for NaN, and who compares with it is always wrong. Leave out a
    score that does not exist for such samples.
    """
    first = sittings(it)[0]
    for fakes in ("real", "repeated"):
        for score in first.scores(fakes):
            numbers = [score.value, score.floor or 0.0, score.error or 0.0, *score.parts.values()]
            if not all(map(math.isfinite, numbers)):
                raise Broken(f"{score.name} of {fakes} samples holds {numbers}")


@promise("metric")
def its_scores_have_names_that_can_be_typed(it: Subject) -> None:
    """Names of scores are small letters, digits and hyphens, and no two are the same.

    They are keys of `metrics.json` and columns of tables. Begin with the metric's name; with an
    extractor take `eye.title(name)`, which ends in the extractor's.
    """
    names = [score.name for score in sittings(it)[0].scores("real")]
    if len(set(names)) < len(names) or not all(map(NAME.fullmatch, names)):
        raise Broken(f"it names its scores {', '.join(names)}")


@promise("metric")
def the_same_exam_gives_the_same_digits(it: Subject) -> None:
    """The same exam is scored with the same digits, whatever was drawn before.

    A receipt says how a number can be had again. Draw from `stream(exam.seed, …)` alone.
    """
    first = sittings(it)[0]
    before, after = first.scores("real"), first.scores_again("real")
    if before != after:
        raise Broken(f"it scores {_shown_as(before)}, then {_shown_as(after)}")


@promise("metric")
def real_samples_score_better_than_bad_ones(it: Subject) -> None:
    """In the direction of `better`, real samples score better than bad ones.

    Bad ones are all of one grey, noise, and one real sample again and again; a score has to tell
    one of the three. Set `better` to where a model improves, or to "none".
    """
    directed = False
    for sitting in sittings(it):
        for score in sitting.scores("real"):
            values = {bad: _value(sitting.scores(bad), score.name) for bad in BAD}
            gains = {
                bad: (score.value - value) * (1 if score.better == "higher" else -1)
                for bad, value in values.items()
                if value is not None and score.better != "none"
            }
            if gains and max(gains.values()) <= 0 > min(gains.values()):
                said = ", ".join(f"{bad} {values[bad]:g}" for bad in gains)
                raise Broken(
                    f"{score.name}, {score.better} is better: real {score.value:g}, {said}"
                )
            directed = directed or any(gains.values())
        if directed:
            return
    raise NotMade("no score of it has a direction and tells bad samples of the exams set here")


@promise("metric")
def its_receipts_are_complete(it: Subject) -> None:
    """Each score carries the exam's receipt, and the extractor and the floor where it has any.

    A number without them cannot be repeated or compared. Return `receipt=exam.signed(eye)`, or
    `exam.signed()` without an extractor; change `n` and `real` when you look at fewer.
    """
    first = sittings(it)[0]
    given = first.exams.of("real").receipt
    for score in first.scores("real"):
        receipt = score.receipt
        wrong = [
            f"{name} {getattr(receipt, name)!r}"
            for name in ("seed", "model", "data", "split", "fingerprint", "versions")
            if getattr(receipt, name) != getattr(given, name)
        ]
        if not 0 < receipt.n <= given.n or receipt.real < 1:
            wrong.append(f"n {receipt.n} and real {receipt.real}")
        if score.floor is not None and not receipt.floor:
            wrong.append("nothing of what the floor was measured on")
        if isinstance(first.metric, FeatureMetric) and not receipt.extractor:
            wrong.append("no extractor")
        if receipt.extractor:
            installed = it.catalogue.load("extractor", receipt.extractor)
            if receipt.extractor_sha256 != getattr(installed, "sha256", ""):
                wrong.append(f"extractor_sha256 {receipt.extractor_sha256!r}")
        if wrong:
            raise Broken(f"{score.name}: its receipt says {', '.join(wrong)}")


def _spec(shape: tuple[int, ...]) -> DataSpec:
    bounded = len(shape) == 3
    field = FieldSpec(shape=shape, low=-1.0, high=1.0) if bounded else FieldSpec(shape=shape)
    return DataSpec(name="made-here", fields={SAMPLE: field})


def _opened(it: Subject) -> nn.Module:
    with offline():
        return default(it, Extractor).open()


@functools.lru_cache(maxsize=1)
def _network(it: Subject) -> nn.Module:
    """Return the network, opened once. Raises `NotMade` when that fails."""
    try:
        return _opened(it)
    except Exception as error:
        raise NotMade(f"it cannot be opened: {error}") from error


def _shown(it: Subject) -> Iterator[tuple[Tensor, nn.Module]]:
    """Yield images that it does not refuse, [N, C, H, W] in -1 … 1, with the network."""
    extractor = default(it, Extractor)
    accepted = [shape for shape in SHAPES if not extractor.refusals(_spec(shape))]
    if not accepted:
        raise NotMade("it refuses all images that are made here")
    for shape in accepted:
        images = torch.rand(IMAGES, *shape, generator=stream(0, "images", *shape)) * 2 - 1
        yield images, _network(it)


@torch.inference_mode()
def _look(network: nn.Module, images: Tensor) -> Seen:
    seen: Seen = network(images)
    return seen


def _value(scores: Iterable[Score], name: str) -> float | None:
    return next((score.value for score in scores if score.name == name), None)


def _shown_as(scores: Iterable[Score]) -> str:
    return ", ".join(f"{score.name} {score.value!r}" for score in scores)
