"""Pictures: tensors to images, grids, PNG files that say where they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from gan_toolkit.data import FieldSpec
from gan_toolkit.files import replaced

LOOKED_AT = 600
"""Pixels that a grid may have along its longer side before it is left at its own size."""
GREY, BLUE = (190, 190, 190), (31, 119, 180)
"""Reals and fakes in every picture of points."""
CHANNELS = (1, 2, 3, 4)
"""Grey, grey with alpha, RGB, RGBA."""


def is_picture(field: FieldSpec) -> bool:
    """Return whether samples of a field can be shown as images."""
    return len(field.shape) == 3 and field.shape[0] in CHANNELS and field.low is not None


def to_uint8(samples: Tensor, field: FieldSpec) -> Tensor:
    """Return samples [N, …] of a bounded field as uint8 0…255; values outside are clamped."""
    assert field.low is not None
    assert field.high is not None
    scaled = (samples.float() - field.low) * (255 / (field.high - field.low))
    return scaled.round().clamp(0, 255).to(torch.uint8)


def to_images(samples: Tensor, field: FieldSpec) -> list[Image.Image]:
    """Return PIL images of samples [N, C, H, W] of a field that `is_picture`."""
    pixels = to_uint8(samples, field).permute(0, 2, 3, 1)
    flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    return [Image.fromarray(np.ascontiguousarray(image)) for image in flat.numpy()]


def grid(images: list[Image.Image], *, rows: int | None = None, pad: int = 2) -> Image.Image:
    """Return one image with all images: row by row in a near-square, or down `rows` rows.

    Down the rows: image i stands in row i modulo `rows`, so that classes in turn get a row each.
    """
    columns = math.ceil(len(images) / rows if rows else math.sqrt(len(images)))
    down = rows or math.ceil(len(images) / columns)
    width, height = images[0].size
    size = (columns * (width + pad) + pad, down * (height + pad) + pad)
    sheet = Image.new(images[0].mode, size)
    for place, image in enumerate(images):
        row, column = divmod(place, columns) if rows is None else divmod(place, rows)[::-1]
        sheet.paste(image, (pad + column * (width + pad), pad + row * (height + pad)))
    return sheet


def scatter(points: Tensor, behind: Tensor | None = None, *, size: int = 512) -> Image.Image:
    """Return a plot of points [N, d], the first two dimensions, over grey points `behind` them.

    Scaled to fit what is behind, with a margin; without it, to fit the points. It has a palette:
    convert it before it is made smaller.
    """
    sheet = Image.new("P", (size, size), "white")  # a byte a pixel: sooner written
    draw = ImageDraw.Draw(sheet)
    frame = _two(points if behind is None else behind)
    low, high = frame.min(0).values, frame.max(0).values
    margin = size // 10
    for cloud, colour in ((behind, GREY), (points, BLUE)):
        if cloud is None:
            continue
        share = (_two(cloud) - low) / (high - low).clamp_min(1e-9)
        places = (share * (size - 2 * margin) + margin).clamp(-size, 2 * size)
        for x, y in places.round().int().tolist():
            draw.ellipse((x - 2, size - y - 2, x + 2, size - y + 2), fill=colour)
    return sheet


def _two(points: Tensor) -> Tensor:
    """Return the first two coordinates, the second 0 where there is one: float64 [N, 2]."""
    return torch.cat([points, torch.zeros(len(points), 1)], 1)[:, :2].double()


def picture(samples: Tensor, field: FieldSpec, rows: int | None = None) -> Image.Image:
    """Return the natural picture of samples: a `grid` of images, or a scatter plot of points.

    A small grid is enlarged by a whole factor, without smoothing, to be looked at.
    """
    if not is_picture(field):
        return scatter(samples.flatten(1)).convert("RGB")
    return enlarged(grid(to_images(samples, field), rows=rows))


def enlarged(image: Image.Image, to: int = LOOKED_AT) -> Image.Image:
    """Return an image enlarged by the largest whole factor that keeps it within `to` pixels."""
    factor = max(1, to // max(image.size))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def save_png(image: Image.Image, path: Path, facts: Mapping[str, object]) -> None:
    """Write a PNG that carries `facts` (seed, model hash) as text, whole or not at all."""
    info = PngInfo()
    for key, value in facts.items():
        info.add_text(f"gantk:{key}", str(value))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as temporary:
        image.save(temporary, format="PNG", pnginfo=info)
