"""Pack a model for publication: a bundle with its card, its scores and its neighbours.

To what `gantk export` writes come metrics.json, neighbours.png and the whole card. What is packed
is a list of names: nothing else of a run, no optimiser, no path, is ever read into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gan_toolkit import evaluation, export, neighbours
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import Progress, silent
from gan_toolkit.errors import BundleError, UsageError
from gan_toolkit.files import new_folder
from gan_toolkit.generator import Generator
from gan_toolkit.pictures import save_png
from gantk_zoo import record
from gantk_zoo.card import Card
from gantk_zoo.fetch import with_record
from gantk_zoo.record import Record

README, NEIGHBOURS = "README.md", "neighbours.png"
FILES = (
    "README.md",
    "config.json",
    "metrics.json",
    "model.safetensors",
    "neighbours.png",
    "recipe.toml",
    "samples.png",
)
"""All that may be published."""
SAMPLES = 10_000
SEED = 0
MIT = "mit"
"""Licence of the weights of a run, which is the user's own, unless another is named."""


@dataclass(frozen=True)
class Packing:
    """How a model is packed."""

    name: str
    """`owner/repo`, or the name of a shipped model: what the card tells people to load."""
    data: str | None = None
    """Data to score against; left out, what it was trained on."""
    scores: bool = True
    samples: int = SAMPLES
    sets: Sequence[str] = ()
    """Options of that data, as `--set` says them."""
    half: bool = False
    note: str | None = None
    """Left out, what an earlier record says; so with the licence."""
    licence: str | None = None


def pack(
    reference: str | Path,
    out: Path,
    packing: Packing,
    *,
    plugins: tuple[str | Path, ...] = (),
    progress: Progress = silent,
) -> Path:
    """Write the bundle of a run or of another bundle into the new folder `out` and return it.

    The same model and the same data give the same bytes on the same machine. Raises `GantkError`.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BundleError(f"'{out}' exists already and is never overwritten; name a new folder.")
    catalogue = Catalogue.discover(plugins)
    source = Generator(with_record(reference, catalogue, progress=progress), catalogue)
    known = _told(source, packing)
    with new_folder(out) as folder:
        generator = export.write_model(folder, source, half=packing.half)
        if packing.scores:
            known = _measured(folder, generator, known, packing, catalogue, progress)
        record.write(folder, known)
        shown = (folder / NEIGHBOURS).is_file()
        card = Card(packing.name, generator, known, shown, catalogue)
        (folder / README).write_text(card.render(), encoding="utf-8")
    return out


def _told(source: Generator, packing: Packing) -> Record:
    """Return what is known of a model without measuring it. Raises `UsageError`."""
    before = record.beside(source) or Record(licence=MIT if record.is_run(source) else "")
    licence = before.licence if packing.licence is None else packing.licence
    if not licence:
        raise UsageError(
            "Nobody said under which licence these weights are; say it with --licence ID."
        )
    note = before.note if packing.note is None else packing.note
    training = record.training_of(source) or before.training
    return Record(training=training, note=note, licence=licence)


def _measured(
    folder: Path,
    generator: Generator,
    known: Record,
    packing: Packing,
    catalogue: Catalogue,
    progress: Progress,
) -> Record:
    """Return the record with scores, after writing the strip of neighbours."""
    data = evaluation.real_data(
        packing.data, generator.description.recipe, catalogue, sets=packing.sets
    )
    scores = evaluation.evaluate(
        generator,
        data,
        n=packing.samples,
        seed=SEED,
        plugins=catalogue.files,
        progress=progress,
    )
    strip = neighbours.strip(generator, data, progress)
    if strip is not None:
        save_png(strip, folder / NEIGHBOURS, {"seed": SEED, "model": generator.sha256})
    return known.model_copy(update={"scores": tuple(scores)})
