"""`gantk evaluate`: scores of a trained generator, with receipts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gan_toolkit.cli.common import (
    AsJson,
    Model,
    OfData,
    Offline,
    PluginFiles,
    check_file,
    names_of,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from gan_toolkit.scoring import Score

DIRECTION = {"lower": "lower is better", "higher": "higher is better", "none": ""}


def evaluate(
    model: Model,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Real data to compare with; left out, what the model was trained on.",
            autocompletion=names_of("data"),
        ),
    ] = None,
    sets: OfData = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Repeatable; left out, all that fit.",
            autocompletion=names_of("metric"),
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Number of samples.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same numbers.")] = 0,
    seeds: Annotated[
        int, typer.Option(min=1, help="Seeds from that one on: mean and deviation over them.")
    ] = 1,
    extractor: Annotated[
        str | None,
        typer.Option(
            help="Network to look with; left out, the one made for the data.",
            autocompletion=names_of("extractor"),
        ),
    ] = None,
    via: Annotated[
        int | None,
        typer.Option(min=1, metavar="SIDE", help="Send images of both kinds through this size."),
    ] = None,
    as_json: AsJson = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write scores and receipts as JSON, too.")
    ] = None,
    offline: Offline = False,
    plugin: PluginFiles = None,
) -> None:
    """Score a trained model against real data.

    Every number comes with the same number for held-out real samples and, in JSON, a receipt.
    """
    from gan_toolkit import evaluation
    from gan_toolkit.cli.display import Display
    from gan_toolkit.files import replaced

    if out is not None:
        check_file(out)
    display = Display()
    try:
        scores = evaluation.evaluate(
            model,
            data,
            sets=sets or (),
            metrics=metric,
            n=n,
            seed=seed,
            seeds=seeds,
            extractor=extractor,
            via=via,
            plugins=plugin or (),
            offline=offline,
            progress=display.progress,
            note=display.note,
        )
    finally:
        display.close()
    plain = [score.plain() for score in scores]
    if as_json:
        print_json(plain)
    else:
        _print(scores)
    if out is not None:
        with replaced(out) as temporary:
            temporary.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")


def _print(scores: list[Score]) -> None:
    print_table(
        ("score", "value", "real samples", "unit", "direction", "samples"),
        [
            (
                score.name,
                _shown(score.value) + _uncertain(score),
                "" if score.floor is None else _shown(score.floor),
                score.unit,
                DIRECTION[score.better],
                str(score.receipt.n),
            )
            for score in scores
        ],
    )
    about = scores[0].receipt
    part = f", split {about.split}" if about.split else ""
    last = about.seed + about.seeds - 1
    seed = f"seed {about.seed}" if about.seeds == 1 else f"seeds {about.seed} to {last}"
    print(f"\nSamples of {seed}; data {about.data}{part}.")
    for told in sorted({score.receipt.floor for score in scores if score.floor is not None}):
        print(f"Real samples: {told}.")
    for told in sorted({note for score in scores for note in score.receipt.notes}):
        print(f"Note: {told}.")


def _uncertain(score: Score) -> str:
    """Return ± the deviation over seeds, else the standard error, where there is either."""
    told = score.deviation if score.deviation is not None else score.error
    return f" ± {_shown(told)}" if told else ""


def _shown(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"
