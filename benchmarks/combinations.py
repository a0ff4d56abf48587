"""Every architecture × loss × penalty × augmentation × data kind, each trained for two steps.

    python benchmarks/combinations.py
    python benchmarks/combinations.py --arch dcgan --arch wgan

The second command tries those architectures again and keeps what is known of the others. Writes
`benchmarks/combinations.json` and `docs/reference/combinations.md`, which state what was trained
and why the rest was refused.

Mixes are enumerated from the catalogue: every component of this distribution, each architecture
with every value of the options in `VARIED`. A mix is trained when all it computed is finite and the
weights of every network changed; it is refused when the toolkit says, before training, why not.
Networks are tiny, nothing is written to a run folder: this says what can be mixed, not how well it
learns.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import math
import re
import time
import typing
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from gan_toolkit.architecture import Architecture
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import SAMPLE, DataSet, EndlessSource, Source
from gan_toolkit.errors import RecipeError
from gan_toolkit.fit import refusals
from gan_toolkit.observer import Observer
from gan_toolkit.options import Options
from gan_toolkit.resolve import build
from gan_toolkit.settling import settled
from gan_toolkit.step import step
from gan_toolkit.tensors import TensorData
from gan_toolkit.terms import Term
from gan_toolkit.trainer import Trainer

HERE = Path(__file__).parent
JSON = HERE / "combinations.json"
PAGE = HERE.parent / "docs" / "reference" / "combinations.md"
DISTRIBUTION = "gan-toolkit"
TRAINED = "trained"
NONE = "none"
STEPS, BATCH = 2, 4
STEEP = {"name": "adam", "eps": 1e-20}
"""An optimiser that moves float32 weights in two steps by the tiny slopes of a clipped D too."""
STAMP = "<!-- Written by benchmarks/combinations.py; do not edit. -->\n"

DataKind = Literal["points", "images", "labelled images"]
DATA_KINDS: tuple[DataKind, ...] = typing.get_args(DataKind)
SIDES = (16, 28)
"""Sides of the images; the first that an architecture can make is taken."""
MAKE_POINTS = ("mlp",)
"""Architectures of vectors as well as of images; all others are of images alone."""
VARIED = ("conditioning", "norm", "discriminator_norm", "spectral_norm")
"""Options that decide what an architecture can be mixed with."""
SMALL: dict[str, dict[str, object]] = {
    "cdcgan": {"latent": 2, "width": 2, "hidden": 8, "embedding": 2},
    "dcgan": {"latent": 2, "width": 2},
    "keras": {"latent": 2, "filters": [2]},
    "mlp": {"latent": 2, "hidden": [4, 4]},
    "oreilly": {"latent": 4},
    "progressive": {"latent": 2, "width": 4, "stage_kimg": 0.002, "fade_kimg": 0.004},
    "wgan": {"latent": 2, "width": 2},
}
"""Options that make an architecture quick to try; `progressive` grows after its first step."""


@dataclass(frozen=True)
class Variant:
    """An architecture with options."""

    arch: str
    varied: tuple[tuple[str, str | bool], ...]

    def __str__(self) -> str:
        """Return the name with what was varied: `dcgan norm=batch`."""
        return " ".join([self.arch, *(f"{k}={_toml(v)}" for k, v in self.varied)])

    @property
    def options(self) -> dict[str, object]:
        """All options, as a recipe has them."""
        return {"name": self.arch, **SMALL.get(self.arch, {}), **dict(self.varied)}


@dataclass(frozen=True)
class Mix:
    """One combination. `auxiliary` is a term that joins the loss."""

    variant: Variant
    data: DataKind
    auxiliary: str
    augmentation: str
    penalty: str
    loss: str

    @property
    def row(self) -> str:
        """What names a row of the JSON: everything but penalty and loss."""
        return f"{self.variant} | {self.data} | {self.auxiliary} | {self.augmentation}"


class Combinations:
    """All mixes of a catalogue, and what becomes of each."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.variants = tuple(self._variants())
        losses = [(name, self._term("loss", name)) for name in self._names("loss")]
        self.losses = tuple(name for name, term in losses if not term.heads)
        self.auxiliaries = (NONE, *(name for name, term in losses if term.heads))
        self.penalties = (NONE, *self._names("penalty"))
        self.augmentations = (NONE, *self._names("augmentation"))

    def __iter__(self) -> Iterator[Mix]:
        """Yield every mix, in the order of the JSON."""
        axes = (DATA_KINDS, self.auxiliaries, self.augmentations, self.penalties, self.losses)
        for variant in self.variants:
            for values in itertools.product(*axes):
                yield Mix(variant, *values)

    def axes(self) -> dict[str, list[str]]:
        """Return what the mixes are made of; changes with the catalogue."""
        return {
            "variants": [str(variant) for variant in self.variants],
            "data": [*DATA_KINDS],
            "auxiliaries": [*self.auxiliaries],
            "augmentations": [*self.augmentations],
            "penalties": [*self.penalties],
            "losses": [*self.losses],
        }

    def is_type_correct(self, mix: Mix) -> bool:
        """Return whether the types fit: shapes, fields and heads.

        Points go to architectures of points, images to all, augmentations to images. The data has
        the fields that the architecture and the terms name; the terms read the heads that D has.
        What a mix may still be refused for is that its mathematics does not hold.
        """
        fits = mix.variant.arch in MAKE_POINTS and mix.augmentation == NONE
        if mix.data == "points" and not fits:
            return False
        terms = [self._term("loss", name) for name in (mix.loss, mix.auxiliary) if name != NONE]
        if mix.penalty != NONE:
            terms.append(self._term("penalty", mix.penalty))
        arch = self.architecture(mix.variant)
        spec = self.opened(mix.data, mix.variant)[1].spec
        needed = {*arch.conditions, *(field for term in terms for field in term.fields)}
        read = {head for term in terms for head in term.heads}
        return needed <= spec.fields.keys() and set(arch.heads(spec)) == read

    def outcome(self, mix: Mix) -> str:
        """Return `trained`, a refusal, a line a reason, or `failed: …` with what was raised."""
        terms = {"adversarial": mix.loss, "auxiliary": mix.auxiliary, "penalty": mix.penalty}
        values: dict[str, Any] = {  # Any: TOML values
            "arch": mix.variant.options,
            "terms": {key: {"name": name} for key, name in terms.items() if name != NONE},
            "batch": BATCH,
            "steps": STEPS,
            "compute": {"device": "cpu", "threads": 1},
            "updates": {
                role: {"networks": [role], "role": role, "optimiser": STEEP}
                for role in ("discriminator", "generator")
            },
        }
        if mix.augmentation != NONE:
            values["augmentation"] = {"name": mix.augmentation}
        data, source = self.opened(mix.data, mix.variant)
        try:
            recipe = settled(build(values, self.catalogue, data=data), Observer())
            reasons = refusals(recipe, source.spec.ranged(*recipe.arch.sample_range))
            if reasons:
                return "\n".join(reasons)
            return _trained(Trainer(recipe, source, distribution=DISTRIBUTION))
        except RecipeError as error:
            return "\n".join(error.problems)
        except Exception as error:  # noqa: BLE001  # what a mix raises is its outcome
            return f"failed: {type(error).__name__}: {error}"

    @functools.cache  # noqa: B019  # lives as long as the process
    def architecture(self, variant: Variant) -> Architecture:
        """Return a variant built."""
        cls = self.catalogue.load("architecture", variant.arch)
        options = {key: value for key, value in variant.options.items() if key != "name"}
        return typing.cast(Architecture, cls.model_validate(options))  # type: ignore[attr-defined]  # the catalogue knows types by kind only

    def opened(self, kind: DataKind, variant: Variant) -> tuple[DataSet, Source | EndlessSource]:
        """Return data of a kind, images of a size that the variant can make."""
        if kind == "points":
            return self._data(kind, 0)
        arch = self.architecture(variant)
        sizes = [self._data("labelled images", side) for side in SIDES]
        fitting = [not arch.refusals(source.spec.ranged(*arch.sample_range)) for _, source in sizes]
        return self._data(kind, SIDES[fitting.index(True) if any(fitting) else 0])

    @functools.cache  # noqa: B019  # as above
    def _data(self, kind: DataKind, side: int) -> tuple[DataSet, Source | EndlessSource]:
        data: DataSet
        if kind == "points":
            data = self.catalogue.load("data", "ring")()
        else:
            data = self.catalogue.load("data", "digits")(resolution=side)
            if kind == "images":
                rows = typing.cast(Source, data.open()).gather(torch.arange(64))
                data = TensorData.of(rows[SAMPLE])
        return data, data.open()

    def _variants(self) -> Iterator[Variant]:
        for name in self._names("architecture"):
            cls = self.catalogue.load("architecture", name)
            assert issubclass(cls, Options)
            fields = {key: cls.model_fields[key] for key in VARIED if key in cls.model_fields}
            choices = [
                typing.get_args(field.annotation) or (False, True) for field in fields.values()
            ]
            for values in itertools.product(*choices):
                yield Variant(name, tuple(zip(fields, values, strict=True)))

    def _names(self, kind: str) -> list[str]:
        """Return the names of a kind that this distribution brings."""
        found = self.catalogue.components(kind)
        return [each.name for each, plugin in found if plugin.distribution == DISTRIBUTION]

    def _term(self, kind: str, name: str) -> type[Term]:
        cls = self.catalogue.load(kind, name)
        assert issubclass(cls, Term)
        return cls


