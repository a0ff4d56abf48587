"""One sheet with a row of samples of every model."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from gan_toolkit.generator import Generator
from gan_toolkit.pictures import is_picture, picture

ROW, COLUMNS, MARGIN = 96, 10, 8
CAPTION = 18


def sheet(models: dict[str, Generator]) -> Image.Image:
    """Return a row of `COLUMNS` samples of seed 0 a model, under its name."""
    width = COLUMNS * ROW + (COLUMNS + 1) * MARGIN
    height = len(models) * (ROW + CAPTION + 2 * MARGIN) + MARGIN
    page = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(CAPTION - 4)
    top = MARGIN
    for name, model in models.items():
        spec = model.spec
        shape = "x".join(map(str, spec.sample.shape[1:])) or "points"  # the font has no ×
        plain = Path(name).name if Path(name).exists() else name  # a picture tells no path
        told = f"{plain}   {model.architecture} on {spec.name}, {shape}"
        draw.text((MARGIN, top), told, fill="black", font=font)
        top += CAPTION + MARGIN
        for column, image in enumerate(_images(model)):
            page.paste(image, (MARGIN + column * (ROW + MARGIN), top))
        top += ROW + MARGIN
    return page


def _images(model: Generator) -> list[Image.Image]:
    """Return small pictures of a model: one sample each, or of points one plot."""
    field = model.spec.sample
    if not is_picture(field):
        plot = picture(model.sample(1000, seed=0), field)
        return [plot.resize((ROW, ROW), Image.Resampling.LANCZOS)]
    small = model.images(COLUMNS, seed=0)
    return [image.convert("RGB").resize((ROW, ROW), Image.Resampling.NEAREST) for image in small]
