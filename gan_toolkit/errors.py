"""Every failure a user can meet, one tree, caught once in `gan_toolkit.cli.main`.

    GantkError                    exit 1
    ├── UsageError                exit 2   a wrong name, option or combination
    │   ├── UnknownName                    … with the nearest names
    │   └── RecipeError                    … with every problem of the recipe at once
    ├── PluginError               exit 1   a plugin broke its promise; names the distribution
    ├── DataError                 exit 1   a data set is missing, torn or unusable
    ├── CheckpointError           exit 1   a checkpoint is torn, foreign or damaged
    ├── RunError                  exit 1   a run folder cannot be used as asked
    ├── LostProcess               exit 1   another process of the same run ended
    ├── BundleError               exit 1   exported weights are unusable
    ├── Diverged                  exit 1   training met NaN or infinity
    └── Interrupted               exit 130 or 143   SIGINT or SIGTERM, after a checkpoint

A message says what was asked, what exists, and what to type next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class GantkError(Exception):
    """A failure whose message is meant for the user; bugs are never of this class."""

    exit_code = 1


class UsageError(GantkError):
    """The request itself cannot be met as written."""

    exit_code = 2


class UnknownName(UsageError):
    """A registry name nobody claims; suggests the nearest ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str = "") -> None:
        known = sorted(known)
        where = "gantk plugins" if kind == "plugin" else f"gantk list {kind}"
        listing = f"See `{where}`." if known else f"No {kind} is installed."
        said = f"No {kind} '{name}'.{did_you_mean(name, known)}"
        super().__init__(" ".join(filter(None, [said, hint, listing])))


class RecipeError(UsageError):
    """Everything that is wrong with a recipe, one line a problem."""

    def __init__(
        self,
        problems: Sequence[str],
        *,
        origin: str = "the recipe",
        hint: str = "Mend these, then try `gantk train … --dry-run`; `gantk show architecture "
        "NAME` lists every option.",
    ) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"{count} in {origin}:{lines}\n{hint}")


class PluginError(GantkError):
    """A plugin failed where the toolkit called it."""


class DataError(GantkError):
    """A data set cannot be found, fetched or read."""


class CheckpointError(GantkError):
    """A checkpoint cannot be trusted."""


class RunError(GantkError):
    """A run folder cannot be used as asked."""


class LostProcess(GantkError):
    """Another process of the same run ended, so this one cannot go on."""


class BundleError(GantkError):
    """Exported weights or their description cannot be used."""


class Diverged(GantkError):
    """Training produced NaN or infinity; the run was taken back to its last good checkpoint."""


class Interrupted(GantkError):
    """A signal stopped the run after it was saved."""

    def __init__(self, message: str, *, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` with the nearest known names, or an empty string."""
    near = difflib.get_close_matches(name.lower(), list(known), n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(match) for match in near)}?" if near else ""
