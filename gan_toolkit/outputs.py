"""Where samples go: a grid, a folder of pictures, an array file. The name of the target decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import Tensor

from gan_toolkit.data import FieldSpec
from gan_toolkit.errors import UsageError
from gan_toolkit.files import new_folder, replaced, write_tensors
from gan_toolkit.pictures import picture, save_png, to_images

Facts = dict[str, str]
"""What makes the samples again: seed, label, model."""
Writer = Callable[[Path, Tensor, FieldSpec, Facts], None]
"""Writes samples of a field to a path, with the facts inside."""


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


def _grid(out: Path, samples: Tensor, field: FieldSpec, facts: Facts) -> None:
    save_png(picture(samples, field), out, {**facts, "n": len(samples)})


def _folder(out: Path, samples: Tensor, field: FieldSpec, facts: Facts) -> None:
    if len(field.shape) != 3:
        raise UsageError("This model makes vectors, not images; use .npz or .safetensors.")
    with new_folder(out) as folder:
        for index, image in enumerate(to_images(samples, field)):
            path = folder / f"seed{facts['seed']}-{index:06d}.png"
            save_png(image, path, {**facts, "index": index})


def _npz(out: Path, samples: Tensor, field: FieldSpec, facts: Facts) -> None:
    del field
    out.parent.mkdir(parents=True, exist_ok=True)
    arrays = {"samples": samples.numpy(), **{name: np.array(fact) for name, fact in facts.items()}}
    with replaced(out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # no array is called allow_pickle


def _safetensors(out: Path, samples: Tensor, field: FieldSpec, facts: Facts) -> None:
    del field
    out.parent.mkdir(parents=True, exist_ok=True)
    with replaced(out) as temporary:
        write_tensors(temporary, {"samples": samples}, facts)