def _trained(trainer: Trainer) -> str:
    """Return `trained` after some steps, or `failed: …` with what should not be."""
    state = trainer.state
    before = {
        name: {key: weight.detach().clone() for key, weight in network.named_parameters()}
        for name, network in state.networks.items()
    }
    for _ in range(STEPS):
        step(state, *trainer.feed.moves(state))
        state.grow()
    bad = [name for name, mean in state.readings.means().items() if not math.isfinite(mean)]
    if bad := bad + state.broken():
        return f"failed: not finite: {', '.join(bad)}"
    for name, network in state.networks.items():
        now = dict(network.named_parameters())
        pairs = [(weight, now[key]) for key, weight in before[name].items() if key in now]
        if all(torch.equal(old, new) for old, new in pairs):
            return f"failed: the {name} did not change"
    return TRAINED


def tried(
    every: Combinations, known: Mapping[Mix, str], archs: Sequence[str]
) -> tuple[dict[Mix, str], dict[str, float]]:
    """Return each mix's outcome, and CPU seconds by architecture: `archs` and unknown mixes tried.

    Each architecture is told of on stdout when it is done.
    """
    results, seconds = {}, defaultdict[str, float](float)
    for arch, mixes in itertools.groupby(every, key=lambda mix: mix.variant.arch):
        begun = time.process_time()
        fresh = 0
        for mix in mixes:
            if mix.variant.arch not in archs and mix in known:
                results[mix] = known[mix]
            else:
                results[mix] = every.outcome(mix)
                fresh += 1
        if fresh:
            seconds[arch] = round(time.process_time() - begun, 1)
            print(f"{arch}: {fresh} mixes in {seconds[arch]} s of CPU time", flush=True)
    return results, seconds


