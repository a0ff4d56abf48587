"""Pack a model for publication: a bundle with its card, its scores and its neighbours.

To what `gantk export` writes come metrics.json, neighbours.png and the whole card. What is packed
is a list of names: nothing else of a run, no optimiser, no path, is ever read into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gan_toolkit import evaluation, export
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import Progress, silent
from gan_toolkit.errors import BundleError
from gan_toolkit.files import new_folder
from gan_toolkit.generator import Generator
from gan_toolkit.pictures import save_png
from gan_toolkit.references import find_model
from gantk_zoo import neighbours, record
from gantk_zoo.card import Card
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


@dataclass(frozen=True)
class Packing:
    """How a model is packed."""

    name: str
    """`owner/repo`, or the name of a shipped model: what the card tells people to load."""
    data: str | None = None
    """Data to score against; left out, what it was trained on."""
    scores: bool = True
    samples: int = SAMPLES
    half: bool = False
    note: str = ""
    licence: str = "mit"


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
    path = find_model(reference, catalogue, progress=progress)
    with new_folder(out) as folder:
        generator = export.write_model(folder, Generator(path, catalogue), half=packing.half)
        known = Record(
            training=record.training_of(path.parent), note=packing.note, licence=packing.licence
        )
        if packing.scores:
            known = _measured(folder, generator, known, packing, catalogue, progress)
        record.write(folder, known)
        shown = (folder / NEIGHBOURS).is_file()
        card = Card(packing.name, generator, known, shown, catalogue)
        (folder / README).write_text(card.render(), encoding="utf-8")
    return out


def _measured(
    folder: Path,
    generator: Generator,
    known: Record,
    packing: Packing,
    catalogue: Catalogue,
    progress: Progress,
) -> Record:
    """Return the record with scores, after writing the strip of neighbours."""
    data = evaluation.real_data(packing.data, generator.description.recipe, catalogue)
    scores = evaluation.evaluate(generator, data, n=packing.samples, seed=SEED, progress=progress)
    strip = neighbours.strip(generator, data, progress)
    if strip is not None:
        save_png(strip, folder / NEIGHBOURS, {"seed": SEED, "model": generator.sha256})
    return known.model_copy(update={"scores": tuple(scores)})
