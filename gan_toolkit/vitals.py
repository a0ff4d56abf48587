"""Vital signs: small copies of what went through a few steps of each row, and what they tell.

A look costs a copy; the arithmetic is done once in `span` steps, on the CPU in float64. The doctor
reads the row, never the samples.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, one_hot

from gan_toolkit.architecture import Judged
from gan_toolkit.data import LABEL, SAMPLE, Batch
from gan_toolkit.streams import stream

LOOKS = 5
"""Looks at each row of metrics, evenly apart …"""
APART = 10
"""… but not more often than every so many steps, if a row is longer."""
SPAN = 100
"""Steps, at least, from one row with vital signs to the next: rows may be closer …"""
ROWS = 250
"""… and no more rows of a planned run than these have any."""
MOST_LOOKS = 2500
"""Looks at a planned run, at most."""
AT_A_LOOK = 32
"""Samples of a side that a look keeps."""
SIDE = 8
"""Images are looked at in so many pixels a side: what they are, not how sharp."""
REFERENCE = 2048
"""Real samples that fakes are held against."""
ALL_KNOWN = 4096
"""A data set of at most so many samples is held against whole: only there can copies be found."""
CLUSTERS = 32
MEMORY = 0.8
"""Share of the counts by cluster that a row keeps of the rows before it."""
RARE = 0.2
"""A cluster is lost when fakes reach it less than this often, real samples being 1."""
CLOSE = 0.2
"""A duplicate's neighbour is nearer than this, a real sample's nearest neighbour being at 1."""

MEANINGS = {
    "vital.distance": "Energy distance of fakes from reals: 0 the same, 1 unrelated.",
    "vital.diversity": "Spread of fakes; real samples have 1.",
    "vital.duplicates": "Share of fakes with a near copy among the others.",
    "vital.reached": "Share of the data that fakes still reach.",
    "vital.travel": "How far the mean of the fakes moved since the row before.",
    "vital.nearest": "Distance of fakes to their nearest real sample; 0 is a copy.",
    "vital.leak": "How far fakes are on the way from reals to augmented reals.",
    "vital.obeyed": "Share of fakes that show the class asked for; real samples have 1.",
    "vital.features": "Spread of fakes in D's features; real samples have 1.",
}
"""Vital signs, the most telling first, and what they are; `vital.telling` is of the data."""

Signs = dict[str, float]
NONE = torch.empty(0)


class Vitals:
    """What looks have kept since the last row of metrics, and what a row leaves to the next."""

    def __init__(self, log_every: int, planned: int = 0) -> None:
        self._span = span(log_every, planned)
        looks = min(log_every, max(log_every // LOOKS, APART))
        self._every = max(looks, planned // MOST_LOOKS)
        self._kept: defaultdict[str, list[Tensor]] = defaultdict(list)
        self._past: dict[str, Tensor] = {}

    def due(self, step: int) -> bool:
        """Return whether a step is looked at."""
        return step % self._every == 0

    def measured(self, step: int) -> bool:
        """Return whether the updates of a step are measured too."""
        return (step + 1) % self._span == 0  # the last before a row that has vital signs

    def look(self, side: str, batch: Batch, judged: Judged) -> None:
        """Keep some samples of a side and the verdict on them.

        `real`, `fake`, or `augmented`: the reals as D was shown them.
        """
        self.keep(f"{side}.sample", small(batch[SAMPLE][:AT_A_LOOK]))
        self.keep(f"{side}.logit", _flat(judged.logits).mean(1))
        if judged.features is not None:
            self.keep(f"{side}.features", _flat(judged.features))
        if LABEL in batch:
            self.keep(f"{side}.label", batch[LABEL][:AT_A_LOOK])

    def signs(self, step: int, reference: Callable[[], Reference]) -> Signs:
        """Return what the looks tell in the row of a step, by the row's names; then forget them.

        Verdicts are told in every row that has a look, what samples tell in `span` steps once,
        beside a `reference` of the same data. Counts by cluster and the place of the fakes are
        remembered.
        """
        signs = _verdicts(self._taken(".logit"))
        if step % self._span:
            return signs
        kept = self._taken(".sample", ".label", ".features")
        if "fake.sample" not in kept or "real.sample" not in kept:
            return signs
        real, fake = kept["real.sample"].double(), kept["fake.sample"].double()
        if not (real.isfinite().all() and fake.isfinite().all()):
            return signs
        about = reference()
        signs |= _spread(real, fake)
        if "real.features" in kept and "fake.features" in kept:
            spreads = [kept[f"{side}.features"].std(0).mean() for side in ("fake", "real")]
            signs["vital.features"] = float(spreads[0] / spreads[1].clamp(min=1e-12))
        signs |= self._course(fake, about)
        if about.whole:
            near = torch.cdist(fake, about.samples).min(1).values.median()
            signs["vital.nearest"] = float(near / about.apart)
        if "augmented.sample" in kept:
            signs["vital.leak"] = _leak(real, fake, kept["augmented.sample"].double())
        if about.classes is not None and "fake.label" in kept:
            right = about.obeyed(real, kept["real.label"])
            signs["vital.telling"] = about.telling
            signs["vital.obeyed"] = about.obeyed(fake, kept["fake.label"]) / max(right, 1e-6)
        return signs

    def _taken(self, *kinds: str) -> dict[str, Tensor]:
        """Return what was kept of some kinds, on the CPU, and keep it no longer."""
        names = [name for name in self._kept if name.endswith(kinds)]
        return {name: torch.cat(self._kept.pop(name)).cpu() for name in names}

    def tensors(self) -> dict[str, Tensor]:
        """Return everything kept, for a checkpoint."""
        kept = {f"kept/{name}": torch.cat(rows) for name, rows in self._kept.items()}
        return kept | {f"past/{name}": tensor for name, tensor in self._past.items()}

    def load(self, tensors: Mapping[str, Tensor], device: torch.device | None = None) -> None:
        """Replace everything kept; what looks kept goes to the device, where it is."""
        self._kept.clear()
        self._past = {}
        for name, tensor in tensors.items():
            group, _, key = name.partition("/")
            if group == "kept":
                self._kept[key] = [tensor.to(device)]
            else:
                self._past[key] = tensor.cpu()

    def forget_features(self) -> None:
        """Forget what looks have kept of D's features: a D that grows has others."""
        for name in [name for name in self._kept if name.endswith(".features")]:
            del self._kept[name]

    def keep(self, name: str, rows: Tensor) -> None:
        """Keep rows that a look found, by side and kind."""
        self._kept[name].append(rows.detach())

    def kept(self) -> list[tuple[str, Tensor]]:
        """Return what looks have kept, one by one."""
        return [(name, rows) for name, found in self._kept.items() for rows in found]

    def _course(self, fake: Tensor, reference: Reference) -> Signs:
        """Return what the fakes tell beside those of the rows before."""
        counts = self._past.get("counts", torch.zeros(len(reference.shares), dtype=torch.float64))
        counts = MEMORY * counts + (1 - MEMORY) * _shares(fake, reference.centres)
        lost = counts / counts.sum() < RARE * reference.shares
        centre = fake.mean(0)
        chance = fake.var(0).sum() / len(fake)  # of the mean's squared distance from the true one
        before, its_chance = self._past.get("centre", centre), self._past.get("chance", chance)
        self._past = {"counts": counts, "centre": centre, "chance": chance}
        moved = ((centre - before).square().sum() - chance - its_chance).clamp(min=0).sqrt()
        return {
            "vital.reached": 1 - float(reference.shares[lost].sum()),
            "vital.travel": float(moved / reference.size),
        }


