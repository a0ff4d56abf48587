"""What a reference to a model means: a path here, or what a resolver makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from gan_toolkit import bundle
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import Progress, silent
from gan_toolkit.errors import BundleError, GantkError, PluginError, did_you_mean
from gan_toolkit.options import Options


class Resolver(Options):
    """Turns a reference that is no path into a local bundle. The plugin kind.

    `forms` says in a few words which references it answers; messages quote it.
    """

    forms: ClassVar[str]

    def resolve(self, reference: str, *, offline: bool, progress: Progress) -> Path | None:
        """Return the bundle that a reference means, None when it is not one of this resolver's.

        `offline` forbids any network. Raises `BundleError` when the reference is one of its own but
        no bundle can be had.
        """
        raise NotImplementedError

    def known(self) -> Iterable[str]:
        """Return the references that it knows of without asking anybody, for suggestions."""
        return ()


def find_model(
    reference: str | Path,
    catalogue: Catalogue,
    *,
    offline: bool = False,
    progress: Progress = silent,
) -> Path:
    """Return the weights file that a reference means. What lies at that path comes first.

    Raises `BundleError` when it is no path and no installed resolver answers.
    """
    if is_here(reference):
        return bundle.locate(reference)
    name = str(reference)
    forms: list[str] = []
    known: list[str] = []
    broken: list[str] = []
    for kind in catalogue.names("resolver"):
        try:
            resolver = _resolver(kind, catalogue)
        except GantkError as error:  # the others may know the name
            broken.append(str(error))
            continue
        found = resolver.resolve(name, offline=offline, progress=progress)
        if found is not None:
            return bundle.locate(found)
        forms.append(resolver.forms)
        known += resolver.known()
    named = "".join(f", {form}" for form in forms)
    told = (
        f"No '{reference}'.{did_you_mean(name, known)} A model is a run folder, a bundle folder, a "
        f".safetensors file{named}."
    )
    raise BundleError(" ".join(filter(None, [told, catalogue.left_out, *broken])))


def _resolver(kind: str, catalogue: Catalogue) -> Resolver:
    """Return a resolver by its name. Raises `PluginError`, or `UsageError` when two claim it."""
    cls = catalogue.load("resolver", kind)
    if not issubclass(cls, Resolver):
        raise PluginError(
            f"The resolver '{kind}' is no Resolver but {cls.__name__}. Tell its plugin's author."
        )
    return cls()


def is_here(reference: str | Path) -> bool:
    """Return whether a reference means a path, which comes before any name."""
    try:
        return isinstance(reference, Path) or Path(reference).exists()
    except (OSError, ValueError):  # no path can be so long, or hold such a character
        return False
