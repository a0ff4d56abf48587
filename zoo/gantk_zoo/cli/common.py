"""What `gantk publish` and `gantk zoo` share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gan_toolkit.cli.common import names_of

if TYPE_CHECKING:
    from gantk_zoo.pack import Packing

Data = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|PATH",
        help="Real data to score against; left out, what the model was trained on.",
        autocompletion=names_of("data"),
    ),
]
Samples = Annotated[int, typer.Option("-n", min=1, help="Samples that are scored.")]
NoScores = Annotated[bool, typer.Option("--no-scores", help="Measure nothing; needs no data.")]
Half = Annotated[bool, typer.Option("--half", help="Store weights in 16 bits: half the size.")]
Licence = Annotated[
    str | None,
    typer.Option(
        metavar="ID",
        help="Licence of the weights, as the Hub says; left out, what it has, or mit for a run.",
    ),
]
Note = Annotated[str | None, typer.Option(metavar="TEXT", help="What people should know of it.")]


def packed(model: str, out: Path, packing: Packing, plugins: Iterable[Path]) -> Path:
    """Pack a model, showing what takes long, and return the folder."""
    from gan_toolkit.cli.display import Display
    from gantk_zoo.pack import pack

    display = Display()
    try:
        return pack(model, out, packing, plugins=tuple(plugins), progress=display.progress)
    finally:
        display.close()
