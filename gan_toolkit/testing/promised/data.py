"""What a data set promises."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_toolkit.data import LABEL, SAMPLE, Batch, FieldSpec
from gan_toolkit.errors import DataError
from gan_toolkit.options import validate
from gan_toolkit.streams import stream
from gan_toolkit.testing.promises import Broken, NotMade, Subject, promise
from gan_toolkit.testing.stages.opening import (
    data_set,
    endless,
    hopeless,
    looked_at,
    needed,
    open_now,
    opened,
    opened_again,
    places,
    stored,
)
from gan_toolkit.testing.stages.surroundings import is_sentence, offline

ROUNDING = 1e-5
"""How far beyond its range a normalised number may lie, as a share of the range."""


@promise("data")
def it_says_where_its_data_is(it: Subject) -> None:
    """`probe` says in one line where the data is or would come from, or raises a `DataError`.

    A recipe's list of data sets is gone through with it, before anything is fetched. Look for the
    files, ask a server for no more than its first bytes, and say what to do when there is neither.
    """
    data = data_set(it)
    with offline():
        try:
            said = data.probe(1.0)
        except DataError as error:
            _require_sentence(error)
            return
    if not said.strip() or "\n" in said:
        raise Broken(f"it said {said!r}")


@promise("data")
def it_opens_or_says_why_not(it: Subject) -> None:
    """`open` returns a source, or raises a `DataError` that is a sentence and says what to do.

    Data is moved, servers are down, disks are full; a traceback tells nobody what to type. Catch
    what your libraries raise, and end the message with what helps: a path, a command, a package.
    """
    try:
        open_now(it)
    except DataError as error:
        _require_sentence(error)


@promise("data")
def what_is_not_there_is_told_in_a_sentence(it: Subject) -> None:
    """A path or a name that leads nowhere is a refused option, or a `DataError` of a sentence.

    They are mistyped every day. Say what was asked for and what exists; an empty folder and a torn
    file are no data either.
    """
    names = needed(it)
    if not names:
        raise NotMade("it asks for no path and no name")
    with offline(), hopeless() as nowhere:
        for place in nowhere:
            data = validate(it.load(), dict.fromkeys(names, place), where="", problems=[])
            if data is None:
                continue
            try:
                data.open()
            except DataError as error:
                _require_sentence(error)
            else:
                raise Broken(f"it opened {place!r}, which holds no data")


@promise("data")
def its_licence_and_its_source_are_named(it: Subject) -> None:
    """The licence of the data and where it comes from are named.

    Model cards and receipts quote them; data of unknown licence cannot be published with. Set the
    class variables `licence` and `source`, or put them into the spec. Who opens users' own files
    need not.
    """
    assert it.component is not None
    if it.component.opens_paths:
        raise NotMade("it opens the user's own files")
    cls = it.load()
    silent = [name for name in ("licence", "source") if not getattr(cls, name, "")]
    if silent and not needed(it):
        silent = [name for name in silent if not getattr(opened(it).spec, name)]
    if silent:
        raise Broken(f"it names no {' and no '.join(silent)}")


@promise("data")
def its_spec_names_it(it: Subject) -> None:
    """The spec carries the registry name and a fingerprint, and a field called `sample`.

    Receipts name the data by both, and a resumed run is refused when the fingerprint has changed.
    Give the SHA-256 of the stored content, that of the options where rows are drawn by formula.
    """
    assert it.component is not None
    spec = opened(it).spec
    if spec.name != it.component.name:
        raise Broken(f"spec.name is {spec.name!r}")
    if not spec.fingerprint:
        raise Broken("spec.fingerprint is empty")
    if SAMPLE not in spec.fields:
        raise Broken(f"its fields are {', '.join(spec.fields)}")


@promise("data")
def every_row_of_its_length_is_there(it: Subject) -> None:
    """The first row can be read, and so can that before `spec.length`.

    An epoch goes through all of them; one that is missing ends the run in the middle of the night.
    Count what is stored, after damaged rows were left out.
    """
    spec, source = opened(it).spec, stored(it)
    assert spec.length is not None
    if spec.length < 1:
        raise Broken(f"spec.length is {spec.length}")
    for place in (0, spec.length - 1):
        try:
            source.gather(torch.tensor([place]))
        except IndexError as error:
            raise Broken(f"row {place} of {spec.length}: {error}") from error


@promise("data")
def its_rows_have_the_shapes_of_its_spec(it: Subject) -> None:
    """Rows have the fields of the spec, all of them and no other, each in the shape it names.

    Networks are built from the spec before a row is seen. Return tensors [N, *shape], a label as
    [N].
    """
    source = opened(it)
    rows, fields = looked_at(source), source.spec.fields
    if rows.keys() != fields.keys():
        raise Broken(f"the spec has {', '.join(fields)}; rows have {', '.join(rows)}")
    n = len(places(source.spec))
    for name, field in fields.items():
        if rows[name].shape != (n, *field.shape):
            raise Broken(f"{n} rows of '{name}', {list(field.shape)}, are {list(rows[name].shape)}")


@promise("data")
def its_numbers_lie_in_their_range(it: Subject) -> None:
    """Numbers are uint8 or float32, finite, and once normalised within `low` … `high`.

    Networks are made for that range, and scores bring samples back from it. Store bounded numbers
    as uint8 0 … 255 or as floats -1 … 1, whatever `low` and `high` are; unbounded ones as floats.
    """
    source = opened(it)
    rows = looked_at(source)
    for name, field in source.spec.fields.items():
        if not _is_label(name, field):
            _require_type(name, field, rows[name])
            _require_range(name, field, rows[name])


@promise("data")
def its_labels_are_numbers_of_its_classes(it: Subject) -> None:
    """Labels are int64, from 0 to one less than the number of classes.

    They index embeddings and heads: one too large ends a run on a GPU without a word of sense.
    Number the classes in the order in which the spec names them.
    """
    source = opened(it)
    labels = {name: f for name, f in source.spec.fields.items() if _is_label(name, f)}
    if not labels:
        raise NotMade("it has no labels")
    rows = looked_at(source)
    for name, field in labels.items():
        found = rows[name]
        if found.dtype is not torch.int64:
            raise Broken(f"'{name}' is {found.dtype}")
        most = len(field.classes) - 1 if field.classes else int(found.max())
        if found.min() < 0 or found.max() > most:
            raise Broken(f"'{name}' holds {found.min()} … {found.max()}; classes are 0 … {most}")


@promise("data")
def gathering_twice_gives_the_same_bits(it: Subject) -> None:
    """The same indices give the same rows.

    A resumed run must see what the first one saw. Leave cropping, flipping and noise to
    augmentations, whose draws have keys; store mirrored images as rows of their own.
    """
    source = stored(it)
    indices = places(source.spec)
    _require_same(source.gather(indices), source.gather(indices), "gathered twice")


@promise("data")
def endless_rows_come_from_their_generator(it: Subject) -> None:
    """Rows that are drawn afresh depend on the generator that is handed in, and on nothing else.

    The batch of a step is keyed by seed and step, so that a resumed run draws the same. Hand the
    generator to every function of torch that draws, and leave numpy's and Python's alone.
    """
    source = endless(it)
    before = torch.get_rng_state()
    first = source.draw(64, stream(0, "draw"))
    if not torch.equal(before, torch.get_rng_state()):
        raise Broken("drawing moves torch's global generator")
    torch.rand(1)
    _require_same(first, source.draw(64, stream(0, "draw")), "drawn twice with one seed")


@promise("data")
def endless_rows_never_repeat(it: Subject) -> None:
    """Two halves of what one generator gives differ, and so do the draws of two seeds.

    A batch of one sample again and again teaches nothing. Do not seed a generator in `draw`.
    """
    source = endless(it)
    generator = stream(0, "draw")
    first, second = (source.draw(64, generator)[SAMPLE] for _ in range(2))
    other = source.draw(64, stream(1, "draw"))[SAMPLE]
    if torch.equal(first, second):
        raise Broken("a second draw from one generator repeats the first")
    if torch.equal(first, other):
        raise Broken("another seed draws the same")


@promise("data")
def opening_twice_gives_the_same_data(it: Subject) -> None:
    """Opened again, the data has the same spec, fingerprint included, and the same rows.

    Otherwise no run can be resumed and no score repeated. Sort what the file system lists, and
    draw from a stream of your own seed.
    """
    first, second = opened(it), opened_again(it)
    if first.spec != second.spec:
        names = [name for name, value in first.spec if value != getattr(second.spec, name)]
        raise Broken(f"opened twice it differs in {', '.join(names)}")
    _require_same(looked_at(first), looked_at(second), "opened twice")


@promise("data")
def a_row_depends_on_its_index_alone(it: Subject) -> None:
    """Rows do not depend on what is gathered with them: any order, repeats, none at all.

    Processes that share a batch gather their part of it, and a feature is computed once for rows
    that are read in other chunks later. Index stored tensors; keep no cursor.
    """
    source = stored(it)
    indices = places(source.spec)
    whole, half = source.gather(indices), len(indices) // 2
    order = torch.cat([indices[half:], indices.flip(0), indices[:half]])
    expected = {
        name: torch.cat([rows[half:], rows.flip(0), rows[:half]]) for name, rows in whole.items()
    }
    _require_same(source.gather(order), expected, "gathered in another order")
    none = {name: rows[:0] for name, rows in whole.items()}
    _require_same(source.gather(indices[:0]), none, "an empty index")


@promise("data")
def a_batch_is_a_copy(it: Subject) -> None:
    """Gathered rows share no memory with what is stored, nor with those gathered before.

    What is done to a batch must not reach the data. Indexing with a tensor copies; slices and
    views do not.
    """
    source = opened(it)
    batches = looked_at(source), looked_at(source)
    for name, rows in batches[0].items():
        first, second = (batch[name].untyped_storage().data_ptr() for batch in batches)
        if rows.numel() and first == second:
            raise Broken(f"'{name}' of two batches lies in the same memory")


def _is_label(name: str, field: FieldSpec) -> bool:
    return name == LABEL or bool(field.classes)


def _require_type(name: str, field: FieldSpec, rows: Tensor) -> None:
    if (field.low is None) != (field.high is None):
        raise Broken(f"'{name}' is bounded on one side only")
    bounded = field.low is not None
    if rows.dtype is not torch.float32 and not (bounded and rows.dtype is torch.uint8):
        raise Broken(f"'{name}', {'bounded' if bounded else 'unbounded'}, is {rows.dtype}")
    if not rows.isfinite().all():
        raise Broken(f"'{name}' holds NaN or infinity")


def _require_range(name: str, field: FieldSpec, rows: Tensor) -> None:
    if field.low is None or field.high is None:
        return
    seen = field.normalise(rows)
    least, most, slack = float(seen.min()), float(seen.max()), ROUNDING * (field.high - field.low)
    found = f"'{name}' of {field.low:g} … {field.high:g} is {least:g} … {most:g} once normalised"
    if least < field.low - slack or most > field.high + slack:
        raise Broken(found)
    if rows.is_floating_point() and least >= (field.low + field.high) / 2:
        raise Broken(f"{found}: floats {float(rows.min()):g} … {float(rows.max()):g} are stored")


def _require_same(found: Batch, expected: Batch, how: str) -> None:
    for name, rows in expected.items():
        if name not in found or not torch.equal(found[name], rows):
            raise Broken(f"{how}, '{name}' differs")


def _require_sentence(error: DataError) -> None:
    if not is_sentence(str(error)):
        raise Broken(f"{type(error).__name__} says {str(error)!r}")
