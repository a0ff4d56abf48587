"""Train and pack the models that come with the toolkit, then write the table of them.

    GANTK_DATA=data nox -s zoo -- mnist-dcgan
    GANTK_DATA=data python zoo/build.py --runs runs/zoo

A run that is in `--runs` already is packed as it is, or gone on with. Writes
`zoo/gantk_zoo/models/NAME` and `zoo/README.md`.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TypedDict

import gan_toolkit
from gan_toolkit.bundle import WEIGHTS
from gantk_zoo import record, shipped
from gantk_zoo.pack import Packing, pack

HERE = Path(__file__).parent
MOST_BYTES = 6_000_000
"""All weights together, so that the wheel stays small."""


class Model(TypedDict):
    """An entry of `models.toml`."""

    train: str
    half: bool
    note: str


def trained(name: str, model: Model, runs: Path) -> Path:
    """Return the finished run of a model, trained or gone on with as need be."""
    run = runs / name
    begin = ["--resume", str(run)] if run.exists() else [*shlex.split(model["train"])]
    out = [] if run.exists() else ["--out", str(run)]
    threads = [] if run.exists() else ["--set", "compute.threads=1"]
    subprocess.run(
        [sys.executable, "-m", "gan_toolkit", "train", *begin, *out, *threads], check=True
    )
    return run


def packed(name: str, model: Model, runs: Path) -> None:
    """Put a model where it is shipped from."""
    fresh = runs / f"{name}.packed"
    shutil.rmtree(fresh, ignore_errors=True)
    pack(trained(name, model, runs), fresh, Packing(name, half=model["half"], note=model["note"]))
    shutil.rmtree(shipped.MODELS / name, ignore_errors=True)
    shutil.move(fresh, shipped.MODELS / name)


def table() -> str:
    """Return the README of the zoo."""
    rows = [_row(name) for name in shipped.names()]
    return "\n".join(
        [
            "# Models that come with gan-toolkit",
            "",
            "Each works without a network: `gantk sample NAME -o grid.png`, or",
            '`gan_toolkit.load("NAME")`. The cards say how each was trained and scored, and',
            "`gantk zoo verify NAME` takes the numbers again. `nox -s zoo` writes this page.",
            "",
            "| model | samples | kB | scores | command |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _row(name: str) -> str:
    folder = shipped.MODELS / name
    known = record.read(folder)
    scores = known.scores if known else ()
    told = [f"{score.name} {score.value:.3g}" for score in scores]
    card = f"[`{name}`](gantk_zoo/models/{name}/README.md)"
    picture = f'<img src="gantk_zoo/models/{name}/samples.png" alt="{name}" width="200">'
    size = (folder / WEIGHTS).stat().st_size / 1000
    classed = " --label CLASS" if gan_toolkit.load(name).conditions else ""
    command = f"`gantk sample {name}{classed} -o grid.png`"
    return f"| {card} | {picture} | {size:.0f} | {'<br>'.join(told)} | {command} |"


def main() -> None:
    """Build what is asked for, or everything."""
    models: dict[str, Model] = tomllib.loads((HERE / "models.toml").read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="models; else all")
    parser.add_argument("--runs", type=Path, default=Path("runs/zoo"), help="folder for the runs")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - models.keys()
    if unknown:
        parser.error(f"no model {', '.join(sorted(unknown))}; there are: {', '.join(models)}")
    arguments.runs.mkdir(parents=True, exist_ok=True)
    shipped.MODELS.mkdir(exist_ok=True)
    for name in arguments.names or models:
        packed(name, models[name], arguments.runs)
    total = sum(file.stat().st_size for file in shipped.MODELS.glob(f"*/{WEIGHTS}"))
    if total > MOST_BYTES:
        sys.exit(
            f"The weights are {total:,} bytes together; at most {MOST_BYTES:,} may be shipped."
        )
    (HERE / "README.md").write_text(table(), encoding="utf-8")
    print(f"{len(shipped.names())} models, {total:,} bytes of weights")


if __name__ == "__main__":
    main()
