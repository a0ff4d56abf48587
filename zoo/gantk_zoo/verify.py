"""Take the numbers of a published model again, from their receipts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import Progress, silent
from gan_toolkit.errors import BundleError
from gan_toolkit.evaluation import evaluate, real_data
from gan_toolkit.generator import Generator
from gan_toolkit.scoring import Score
from gantk_zoo import record

TOLERANCE = 1e-3
"""Relative. The same machine gives the same digits; another may sum in another order."""


MOST = 1_000_000
"""Samples that are scored because a stranger's receipt says so."""


class Check(NamedTuple):
    """One published number beside the one taken now."""

    name: str
    published: float
    found: float | None
    matches: bool


class Verdict(NamedTuple):
    """What was found of a model."""

    same_weights: bool
    """Whether the receipts were signed for these very weights."""
    same_data: bool
    checks: tuple[Check, ...]

    @property
    def matches(self) -> bool:
        """Whether everything is as published."""
        return self.same_weights and self.same_data and all(check.matches for check in self.checks)


def verify(
    path: Path,
    catalogue: Catalogue,
    *,
    data: str | None = None,
    sets: Sequence[str] = (),
    progress: Progress = silent,
) -> Verdict:
    """Return the published scores of a bundle beside the same scores taken now.

    `data` left out is what the model was trained on; files that it was trained on must be named.
    `sets` are laid over its options, as `--set` says them.
    Raises `BundleError` when it was published without scores.
    """
    known = record.read(path.parent)
    if known is None or not known.scores:
        raise BundleError(
            f"'{path.parent}' holds no scores, so there is nothing to verify: it was published "
            "without, or they were never fetched. `gantk evaluate` takes some."
        )
    generator = Generator(path, catalogue, as_promised=False)  # others than promised: they differ
    # A metric may look at fewer samples than it is given: the most is what was asked for.
    receipt = max((score.receipt for score in known.scores), key=lambda receipt: receipt.n)
    if not 1 <= receipt.n <= MOST:
        raise BundleError(
            f"'{path.parent}' says that {receipt.n:,} samples were scored; at most {MOST:,} are "
            "taken again. `gantk evaluate` takes scores of your own."
        )
    options = real_data(data, generator.description.recipe, catalogue, sets=sets)
    taken = evaluate(
        generator,
        options,
        n=receipt.n,
        seed=receipt.seed,
        plugins=catalogue.files,
        progress=progress,
    )
    found = {score.name: score for score in taken}
    return Verdict(
        same_weights=all(score.receipt.model == generator.sha256 for score in known.scores),
        same_data=all(score.receipt.fingerprint == receipt.fingerprint for score in found.values()),
        checks=tuple(_checked(score, found.get(score.name)) for score in known.scores),
    )


def _checked(published: Score, found: Score | None) -> Check:
    if found is None:
        return Check(published.name, published.value, None, matches=False)
    near = abs(found.value - published.value) <= TOLERANCE * abs(published.value) + 1e-9
    return Check(published.name, published.value, found.value, near)
