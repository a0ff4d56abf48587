"""Which data set a run uses: the one asked for, or the first of a recipe's that can be had."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import DataSet
from gan_toolkit.deadline import within
from gan_toolkit.errors import DataError, UnknownName, UsageError
from gan_toolkit.options import validate
from gan_toolkit.places import place_of
from gan_toolkit.recipe import Values, flat

PROBE_SECONDS = 5.0
"""Time that all data sets of a preference list together may take to say whether they are here."""


def choose_data(
    values: Values,
    asked: str | None,
    catalogue: Catalogue,
    note: Callable[[str], None],
    problems: list[str],
) -> Values:
    """Replace the preference list in `values["data"]` by the one entry to use.

    Returns what its `with` adds to the recipe, by dotted key. An entry that is wrong is left for
    `build` to complain of.
    """
    listed = values.get("data", [])
    entries = listed if isinstance(listed, list) else [listed]
    if asked is not None:
        entries = [_entry_for(asked, entries, catalogue)]
    if not entries:
        raise UsageError(
            "No data: name a data set or a folder of images with --data. "
            "`gantk list data` shows what is installed."
        )
    chosen = entries[0] if len(entries) == 1 else _first_at_hand(entries, catalogue, note)
    values["data"] = chosen
    if not isinstance(chosen, Mapping):
        return {}
    values["data"] = {key: value for key, value in chosen.items() if key != "with"}
    brought = chosen.get("with", {})
    if not isinstance(brought, Mapping):
        problems.append(f"data.with: must be a table, got {brought!r}.")
        return {}
    return flat(brought)


def _entry_for(asked: str, entries: Sequence[object], catalogue: Catalogue) -> Values:
    """Return the entry for a name or a path: the recipe's own, with its options, if it has one."""

    def entry(name: str) -> Values:
        own = (e for e in entries if isinstance(e, Mapping) and e.get("name") == name)
        return dict(next(own, {"name": name}))

    if asked in catalogue.names("data"):
        return entry(asked)
    openers = catalogue.path_openers()
    if openers and (place_of(asked) is not None or any(mark in asked for mark in "/\\.")):
        return {**entry(openers[0]), "path": asked}
    hint = " ".join(filter(None, ["No file or folder has that name either.", catalogue.left_out]))
    raise UnknownName("data", asked, catalogue.names("data"), hint=hint)


def _first_at_hand(
    entries: Sequence[Values], catalogue: Catalogue, note: Callable[[str], None]
) -> Values:
    """Return the first entry whose data is here or can be fetched, or the first that is wrong."""
    deadline = time.monotonic() + PROBE_SECONDS
    passed_over: list[str] = []
    for place, entry in enumerate(entries):
        data = _data_set(entry, catalogue)
        if data is None:
            return entry
        share = (deadline - time.monotonic()) / (len(entries) - place)
        try:
            where = _probed(data, share)
        except DataError as error:
            passed_over.append(f"{entry['name']} was passed over: {error}")
            continue
        note("; ".join([f"Data: {entry['name']}, {where}", *passed_over]))
        return entry
    reasons = "".join(f"\n  - {reason}" for reason in passed_over)
    raise DataError(f"None of the recipe's data sets can be had:{reasons}\nName one with --data.")


def _data_set(entry: object, catalogue: Catalogue) -> DataSet | None:
    """Return the data set that an entry of a preference list names, or None when it is wrong."""
    if not isinstance(entry, Mapping) or entry.get("name") not in catalogue.names("data"):
        return None
    options = {key: value for key, value in entry.items() if key not in {"name", "with"}}
    cls = catalogue.load("data", entry["name"])
    return validate(cls, options, where="", problems=[]) if issubclass(cls, DataSet) else None


def _probed(data: DataSet, seconds: float) -> str:
    """Return what `data.probe` says; one that hangs, in a name lookup say, is given up on."""
    try:
        return within(seconds, lambda: data.probe(seconds))
    except TimeoutError as error:
        raise DataError(f"no answer within {seconds:.1f} s.") from error