def read(every: Combinations, text: str) -> dict[Mix, str]:
    """Return the outcomes that a JSON document holds, as far as it has mixes of `every`."""
    document = json.loads(text)
    axes, outcomes, rows = document["axes"], document["outcomes"], document["results"]
    found = {}
    for mix in every:
        if mix.row in rows and mix.penalty in axes["penalties"] and mix.loss in axes["losses"]:
            cell = rows[mix.row][axes["penalties"].index(mix.penalty)]
            number = cell if isinstance(cell, int) else cell[axes["losses"].index(mix.loss)]
            found[mix] = outcomes[number]
    return found


def written(every: Combinations, results: Mapping[Mix, str], seconds: Mapping[str, float]) -> str:
    """Return the JSON document: a line for each row, a number or a list of losses a penalty."""
    outcomes = [TRAINED, *sorted(set(results.values()) - {TRAINED})]
    numbers = {outcome: number for number, outcome in enumerate(outcomes)}
    rows: dict[str, list[list[int]]] = {}
    for mix, outcome in results.items():
        cells = rows.setdefault(mix.row, [])
        if mix.loss == every.losses[0]:
            cells.append([])
        cells[-1].append(numbers[outcome])
    lines = ",\n".join(
        f"    {json.dumps(row)}: "
        f"{json.dumps([cell[0] if len(set(cell)) == 1 else cell for cell in cells])}"
        for row, cells in rows.items()
    )
    head = {
        "command": "python benchmarks/combinations.py",
        "steps": STEPS,
        "cpu_seconds": dict(sorted(seconds.items())),
        "counts": counts(every, results),
        "axes": every.axes(),
        "outcomes": outcomes,
    }
    start = json.dumps(head, indent=2, ensure_ascii=False).removesuffix("\n}")
    return f'{start},\n  "results": {{\n{lines}\n  }}\n}}\n'


def counts(every: Combinations, results: Mapping[Mix, str]) -> dict[str, int | float]:
    """Return how many mixes there are, and how many were trained, of all and of type-correct."""
    correct = [mix for mix in results if every.is_type_correct(mix)]
    trained = [mix for mix, outcome in results.items() if outcome == TRAINED]
    both = sum(results[mix] == TRAINED for mix in correct)
    failed = sum(outcome.startswith("failed") for outcome in results.values())
    return {
        "mixes": len(results),
        "trained": len(trained),
        "refused": len(results) - len(trained) - failed,
        "failed": failed,
        "type_correct": len(correct),
        "type_correct_trained": both,
        "type_correct_trained_share": round(both / len(correct), 4),
    }


