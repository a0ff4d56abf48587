"""Validated, frozen options: the one source for recipes, CLI help, `config.json` and reference."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from gan_toolkit.problems import branches, is_model, sentences, sound

__all__ = [
    "Factor",
    "Field",
    "OptionInfo",
    "Options",
    "Schedule",
    "Scheduled",
    "options_of",
    "validate",
]

AnyOptions = TypeVar("AnyOptions", bound="Options")

LOCAL: dict[str, Any] = {"local": True}  # Any: pydantic's own type for json_schema_extra
"""Mark for a field that says where, not what: it never leaves the machine (paths, devices)."""
HARMLESS: dict[str, Any] = {"harmless": True}  # Any: as above
"""Mark for a field that may change when a run is resumed: it does not touch the numbers."""


class Options(BaseModel):
    """Base of everything a user can set: frozen, keyword-only, unknown keys refused.

    Values are taken as typed, with no guessing: `"64"` is not a number. A TOML array fills a tuple.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _arrays_are_tuples(cls, values: object) -> object:
        return _tuples(values) if isinstance(values, Mapping) else values

    def plain(self, *, defaults: bool = True) -> dict[str, Any]:  # Any: TOML values
        """Return the options as TOML values; what is none is left out, and defaults if asked."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=not defaults)


class Schedule(Options):
    """A number that changes over the run.

    Holds `start` until `begin`, moves to `end` by `finish`, holds it after. `begin` and `finish`
    are fractions of the planned run; past its planned end a run keeps `end`.
    """

    start: float = Field(description="value at the start of the run")
    end: float = Field(description="value at the end of the run")
    shape: Literal["linear", "cosine", "exponential"] = Field(
        "cosine",
        description="how it moves between them; exponential, both above 0: by one factor each step",
    )
    begin: float = Field(0.0, ge=0, le=1, description="fraction of the run where the move begins")
    finish: float = Field(1.0, ge=0, le=1, description="fraction of the run where the move ends")

    @model_validator(mode="after")
    def _begins_before_it_finishes(self) -> Schedule:
        if self.begin >= self.finish:
            raise ValueError(f"begin ({self.begin}) must lie before finish ({self.finish})")
        return self

    @model_validator(mode="after")
    def _stays_above_0_where_it_is_exponential(self) -> Schedule:
        if self.shape == "exponential" and min(self.start, self.end) <= 0:
            raise ValueError(
                f"an exponential schedule needs start ({self.start}) and end ({self.end}) above 0;"
                " a linear or cosine one may reach it"
            )
        return self

    def at(self, fraction: float) -> float:
        """Return the value at a `fraction` of the planned run."""
        import math

        moved = min(max((fraction - self.begin) / (self.finish - self.begin), 0.0), 1.0)
        if self.shape == "exponential":
            return math.pow(self.start, 1 - moved) * math.pow(self.end, moved)
        if self.shape == "cosine":
            moved = (1 - math.cos(math.pi * moved)) / 2
        return self.start + (self.end - self.start) * moved


Scheduled = float | Schedule
"""A number, or a table `{start, end, shape, begin, finish}`."""


def _not_negative(given: Scheduled) -> Scheduled:
    ends = (given.start, given.end) if isinstance(given, Schedule) else (given,)
    if min(ends) < 0:
        raise ValueError("it must not be negative")
    return given


Factor = Annotated[Scheduled, AfterValidator(_not_negative)]
"""A scheduled number that is never negative: a rate, what a penalty is multiplied by."""


class OptionInfo(typing.NamedTuple):
    """One option as `gantk show` and the reference print it."""

    name: str
    type: str
    default: str
    limits: str
    help: str


def validate(
    cls: type[AnyOptions], values: Mapping[str, object], *, where: str, problems: list[str]
) -> AnyOptions | None:
    """Return `cls(**values)`, or None after adding every problem, each with its full key."""
    try:
        return cls.model_validate(dict(values))
    except ValidationError as error:
        found = error.errors(include_url=False)
    problems += sentences(cls, found, where)
    if all(item["loc"] for item in found):  # what fields say of each other is not yet looked at
        try:
            cls.model_validate(sound(cls, found, values))
        except ValidationError as error:
            between = [item for item in error.errors(include_url=False) if not item["loc"]]
            problems += sentences(cls, between, where)
    return None


def options_of(cls: type[Options]) -> list[OptionInfo]:
    """Return what a user can set on `cls`, in the order it is declared."""
    return [
        OptionInfo(
            name=name,
            type=_type_name(field.annotation),
            default="required" if field.is_required() else _shown(field),
            limits=_limits(field),
            help=field.description or "",
        )
        for name, field in cls.model_fields.items()
    ]


def marked(field: FieldInfo, mark: Mapping[str, object]) -> bool:
    """Return whether `field` carries `LOCAL` or `HARMLESS`."""
    extra = field.json_schema_extra
    return isinstance(extra, Mapping) and all(extra.get(key) == mark[key] for key in mark)


def marked_keys(cls: type[BaseModel], mark: Mapping[str, object]) -> Iterator[str]:
    """Yield the dotted keys of fields that carry `mark`, those of nested options too."""
    for name, field in cls.model_fields.items():
        inner = branches(field.annotation)
        if marked(field, mark):
            yield name
        elif len(inner) == 1 and is_model(inner[0]):
            yield from (f"{name}.{key}" for key in marked_keys(inner[0], mark))


def without(options: Options, mark: Mapping[str, object]) -> dict[str, Any]:  # Any: TOML values
    """Return the options as plain values, all fields that carry `mark` left out at any depth."""
    values = options.plain()
    for name, field in type(options).model_fields.items():
        inner = getattr(options, name)
        if marked(field, mark):
            values.pop(name, None)
        elif isinstance(inner, Options):
            values[name] = without(inner, mark)
    return values


def _tuples(value: object) -> Any:  # Any: mirrors whatever the TOML held
    if isinstance(value, Mapping):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_tuples(item) for item in value)
    return value


def _type_name(annotation: object) -> str:
    if annotation is type(None):
        return "none"
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _type_name(args[0])
    if origin is Literal:
        return " | ".join(repr(arg) for arg in args)
    if origin in {Union, types.UnionType}:
        return " | ".join(_type_name(arg) for arg in args)
    if origin is not None:
        inner = ", ".join("…" if arg is Ellipsis else _type_name(arg) for arg in args)
        return f"{getattr(origin, '__name__', origin)}[{inner}]"
    return getattr(annotation, "__name__", str(annotation))


def _shown(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, Options):
        return str(default.model_dump(mode="json", exclude_none=True))
    return "none" if default is None else str(default)


def _limits(field: FieldInfo) -> str:
    words = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "multiple of"}
    return ", ".join(
        f"{sign} {getattr(rule, attribute)}"
        for rule in field.metadata
        for attribute, sign in words.items()
        if getattr(rule, attribute, None) is not None
    )
