"""What can be the matter with a run: how each thing is seen, what it means, what to try.

A limit lies between what healthy runs and runs made to fail showed on the seeds it was found on;
`nox -s soak -- doctor` measures all of them on others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gan_toolkit.doctor.chart import Chart
from gan_toolkit.doctor.finding import Severity

FAR, NEAR = 0.1, 0.04
"""Energy distance from which samples are unlike the data, and below which they are like it."""
COLLAPSED, ALIKE = 0.3, 0.3
"""Diversity below which, and share of near doubles above which, samples are all one."""
REACHED = 0.75
"""Share of the data's clusters below which modes are missing."""
SURE, BLIND = 0.98, 0.6
"""Share of pairs that D tells right: of a D that G cannot fool, of one that sees nothing."""
FLAT = 2e-2
"""Norm of G's gradient below which it learns nothing from it."""
RESTLESS, STILL = 0.25, 0.1
"""How far the mean of the samples moves between rows, the data's own spread being 1."""
COPIED = 0.5
"""Distance to the nearest training sample, that between training samples being 1."""
LEAKING = 0.5
"""How far samples are on the way from the reals to the augmented reals."""
OBEYED, TELLING = 0.6, 3.0
"""How often samples look like their class, and by how many standard errors real ones do."""

Seen = Callable[[Chart], str]
"""Returns the evidence, or nothing when it is not so."""
Advice = Callable[[Chart], Sequence[str]]


@dataclass(frozen=True)
class Case:
    """One finding: its name, how it is seen and what to say of it."""

    name: str
    severity: Severity
    seen: Seen
    reason: str
    advice: Advice


def _not_finite(chart: Chart) -> str:
    row = chart.rows[-1]
    return f"NaN or infinity in {row['diverged']}" if "diverged" in row else ""


def _vanishing(chart: Chart) -> str:
    for name in chart.networks("generator"):
        norm = chart.now(f"gradient.{name}")
        if norm is not None and norm < FLAT and chart.stuck(FAR):
            return f"the gradient of {name} has a norm of {norm:.1e}"
    return ""


def _unbeatable(chart: Chart) -> str:
    order = chart.now("accuracy.order")
    if order is None or order < SURE or not chart.stuck(FAR):
        return ""
    return f"D ranks {order:.0%} of pairs right; {_away(chart)}"


def _blind(chart: Chart) -> str:
    order = chart.now("accuracy.order")
    if order is None or order > BLIND or not chart.stuck(FAR):
        return ""
    return f"D ranks {order:.0%} of pairs right, where a coin has 50 %; {_away(chart)}"


def _collapsed(chart: Chart) -> str:
    diversity, alike = chart.now("vital.diversity"), chart.now("vital.duplicates")
    if diversity is None or alike is None:
        return ""
    if alike <= ALIKE and (diversity >= COLLAPSED or not chart.stuck(FAR)):
        return ""
    return f"samples vary {diversity:.2f} times as much as real ones; {alike:.0%} have a double"


def _missing(chart: Chart) -> str:
    reached, before = chart.now("vital.reached"), chart.before("vital.reached")
    if reached is None or reached > REACHED or chart.below("vital.diversity", COLLAPSED):
        return ""
    if before is None or reached > before + 0.03:
        return ""  # it is still spreading
    return f"samples reach {reached:.0%} of the data's clusters"


def _restless(chart: Chart) -> str:
    travel = chart.now("vital.travel")
    if travel is None or travel < RESTLESS or chart.below("vital.distance", NEAR):
        return ""
    return f"the mean of the samples moves {travel:.2f} of the data's spread from row to row"


def _stalled(chart: Chart) -> str:
    distances = chart.windows("vital.distance", 3)
    if len(distances) < 3 or not chart.below("vital.travel", STILL):
        return ""
    first, last = distances[0], distances[-1]
    if last < FAR or last < 0.9 * first:
        return ""
    return f"over {3 * chart.window} rows the distance from the data went {first:.2f} → {last:.2f}"


def _copying(chart: Chart) -> str:
    nearest = chart.now("vital.nearest")
    if nearest is None or nearest > COPIED:
        return ""
    return f"a training sample is {nearest:.2f} times as near as training samples are to each other"


def _leaking(chart: Chart) -> str:
    leak = chart.now("vital.leak")
    if leak is None or leak < LEAKING or chart.below("vital.diversity", COLLAPSED):
        return ""
    return (
        f"samples are {leak:.0%} of the way from real ones to what the augmentation makes of them"
    )


def _deaf(chart: Chart) -> str:
    obeyed = chart.now("vital.obeyed")
    if obeyed is None or obeyed > OBEYED or not chart.below("vital.distance", FAR):
        return ""
    if chart.below("vital.telling", TELLING):
        return ""
    return f"samples look like their class {obeyed:.2f} times as often as real ones"


