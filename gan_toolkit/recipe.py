"""The recipe: all that decides a run's numbers, validated and frozen, nothing left to default."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BeforeValidator, model_validator

from gan_toolkit.architecture import Architecture
from gan_toolkit.augmentation import Augmentation
from gan_toolkit.data import DataSet
from gan_toolkit.errors import did_you_mean
from gan_toolkit.optimisers import SGD, Adam, RMSProp
from gan_toolkit.options import HARMLESS, LOCAL, Field, Options, marked_keys, without
from gan_toolkit.play import Role
from gan_toolkit.terms import Term

Values = dict[str, Any]
"""Plain TOML values. Any: TOML nests freely."""
Precision = Literal["auto", "fp32", "tf32", "bf16"]
EngineName = Literal["auto", "eager", "compiled", "captured"]
LENGTHS = ("steps", "kimg", "planned_steps")
"""Keys that say how long a run is; a new one replaces them all."""


def _adam_unless_named(values: object) -> object:
    return {"name": "adam", **values} if isinstance(values, Mapping) else values


Optimiser = Annotated[
    Annotated[Adam | RMSProp | SGD, Field(discriminator="name")],
    BeforeValidator(_adam_unless_named),
]


class Update(Options):
    """One move of a step: whose weights change, by which terms, with which optimiser."""

    networks: tuple[str, ...] = Field(min_length=1, description="networks this update changes")
    role: Role = Field(description="the player whose side of each term is taken")
    terms: tuple[str, ...] | None = Field(
        None, description="terms, or `term.part` for one part; every term when left out"
    )
    optimiser: Optimiser = Field(Adam(), description="optimiser and its learning rate")
    rates: dict[str, float] = Field({}, description="learning-rate factor of a network, else 1")
    times: int = Field(1, ge=1, description="repetitions a step, each after the first on new reals")
    starts_at: int = Field(0, ge=0, description="first step that makes this update")
    fresh_reals: bool = Field(False, description="draw new reals instead of taking the last ones")
    fresh_fakes: bool = Field(
        True, description="make new fakes instead of learning from those of D's update before"
    )

    def takes(self, term: str) -> bool:
        """Return whether a term, or a part of it, is among this update's."""
        return self.terms is None or term in {asked.partition(".")[0] for asked in self.terms}

    def parts(self, term: str) -> frozenset[str] | None:
        """Return which parts of a term this update takes, none when it takes them all."""
        if self.terms is None or term in self.terms:
            return None
        split = [asked.partition(".") for asked in self.terms]
        return frozenset(part for name, _, part in split if name == term)

    def unknown_part(self, name: str, term: str, known: Collection[str]) -> str:
        """Return what is wrong with the parts of a term that the update `name` takes, or nothing.

        `known` are the parts that the term has for this player.
        """
        strange = sorted((self.parts(term) or frozenset()) - set(known))
        if not strange:
            return ""
        return (
            f"updates.{name}.terms: '{term}' has no part '{strange[0]}' for the "
            f"{self.role}.{did_you_mean(strange[0], known)} It has: {', '.join(sorted(known))}."
        )


class Ema(Options):
    """Exponential moving average of weights; what is sampled and exported."""

    half_life_kimg: float = Field(10.0, ge=0, description="half-life in kimg; 0 keeps no average")
    ramp: float = Field(
        0.05, ge=0, description="half-life is at most this share of the images seen; 0: no ramp"
    )

    def weight(self, nimg: int, new: int) -> float:
        """Return how far the average moves to the weights when `new` images make `nimg`."""
        half_life = self.half_life_kimg * 1000
        if self.ramp:
            half_life = min(half_life, nimg * self.ramp)
        return 1.0 if half_life <= 0 else 1.0 - 0.5 ** (new / half_life)