@dataclass(frozen=True)
class Reference:
    """Real samples of a run, small, and what is known of them."""

    samples: Tensor
    """[n, d] float64."""
    whole: bool
    """Whether they are the whole data set."""
    apart: float
    """Median distance of a sample to its nearest neighbour."""
    size: float
    """Root mean square distance to the mean."""
    centres: Tensor
    """[clusters, d]."""
    shares: Tensor
    """[clusters]: share of the samples in each."""
    classes: Tensor | None
    """[classes, d]: mean of each class, for labelled data."""
    telling: float = 0.0
    """By how many standard errors labels beat chance at naming the nearest of those means."""

    @classmethod
    def of(cls, batch: Batch, *, whole: bool, classes: int, seed: int) -> Reference:
        """Return the reference that a batch of real samples is."""
        samples = small(batch[SAMPLE]).cpu().double()
        apart = torch.cdist(samples[:512], samples)
        apart.fill_diagonal_(torch.inf)
        centres = _clusters(samples, seed)
        means, telling = None, 0.0
        if classes and LABEL in batch:
            means, telling = _classes(samples, one_hot(batch[LABEL].cpu(), classes).double())
        return cls(
            samples=samples,
            whole=whole,
            apart=max(float(apart.min(1).values.median()), 1e-9),
            size=max(float((samples - samples.mean(0)).norm(dim=1).square().mean().sqrt()), 1e-9),
            centres=centres,
            shares=_shares(samples, centres),
            classes=means,
            telling=telling,
        )

    def obeyed(self, samples: Tensor, labels: Tensor) -> float:
        """Return the share of samples [m, d] that are nearest to the mean of their class."""
        assert self.classes is not None
        return float((torch.cdist(samples, self.classes).argmin(1) == labels).double().mean())


