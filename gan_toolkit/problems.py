"""Pydantic's errors in our words: the key as the user writes it, what is wrong, what exists."""

from __future__ import annotations

import copy
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeGuard, Union

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gan_toolkit.errors import did_you_mean

Item = Mapping[str, Any]
"""One of pydantic's error details. Any: its own type."""
LONGEST_VALUE = 60
"""Characters of a wrong value that are repeated to the user."""


def sentences(cls: type[BaseModel], items: Iterable[Item], where: str) -> list[str]:
    """Return one sentence for every error of `cls`, each with its full key below `where`."""
    return [
        sentence
        for item in items
        if not _is_unmeant_branch(item)
        for sentence in _told(item, _place(cls, item["loc"]), where)
    ]


def sound(
    cls: type[BaseModel], items: Iterable[Item], values: Mapping[str, object]
) -> dict[str, Any]:  # Any: TOML nests freely
    """Return the values without those that errors are about."""
    kept = copy.deepcopy(dict(values))
    for item in items:
        keys = _place(cls, item["loc"]).keys
        *path, last = keys[:-1] if item["type"] == "missing" and len(keys) > 1 else keys
        table: Any = kept  # Any: as above
        for step in path:
            table = table.get(step) if isinstance(table, dict) else None
        if isinstance(table, dict):
            table.pop(last, None)
    return kept


def branches(annotation: object) -> list[Any]:  # Any: whatever can stand in an annotation
    """Return the types that an annotation allows, none left out: `int | None` is one branch."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return branches(args[0])
    if origin in {Union, types.UnionType}:
        return [branch for arg in args for branch in branches(arg)]
    return [] if annotation in {None, types.NoneType} else [annotation]


def is_model(annotation: object) -> TypeGuard[type[BaseModel]]:
    """Return whether an annotation is options itself."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


class _Place(NamedTuple):
    """Where an error is: the user's keys, the options beside the last, its field and type."""

    keys: list[str]
    siblings: list[str]
    field: FieldInfo | None
    annotation: object


def _place(cls: type[BaseModel], loc: Iterable[int | str]) -> _Place:
    place = _Place([], [], None, cls)
    for part in loc:
        choices = branches(place.annotation)
        if len(choices) > 1:  # pydantic names the branch of a union; the user never wrote it
            chosen = next((c for c in choices if _is_called(c, str(part))), None)
            place = place._replace(annotation=chosen)
            continue
        keys, inner = [*place.keys, str(part)], choices[0] if choices else None
        if is_model(inner):
            field = inner.model_fields.get(str(part))
            below = field.annotation if field else None
            place = _Place(keys, list(inner.model_fields), field, below)
        else:
            args = typing.get_args(inner) or (None,)
            below = args[-1] if typing.get_origin(inner) is dict else args[0]
            place = _Place(keys, [], None, below)
    return place


def _told(item: Item, place: _Place, where: str) -> list[str]:
    key = ".".join(filter(None, [where, *place.keys]))
    message = str(item["msg"]).removeprefix("Value error, ")
    match item["type"]:
        case "extra_forbidden":
            choices = f" It has: {', '.join(place.siblings)}." if place.siblings else ""
            near = did_you_mean(place.keys[-1], place.siblings)
            return [f"{key}: no such option.{near or choices}"]
        case "missing":
            return [f"{key}: this is required."]
        case "value_error":
            return [f"{key}: {line}." if key else f"{line}." for line in message.splitlines()]
        case "union_tag_invalid":
            asked, known = item["ctx"]["tag"], _tags(place.annotation)
            choices = f"It is one of: {', '.join(known)}."
            return [f"{key}.name: no '{asked}'.{did_you_mean(asked, known)} {choices}"]
        case "model_type" | "model_attributes_type" | "dict_type":
            message = "must be a table"
        case "tuple_type":
            message = "must be an array, [ … ]"
        case "too_short":
            message = "must not be empty"
        case "string_pattern_mismatch" if place.field is not None:
            message = f"must be {place.field.description}"
        case _:
            message = message.replace("Input should", "must")
    value = repr(item["input"])
    shown = value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}…"
    return [f"{key}: {message}, got {shown}."]


def _is_unmeant_branch(item: Item) -> bool:
    """Return whether an error is about that side of "number or table" which was not meant."""
    branch, is_table = str(item["loc"][-1:]), isinstance(item["input"], Mapping)
    if item["type"] == "float_type":
        return is_table and "'float'" in branch
    return item["type"] == "model_type" and not is_table and "Schedule]" in branch


def _is_called(branch: object, part: str) -> bool:
    name = getattr(branch, "__name__", "")
    return part == name or (is_model(branch) and (part in _tags(branch) or f"{name}]" in part))


def _tags(annotation: object) -> list[str]:
    """Return the names by which the options in a union are told apart."""
    models = filter(is_model, branches(annotation))
    fields = [model.model_fields.get("name") for model in models]
    return [
        str(tag)
        for field in fields
        if field and typing.get_origin(field.annotation) is Literal
        for tag in typing.get_args(field.annotation)
    ]