class Compute(Options):
    """How and where the arithmetic is done; recorded, so that a resumed run repeats it."""

    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="auto, cpu, cuda, cuda:N or mps",
        json_schema_extra=LOCAL,
    )
    precision: Precision = Field(
        "auto",
        description="bf16: networks in bfloat16 autocast, penalties and losses in float32; "
        "tf32: products in TensorFloat-32; auto: tf32 where there is such a GPU, else fp32",
    )
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="CPU threads; 0 takes torch's default, or 1 where that is no slower",
        json_schema_extra=LOCAL,
    )
    engine: EngineName = Field(
        "auto",
        description="eager: operation by operation; compiled, captured: one program of a step, of "
        "machine code or, on a GPU, of recorded operations; auto: what pays",
        json_schema_extra=LOCAL,
    )
    batch_norm: Literal["local", "synchronised"] = Field(
        "local",
        description="with several processes, over whose rows batch norm takes its statistics: "
        "each one's own, or those of all",
        json_schema_extra=LOCAL,
    )
    channels_last: bool = Field(
        False,
        description="keep convolutions' weights with the channels last: faster in wide networks",
        json_schema_extra=LOCAL,
    )
    deterministic: bool = Field(
        True,
        description="refuse operations whose bits may change from run to run",
        json_schema_extra=LOCAL,
    )


class Evaluation(Options):
    """Scores taken while training, of the averaged weights; they change nothing in the run."""

    every: int = Field(
        0, ge=0, description="steps between evaluations; 0: none", json_schema_extra=HARMLESS
    )
    n: int = Field(
        2048, ge=2, le=1_000_000, description="samples of each", json_schema_extra=HARMLESS
    )
    metrics: tuple[str, ...] = Field(
        (),
        description="registry names; none: the first that fits and is meant to be watched",
        json_schema_extra=HARMLESS,
    )
    best_by: str | None = Field(
        None,
        description="score that decides which weights RUN/best holds; none: the first",
        json_schema_extra=HARMLESS,
    )
    patience: int = Field(
        0,
        ge=0,
        description="evaluations without a better one after which a run stops; 0: never",
        json_schema_extra=HARMLESS,
    )


class Plan(Options):
    """What a recipe says beside its components."""

    updates: dict[str, Update] = Field(min_length=1, description="the moves of a step, in order")
    batch: int = Field(64, ge=2, le=65536, description="real images in a batch")
    accumulate: int = Field(1, ge=1, description="micro-batches that a batch is split into")
    steps: int | None = Field(None, ge=1, description="length of the run in steps")
    kimg: float | None = Field(None, gt=0, description="length in thousands of real images instead")
    planned_steps: int | None = Field(
        None, ge=1, description="steps that schedules span; stays when a run is extended"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="decides every draw of the run")
    init_from: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="SHA-256 of the weights that the run began with"
    )
    fake_labels: Literal["data", "uniform"] = Field(
        "data", description="labels of fakes: those of the real batch, or all classes as likely"
    )
    ema: Ema = Field(Ema(), description="averaged weights")
    compute: Compute = Field(Compute(), description="device, precision, threads")
    log_every: int = Field(50, ge=1, description="steps between rows of metrics.jsonl")
    sample_every: int = Field(
        500, ge=1, description="steps between sample grids", json_schema_extra=HARMLESS
    )
    checkpoint_every: int = Field(
        500, ge=1, description="steps between checkpoints", json_schema_extra=HARMLESS
    )
    evaluation: Evaluation = Field(Evaluation(), description="scores while training")
    stop_on: tuple[str, ...] = Field(
        (),
        description="what the doctor must find for the run to stop: broken, worrying or findings",
        json_schema_extra=HARMLESS,
    )
    keep: int = Field(3, ge=1, description="checkpoints kept", json_schema_extra=HARMLESS)

    @model_validator(mode="after")
    def _does_not_contradict_itself(self) -> Plan:
        wrong = []
        if self.steps is not None and self.kimg is not None:
            wrong.append(f"steps = {self.steps} and kimg = {self.kimg:g} both give the length")
        if self.batch % self.accumulate:
            wrong.append(f"batch = {self.batch} is no multiple of accumulate = {self.accumulate}")
        before: Update | None = None
        for name, update in self.updates.items():
            if not update.fresh_fakes:
                wrong += _why_not_those_of(before, name, update)
            before = update
            if strangers := set(update.rates) - set(update.networks):
                wrong.append(
                    f"updates.{name}.rates names {', '.join(sorted(strangers))}, "
                    "which that update does not change"
                )
            if update.starts_at >= self.length:
                wrong.append(
                    f"updates.{name}.starts_at = {update.starts_at} lies beyond the last step, "
                    f"{self.length}"
                )
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    @property
    def reals_per_step(self) -> int:
        """Real images a full step draws."""
        repeated = sum(update.times - 1 + update.fresh_reals for update in self.updates.values())
        first_is_fresh = next(iter(self.updates.values())).fresh_reals
        return self.batch * (repeated + (0 if first_is_fresh else 1))

    @property
    def length(self) -> int:
        """The length of the run in steps."""
        if self.steps is not None:
            return self.steps
        images = 1000 * (self.kimg if self.kimg is not None else 640)
        return max(1, round(images / self.reals_per_step))

    @property
    def span(self) -> int:
        """Steps that schedules stretch over."""
        return self.planned_steps or self.length


