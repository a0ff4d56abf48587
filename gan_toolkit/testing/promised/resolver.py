"""What a resolver promises."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from gan_toolkit import bundle
from gan_toolkit.data import silent
from gan_toolkit.errors import BundleError, UsageError
from gan_toolkit.references import Resolver
from gan_toolkit.testing.promises import Broken, NotMade, Subject, promise
from gan_toolkit.testing.stages.scene import default
from gan_toolkit.testing.stages.surroundings import is_sentence, offline

NOBODYS = (
    "",
    " ",
    "no such model",
    "./no/such/folder",
    "/no/such/file.safetensors",
    "C:\\no\\such\\folder",
    "a\0b",
    "modèle" * 1000,
)
"""References that are no form of any resolver's: slips, paths, nonsense."""
FORMS = (
    "no-such-model-{}",
    "no-such-owner/no-such-model-{}",
    "no-such-owner/no-such-model-{}@no-such-revision",
    "{}://no-such-owner/no-such-model",
    "https://no-such-host.invalid/no-such-model-{}",
)
"""References that may be one of its own, of models that are nowhere."""


@promise("resolver")
def it_says_which_references_it_answers(it: Subject) -> None:
    """`forms` says in a few words which references it answers.

    The message about an unknown model lists them, after "A model is a run folder, a bundle folder,
    …". Continue that sentence: `owner/repo on …`.
    """
    forms = getattr(it.load(), "forms", "")
    if not forms.strip() or "\n" in forms or forms.rstrip().endswith("."):
        raise Broken(f"forms is {forms!r}")


@promise("resolver")
def what_is_not_its_own_is_none(it: Subject) -> None:
    """A reference that is none of its own gives None.

    Resolvers are asked in turn, and paths that do not exist come to all of them. Match the whole
    reference against your form before anything else.
    """
    for reference in NOBODYS:
        found = _resolved(it, reference)
        if found is not None:
            raise Broken(f"it takes {reference[:40]!r} for {str(found)!r}")


@promise("resolver")
def what_it_cannot_have_is_a_bundle_error(it: Subject) -> None:
    """A reference of its own that leads to no bundle raises a `BundleError` that is a sentence.

    A `UsageError` may say that the form is wrong. Catch what your client raises, name the
    reference, and say what to type next.
    """
    for form in FORMS:
        reference = form.format(it.component.name if it.component else "")
        try:
            found = _resolved(it, reference)
        except (BundleError, UsageError) as error:
            if not is_sentence(str(error)):
                raise Broken(f"of {reference!r} it says {str(error)!r}") from error
        else:
            if found is not None and not _holds_bundle(found):
                raise Broken(f"it takes {reference!r} for {str(found)!r}, which holds no bundle")


@promise("resolver")
def offline_it_asks_nobody(it: Subject) -> None:
    """With `offline` it opens no connection, whatever the reference.

    `--offline` is a promise to users, on trains and behind walls. Look into your cache alone, and
    raise `BundleError` for what it does not hold.
    """
    resolver = _resolver(it)
    for reference in (*NOBODYS, *(form.format("none") for form in FORMS)):
        with offline() as asked, suppress(BundleError, UsageError):
            resolver.resolve(reference, offline=True, progress=silent)
        if asked:
            raise Broken(f"for {reference!r} it asks {asked[0]}")


@promise("resolver")
def what_it_knows_it_resolves(it: Subject) -> None:
    """Every reference that `known` returns resolves offline, to a bundle that is there.

    They are offered as "Did you mean …?". List what needs no network, and nothing else.
    """
    known = list(_resolver(it).known())
    if not known:
        raise NotMade("it knows of none")
    for reference in known:
        found = _resolved(it, reference)
        if found is None or not _holds_bundle(found):
            raise Broken(f"{reference!r} gives {None if found is None else str(found)!r}")


def _resolver(it: Subject) -> Resolver:
    return default(it, Resolver)


def _resolved(it: Subject, reference: str) -> Path | None:
    with offline():
        return _resolver(it).resolve(reference, offline=True, progress=silent)


def _holds_bundle(path: Path) -> bool:
    try:
        return bundle.locate(path).is_file()
    except BundleError:
        return False
