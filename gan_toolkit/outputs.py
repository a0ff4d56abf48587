"""Where samples go: a grid, a folder of pictures, an array file. The name of the target decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import Tensor

from gan_toolkit.errors import UsageError
from gan_toolkit.files import new_folder, replaced, write_tensors
from gan_toolkit.generator import Generator
from gan_toolkit.pictures import picture, save_png, to_images

Writer = Callable[[Path, Tensor, Generator, int], None]
"""Writes samples of a generator and a seed to a path."""


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


def _grid(out: Path, samples: Tensor, generator: Generator, seed: int) -> None:
    sheet = picture(samples, generator.spec.sample)
    save_png(sheet, out, {"seed": seed, "n": len(samples), "model": generator.sha256})


def _folder(out: Path, samples: Tensor, generator: Generator, seed: int) -> None:
    if len(generator.spec.sample.shape) != 3:
        raise UsageError("This model makes vectors, not images; use .npz or .safetensors.")
    with new_folder(out) as folder:
        for index, image in enumerate(to_images(samples, generator.spec.sample)):
            facts = {"seed": seed, "index": index, "model": generator.sha256}
            save_png(image, folder / f"seed{seed}-{index:06d}.png", facts)


def _npz(out: Path, samples: Tensor, generator: Generator, seed: int) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with replaced(out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file, samples=samples.numpy(), seed=np.int64(seed), model=np.str_(generator.sha256)
        )


def _safetensors(out: Path, samples: Tensor, generator: Generator, seed: int) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with replaced(out) as temporary:
        write_tensors(
            temporary, {"samples": samples}, {"seed": str(seed), "model": generator.sha256}
        )