def _why_not_those_of(before: Update | None, name: str, update: Update) -> list[str]:
    """Return why an update cannot learn from the fakes of the one before it."""
    asked = f"updates.{name}.fresh_fakes = false"
    if before is None:
        return [f"{asked}, but no update before it makes fakes: leave that option out"]
    if update.times > 1:
        return [f"{asked} needs times = 1, as a repetition's fakes are old after the first"]
    if (before.role, update.role) != ("discriminator", "generator"):
        return [f"{asked} is for a generator's update after a discriminator's: leave it out"]
    if both := set(before.networks) & set(update.networks):
        names = ", ".join(sorted(both))
        return [f"{asked}, but the update before changes {names} too: leave that option out"]
    if update.fresh_reals:
        return [f"{asked} needs fresh_reals = false, as fakes go with the reals of their making"]
    return []


@dataclass(frozen=True)
class Recipe:
    """A plan with its components built."""

    names: Mapping[str, str]
    """Registry name of each component by place: `arch`, `data`, `augmentation`, `terms.NAME`."""
    arch: Architecture
    data: DataSet
    terms: Mapping[str, Term]
    plan: Plan
    augmentation: Augmentation | None = None

    def values(self, *, exported: bool = False, defaults: bool = True) -> Values:
        """Return the recipe as TOML values.

        `exported` leaves out what belongs to this machine, no `defaults` what nobody chose.
        """

        def plain(options: Options) -> Values:
            return without(options, LOCAL) if exported else options.plain(defaults=defaults)

        def table(place: str, options: Options) -> Values:
            return {"name": self.names[place], **plain(options)}

        augmentation = self.augmentation
        return {
            "arch": table("arch", self.arch),
            "data": table("data", self.data),
            **({"augmentation": table("augmentation", augmentation)} if augmentation else {}),
            "terms": {name: table(f"terms.{name}", term) for name, term in self.terms.items()},
            **plain(self.plan),
        }

    def terms_of(self, update: Update) -> dict[str, Term]:
        """Return the terms that an update takes, by name."""
        return {
            name: term
            for name, term in self.terms.items()
            if update.role in term.roles and update.takes(name)
        }

    def executed_by(self, engine: EngineName) -> Recipe:
        """Return the recipe with its engine decided."""
        compute = self.plan.compute.model_copy(update={"engine": engine})
        return replace(self, plan=self.plan.model_copy(update={"compute": compute}))

    def toml(self, *, exported: bool = False) -> str:
        """Return the recipe as a TOML document that `--recipe` accepts."""
        return tomli_w.dumps(self.values(exported=exported))


def differences(old: Values, new: Recipe) -> tuple[list[str], list[str]]:
    """Return the changed keys as sentences: those that change a run's numbers, and harmless ones.

    Harmless are how often things are written, and what names this machine only; another length
    extends a run and is no difference.
    """
    harmless_keys = {
        prefix + key
        for prefix, cls in (("", Plan), ("data.", type(new.data)))
        for mark in (HARMLESS, LOCAL)
        for key in marked_keys(cls, mark)
    }
    grave: list[str] = []
    harmless: list[str] = []
    before, after = flat(old), flat(new.values())
    known = before.keys() | flat(new.values(defaults=False)).keys()  # without a later version's
    for key in sorted(known):
        if before.get(key) == after.get(key) or key in {"steps", "kimg"}:
            continue
        sentence = f"{key}: {before.get(key, 'unset')!r} → {after.get(key, 'unset')!r}"
        (harmless if key in harmless_keys else grave).append(sentence)
    if list(old["updates"]) != list(new.plan.updates):
        grave.append(f"updates: order {list(old['updates'])} → {list(new.plan.updates)}")
    return grave, harmless


def flat(values: Mapping[str, Any], prefix: str = "") -> Values:  # Any: TOML nests freely
    """Return nested values by dotted key."""
    found: Values = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
