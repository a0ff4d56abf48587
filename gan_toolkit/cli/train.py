"""`gantk train`: the main job."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.cli.common import AsJson, PluginFiles, catalogue, names_of, print_json
from gan_toolkit.errors import GantkError, RecipeError

if TYPE_CHECKING:
    from gan_toolkit.observer import Observer
    from gan_toolkit.resolve import Request

WORTH_PLOTS = 60.0
"""Seconds of training after which a run's pictures are drawn unasked; they take a few."""


def train(
    arch: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Architecture.", autocompletion=names_of("architecture")),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="A data set, or a folder or archive of images.",
            autocompletion=names_of("data"),
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="A shipped recipe or a TOML file.",
            autocompletion=names_of("recipe"),
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one recipe key. Repeatable."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="New folder for the run.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Decides every draw.")] = None,
    device: Annotated[
        str | None, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="auto|fp32|tf32|bf16",
            help="Arithmetic of the networks.",
            autocompletion=lambda: ["auto", "fp32", "tf32", "bf16"],
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="auto|eager|compiled|captured",
            help="How steps are executed.",
            autocompletion=lambda: ["auto", "eager", "compiled", "captured"],
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Length in steps.")] = None,
    kimg: Annotated[
        float | None, typer.Option(metavar="N", help="Length in thousands of real images.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="N", help="Length as time: times a few steps, then fixes a number."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Continue a run; --steps extends it.")
    ] = None,
    init_from: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Begin with the weights of this model.")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(metavar="N", help="Train with so many processes of this machine."),
    ] = None,
    track: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Keep figures and pictures there too. Repeatable.",
            autocompletion=names_of("tracker"),
        ),
    ] = None,
    eval_every: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Score every N steps; the best weights are kept."),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Metric of --eval-every; left out, one that fits. Repeatable.",
            autocompletion=names_of("metric"),
        ),
    ] = None,
    auto_stop: Annotated[
        bool,
        typer.Option("--auto-stop", help="Stop when the doctor finds it broken or converged."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show recipe, sizes, time and memory; train nothing.")
    ] = False,
    as_json: AsJson = False,
    plugin: PluginFiles = None,
) -> None:
    """Train a GAN, or resume a run. Prints the run's folder.

    What trained for a minute is worth its pictures: they are drawn into RUN/plots at the end.
    """
    _refuse_contradictions(
        resume=resume,
        minutes=minutes,
        lengths={"--steps": steps, "--kimg": kimg},
        new={
            "--arch": arch,
            "--recipe": recipe,
            "--data": data,
            "--out": out,
            "--init-from": init_from,
            "--dry-run": dry_run,
        },
    )
    from gan_toolkit.launch import launch, wanted

    if processes is not None and wanted(processes):
        raise typer.Exit(launch(processes, sys.argv[1:]))
    from gan_toolkit.cli.display import Display
    from gan_toolkit.observer import Quiet
    from gan_toolkit.plots import plot_run
    from gan_toolkit.processes import join, leads
    from gan_toolkit.resolve import Request
    from gan_toolkit.training import train_request

    join()
    flags = {
        "seed": seed,
        "steps": steps,
        "kimg": kimg,
        "compute.device": device,
        "compute.precision": precision,
        "compute.engine": engine,
        "evaluation.every": eval_every,
        "evaluation.metrics": metric,
        "stop_on": ["broken", "converged"] if auto_stop else None,
    }
    request = Request(
        recipe=recipe,
        arch=arch,
        data=data,
        settings={key: value for key, value in flags.items() if value is not None},
        sets=settings or (),
    )
    # Its warnings come before anything else is said.
    known = catalogue(plugin or ()) if leads() else Catalogue.discover(plugin or ())
    display = Display() if leads() else Quiet()
    try:
        if dry_run:
            _dry_run(
                request,
                known,
                display,
                track or (),
                as_json=as_json,
                minutes=minutes,
                out=out,
                init_from=init_from,
            )
            return
        begun = time.monotonic()
        run = train_request(
            request,
            known,
            display,
            minutes=minutes,
            out=out,
            resume=resume,
            init_from=init_from,
            track=(track or ()) if leads() else (),
        )
        if not leads():
            return
        if as_json:
            print_json({"run": str(run.path), "last": run.rows()[-1]})
        else:
            print(run.path)
        if time.monotonic() - begun >= WORTH_PLOTS:
            try:
                plot_run(run, plugins=plugin or (), progress=display.progress)
            except (OSError, GantkError) as error:  # the run is done; nobody asked for pictures
                display.warn(
                    f"No plots: {str(error).rstrip('.')}. `gantk plot {run.path}` draws them."
                )
    finally:
        display.close()


def _refuse_contradictions(
    *,
    resume: Path | None,
    minutes: float | None,
    lengths: Mapping[str, object],
    new: Mapping[str, object],
) -> None:
    """Refuse flags that cannot stand together; what is wrong with a recipe is told later."""
    problems = []
    if minutes is not None:
        if not 0 < minutes < math.inf:
            problems.append(f"--minutes: must be greater than 0, got {minutes:g}.")
        problems += [
            f"{flag} and --minutes both give the length; keep one."
            for flag, value in lengths.items()
            if value is not None
        ]
    if resume is not None:
        problems += [
            f"--resume continues a run as it is; leave {flag} out."
            for flag, value in {**new, "--minutes": minutes}.items()
            if value not in {None, False}
        ]
    if problems:
        raise RecipeError(problems, origin="the command", hint="See `gantk train --help`.")


def _dry_run(
    request: Request,
    known: Catalogue,
    observer: Observer,
    track: Iterable[str],
    *,
    as_json: bool,
    minutes: float | None,
    out: Path | None,
    init_from: str | None,
) -> None:
    from gan_toolkit.estimate import estimate
    from gan_toolkit.processes import leads
    from gan_toolkit.tracking import tracked
    from gan_toolkit.training import memory, planned

    if leads():
        tracked(observer, track, known).close()
    with memory():
        ready = planned(request, known, observer, minutes=minutes, out=out, init_from=init_from)
        facts = estimate(ready)
    observer.close()
    if not leads():
        return
    if as_json:
        print_json({"recipe": ready.recipe.values(), **facts.__dict__})
        return
    print(ready.recipe.toml())
    print("# " + "\n# ".join(facts.lines()))
