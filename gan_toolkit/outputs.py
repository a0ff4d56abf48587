"""Where samples go: a grid, a folder of pictures, an array file. The name of the target decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from gan_toolkit.data import FieldSpec
from gan_toolkit.errors import UsageError
from gan_toolkit.files import new_folder, replaced, write_tensors
from gan_toolkit.pictures import is_picture, picture, save_png, to_images


@dataclass(frozen=True)
class Drawn:
    """Samples [n, …] with what is known of them."""

    samples: Tensor
    field: FieldSpec
    facts: dict[str, str]
    """What makes them again: seed, label, model."""
    rows: int | None = None
    """Rows of a grid, when samples have the classes in turn."""


Writer = Callable[[Path, Drawn], None]
"""Writes samples to a path, with the facts inside."""


def writer_for(out: Path) -> Writer:
    """Return what writes samples to `out`. Raises `UsageError` before any work is done."""
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"'{out}' is a folder with files in it; name a new one.")
    if out.is_dir() or not out.suffix:
        return _folder
    kinds: dict[str, Writer] = {".png": _grid, ".npz": _npz, ".safetensors": _safetensors}
    if out.suffix not in kinds:
        raise UsageError(f"Cannot write '{out}': use .png, .npz, .safetensors or a folder/.")
    return kinds[out.suffix]


def _grid(out: Path, drawn: Drawn) -> None:
    sheet = picture(drawn.samples, drawn.field, drawn.rows)
    save_png(sheet, out, {**drawn.facts, "n": len(drawn.samples)})


def _folder(out: Path, drawn: Drawn) -> None:
    if not is_picture(drawn.field):
        raise UsageError("This model makes no images that can be shown; use .npz or .safetensors.")
    with new_folder(out) as folder:
        for index, image in enumerate(to_images(drawn.samples, drawn.field)):
            path = folder / f"seed{drawn.facts['seed']}-{index:06d}.png"
            save_png(image, path, {**drawn.facts, "index": index})


def _npz(out: Path, drawn: Drawn) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    facts = {name: np.array(fact) for name, fact in drawn.facts.items()}
    with replaced(out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, samples=drawn.samples.numpy(), **facts)  # type: ignore[arg-type]  # no array is called allow_pickle


def _safetensors(out: Path, drawn: Drawn) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with replaced(out) as temporary:
        write_tensors(temporary, {"samples": drawn.samples}, drawn.facts)