def _untelling(chart: Chart) -> str:
    telling = chart.now("vital.telling")
    if telling is None or telling > TELLING:
        return ""
    return f"real samples look like their class no more often than chance ({telling:.1f} σ)"


def _converged(chart: Chart) -> str:
    if chart.course.best is not None:
        return str(chart.course) if chart.best_stays and chart.below("vital.distance", NEAR) else ""
    first, last = chart.since_settled()
    if first is None or last is None or last > NEAR or last < 0.95 * first:
        return ""
    return f"the distance from the data stays at {last:.3f} (before: {first:.3f})"


def _best(chart: Chart) -> list[str]:
    if chart.course.best is not None:
        return [f"Take RUN/best, the weights of step {chart.course.best_step}."]
    return [
        f"--set steps={chart.step}",
        "--eval-every keeps the best weights by a score; the last need not be the best.",
    ]


def _away(chart: Chart) -> str:
    return f"samples stay at a distance of {chart.now('vital.distance'):.2f} from the data"


CASES = (
    Case(
        "nan",
        "broken",
        _not_finite,
        "A number became NaN or infinite: a step was too large, or a term left its range. The run "
        "stands at its last good checkpoint.",
        lambda chart: [
            *chart.scaled("discriminator", 0.5),
            *chart.scaled("generator", 0.5),
            *chart.wider(),
        ],
    ),
    Case(
        "vanishing-gradients",
        "broken",
        _vanishing,
        "What G learns by has become nothing: D is so sure, or the way to G's weights so long, "
        "that no direction is left.",
        lambda chart: [
            *chart.scaled("discriminator", 0.25),
            "Take a loss that does not saturate, fewer layers, or a norm in G.",
        ],
    ),
    Case(
        "discriminator-overpowers",
        "broken",
        _unbeatable,
        "D tells every fake from every real, and what it teaches brings G no nearer.",
        lambda chart: [
            *chart.scaled("discriminator", 0.25),
            *chart.scaled("generator", 4.0),
            *chart.once("discriminator"),
        ],
    ),
    Case(
        "generator-overpowers",
        "broken",
        _blind,
        "D cannot tell fakes from reals though they differ: what it teaches is noise.",
        lambda chart: [
            *chart.scaled("discriminator", 4.0),
            *chart.twice("discriminator"),
            "Give D more width, or G less.",
        ],
    ),
    Case(
        "mode-collapse",
        "broken",
        _collapsed,
        "Whatever the latents, G makes nearly the same sample.",
        lambda chart: [
            *chart.scaled("generator", 0.25),
            *chart.once("generator"),
            f"--set batch={2 * chart.recipe['batch']}",
        ],
    ),
    Case(
        "partial-collapse",
        "worrying",
        _missing,
        "G makes some kinds of what is in the data and leaves others out.",
        lambda chart: [
            f"--set batch={2 * chart.recipe['batch']}",
            *chart.scaled("generator", 0.5),
        ],
    ),
    Case(
        "oscillation",
        "worrying",
        _restless,
        "The players chase each other: samples change from row to row without coming nearer.",
        lambda chart: [
            *chart.scaled("generator", 0.25),
            *chart.scaled("discriminator", 0.25),
            *chart.calmer(),
        ],
    ),
    Case(
        "stalled",
        "worrying",
        _stalled,
        "Samples stand still, far from the data.",
        lambda chart: [*chart.scaled("generator", 10.0), *chart.scaled("discriminator", 10.0)],
    ),
    Case(
        "memorising",
        "worrying",
        _copying,
        "Samples are copies of training samples: there are too few of these for so long a run.",
        lambda chart: [
            f"--set steps={max(chart.step // 2, 1)}",
            "Train on more samples; `gantk data check PATH` counts them.",
        ],
    ),
    Case(
        "augmentation-leak",
        "worrying",
        _leaking,
        "G makes what the augmentation adds: it is so strong that reals cannot be told from it.",
        lambda _: ["Take a weaker augmentation, or none: `gantk list augmentation`."],
    ),
    Case(
        "labels-ignored",
        "worrying",
        _deaf,
        "G makes good samples, but not of the class that it is asked for.",
        lambda _: ["Let D be told the class another way: `gantk show architecture NAME`."],
    ),
    Case(
        "labels-random",
        "worrying",
        _untelling,
        "The labels of the data have nothing to do with what its samples look like.",
        lambda _: ["Look at the labels: `gantk data check PATH`."],
    ),
    Case(
        "converged",
        "normal",
        _converged,
        "Samples are like the data in small and come no nearer; where a run is evaluated its best "
        "score gets no better. Going on brings little.",
        _best,
    ),
)