def span(log_every: int, planned: int) -> int:
    """Return the steps from one row with vital signs to the next, in a run of `planned` steps."""
    return log_every * -(-max(SPAN, planned // ROWS) // log_every)


def small(samples: Tensor) -> Tensor:
    """Return samples [N, …] as vectors [N, d], images averaged down to `SIDE` × `SIDE`."""
    samples = samples.detach().float()
    if samples.dim() == 4:
        samples = adaptive_avg_pool2d(samples, SIDE)
    return samples.flatten(1)


def _flat(rows: Tensor) -> Tensor:
    seen = rows[:AT_A_LOOK]
    return seen.reshape(len(seen), -1)


def _verdicts(kept: Mapping[str, Tensor]) -> Signs:
    """Return what D's logits tell; for so few numbers plain Python is quicker than torch."""
    reals, fakes = (sorted(kept.get(f"{s}.logit", NONE).tolist()) for s in ("real", "fake"))
    signs: Signs = {}
    if reals:
        signs["accuracy.real"] = 1 - bisect_right(reals, 0) / len(reals)
        signs["logit.real"] = sum(reals) / len(reals)
    if fakes:
        signs["accuracy.fake"] = bisect_left(fakes, 0) / len(fakes)
        signs["logit.fake"] = sum(fakes) / len(fakes)
    if reals and fakes:
        beaten = sum(bisect_left(fakes, logit) for logit in reals)
        signs["accuracy.order"] = beaten / (len(reals) * len(fakes))
    return signs


def _spread(real: Tensor, fake: Tensor) -> Signs:
    """Return how varied fakes are beside reals, how far from them, and how many are alike."""
    within_real, within_fake = torch.cdist(real, real), torch.cdist(fake, fake)
    reals = within_real.sum() / (len(real) * (len(real) - 1))
    fakes = within_fake.sum() / (len(fake) * (len(fake) - 1))
    across = torch.cdist(fake, real).mean()
    for distances in (within_real, within_fake):
        distances.fill_diagonal_(torch.inf)
    apart = within_real.amin(1).median()
    close = within_fake.amin(1) < CLOSE * apart
    return {
        "vital.diversity": float(fakes / reals.clamp(min=1e-12)),
        "vital.distance": float((2 * across - reals - fakes) / (2 * across).clamp(min=1e-12)),
        "vital.duplicates": float(close.double().mean()),
    }


def _classes(samples: Tensor, belongs: Tensor) -> tuple[Tensor, float]:
    """Return the mean of each class [classes, d] and how telling the classes are.

    `belongs` [n, classes] is one-hot. Each sample is left out of its own class's mean.
    """
    held = belongs.sum(0).clamp(min=1)
    means = belongs.T @ samples / held[:, None]
    own = (held / (held - 1).clamp(min=1))[None] * belongs + (1 - belongs)
    named = (torch.cdist(samples, means) * own).argmin(1)
    right = float((named == belongs.argmax(1)).double().mean())
    chance = float((held / held.sum()).max())
    return means, (right - chance) / max((chance * (1 - chance) / len(samples)) ** 0.5, 1e-9)


def _leak(real: Tensor, fake: Tensor, augmented: Tensor) -> float:
    """Return how far fakes are on the way from the reals to the augmented reals.

    By the mean and the standard deviation of each number: 0 are fakes like the reals, 1 like what
    the augmentation makes of them.
    """
    own, made, shown = (torch.cat([x.mean(0), x.std(0)]) for x in (real, fake, augmented))
    way = shown - own
    return float((made - own) @ way / way.square().sum().clamp(min=1e-12))


def _clusters(samples: Tensor, seed: int) -> Tensor:
    """Return the centres of k-means after a few rounds of Lloyd's algorithm: [clusters, d]."""
    count = min(CLUSTERS, len(samples))
    first = torch.randperm(len(samples), generator=stream(seed, "clusters"))[:count]
    centres = samples[first]
    for _ in range(10):
        nearest = one_hot(torch.cdist(samples, centres).argmin(1), count).double()
        held = nearest.sum(0)
        means = nearest.T @ samples / held.clamp(min=1)[:, None]
        centres = torch.where(held[:, None] > 0, means, centres)
    return centres


def _shares(samples: Tensor, centres: Tensor) -> Tensor:
    """Return which share of samples [m, d] is in each cluster: [clusters]."""
    nearest = torch.cdist(samples, centres).argmin(1)
    return torch.bincount(nearest, minlength=len(centres)).double() / len(samples)