def page(every: Combinations, results: Mapping[Mix, str], seconds: Mapping[str, float]) -> str:
    """Return the reference page: counts, a table of type-correct mixes, reasons with examples."""
    number = counts(every, results)
    correct = {mix: outcome for mix, outcome in results.items() if every.is_type_correct(mix)}
    reasons = _reasons(results)
    share = 100 * number["type_correct_trained_share"]
    numbers = [
        ("tried", number["mixes"]),
        ("trained", number["trained"]),
        ("refused before training", number["refused"]),
        ("failed otherwise", number["failed"]),
        ("type-correct", number["type_correct"]),
        ("type-correct and trained", f"{number['type_correct_trained']} ({share:.1f} %)"),
    ]
    columns = ["architecture", "data", *(f"`{name}`" for name in every.penalties)]
    columns[2] = "no penalty"
    return f"""{STAMP}
# What mixes

Every architecture × loss × penalty × augmentation × kind of data of this distribution, each with
and without an auxiliary term: {STEPS} training steps of tiny networks, or a refusal before
training. That a mix trains says nothing of how well it learns.

`python benchmarks/combinations.py` tries them again, in {sum(seconds.values()) / 60:.0f} minutes of
CPU time on one thread; `benchmarks/combinations.json` holds the outcome of each.

{_table(("mixes", "number"), numbers)}
A mix is type-correct when shapes, fields and heads fit: points go to {_listed(MAKE_POINTS)},
images to every architecture, augmentations to images; the data has the labels that the architecture
or a term names; D has the heads that terms read, and no others. What is type-correct may still be
refused because its mathematics does not hold.

## Type-correct mixes

A cell stands for every loss ({_listed(every.losses)}), with and without each augmentation
({_listed(every.augmentations[1:])}), on all the kinds of data named: ✓ when all were trained, else
the number of the [reason](#reasons).

{_table(columns, _rows(correct, every.penalties, reasons))}
## Reasons

Each with one of its sentences as it is printed, and the number of mixes it bars; some mixes are
barred by several.

{_table(("", "reason", "mixes"), _reason_rows(results, reasons))}"""


def _rows(
    correct: Mapping[Mix, str], penalties: Sequence[str], reasons: Sequence[str]
) -> Iterator[list[object]]:
    """Yield a row for each variant; an auxiliary term that it needs is named with it."""
    groups = defaultdict[tuple[Variant, str], list[Mix]](list)
    for mix in correct:
        groups[mix.variant, mix.auxiliary].append(mix)
    for (variant, auxiliary), mixes in groups.items():
        name = f"`{variant}`" if auxiliary == NONE else f"`{variant}` with `{auxiliary}`"
        cells = [
            _cell([correct[mix] for mix in mixes if mix.penalty == penalty], reasons)
            for penalty in penalties
        ]
        yield [name, ", ".join(dict.fromkeys(mix.data for mix in mixes)), *cells]


def _cell(outcomes: Sequence[str], reasons: Sequence[str]) -> str:
    """Return what became of some mixes, in a sign or two."""
    found = Counter(
        "✓" if outcome == TRAINED else str(reasons.index(_kind(outcome)) + 1)
        for outcome in outcomes
    )
    return (
        next(iter(found)) if len(found) == 1 else ", ".join(f"{n}: {k}" for k, n in found.items())
    )


def _reasons(results: Mapping[Mix, str]) -> list[str]:
    """Return every kind of refusal, the one that bars most mixes first."""
    found = Counter(_kind(line) for line in _lines(results))
    return [kind for kind, _ in found.most_common()]


def _reason_rows(results: Mapping[Mix, str], reasons: Sequence[str]) -> Iterator[list[object]]:
    lines = list(_lines(results))
    number = Counter(map(_kind, lines))
    for place, reason in enumerate(reasons, 1):
        example = next(line for line in lines if _kind(line) == reason)
        yield [place, example, number[reason]]


def _lines(results: Mapping[Mix, str]) -> Iterator[str]:
    for outcome in results.values():
        if outcome != TRAINED:
            yield from outcome.splitlines()


def _kind(line: str) -> str:
    """Return a reason without the names in it, so that those of one kind are equal."""
    return re.sub(r"'[^']*'|`[^`]*`|\[[^]]*\]|^\w+(\.\w+)?: \w+ makes", "…", line)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def main() -> None:
    """Try the mixes; write the JSON and the page."""
    every = Combinations(Catalogue.discover())
    archs = sorted({variant.arch for variant in every.variants})
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--arch", action="append", choices=archs, help="try these alone again")
    asked = parser.parse_args().arch
    text = JSON.read_text(encoding="utf-8") if asked and JSON.is_file() else None
    known = {} if text is None else read(every, text)
    before = {} if text is None else json.loads(text)["cpu_seconds"]
    results, seconds = tried(every, known, asked or archs)
    seconds = {**before, **seconds}
    JSON.write_text(written(every, results, seconds), encoding="utf-8")
    PAGE.write_text(page(every, results, seconds), encoding="utf-8")
    print(json.dumps(counts(every, results), indent=2))


def _toml(value: str | bool) -> str:
    return json.dumps(value) if isinstance(value, bool) else value


if __name__ == "__main__":
    main()
