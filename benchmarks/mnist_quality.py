"""Five minutes of training on MNIST: our recipe beside a plain tutorial loop.

    GANTK_DATA=data nox -s quality

Trains `gantk train --arch dcgan --data mnist --minutes 5`, then the loop of `tutorial_dcgan.py` for
as many wall-clock minutes as that command took from start to end. 10,000 samples of each are scored
by `fd` and `classifier` on the shipped extractor `digits`. The loop makes 32×32 images, so samples
and real images are both sent through 32×32 first, which is fair to it; the scores at our own size
stand beside. Run it on an idle machine. Writes `benchmarks/mnist_quality.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_toolkit.evaluation import evaluate
from gan_toolkit.system import versions

HERE = Path(__file__).parent
ARCH = "dcgan"
MINUTES = "5"
SAMPLES = 10_000
SEED = 1
SIDE = 32
METRICS = ("fd", "classifier")


def run(*arguments: str | Path) -> float:
    """Run a Python command and return its wall-clock minutes."""
    begun = time.monotonic()
    subprocess.run([sys.executable, *map(str, arguments)], check=True)
    return (time.monotonic() - begun) / 60


def scored(samples: Path | Tensor, via: int | None) -> dict[str, float]:
    """Return the scores of a run or of samples by name, and those of real images as `floor …`."""
    found = evaluate(samples, "mnist", metrics=METRICS, n=SAMPLES, seed=SEED, via=via)
    values = {score.name: round(score.value, 4) for score in found}
    floors = {
        f"floor {score.name}": round(score.floor, 4) for score in found if score.floor is not None
    }
    return values | floors


def main() -> None:
    """Train both, score both, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder for the runs; else a temporary one")
    parser.add_argument("--out", type=Path, default=HERE / "mnist_quality.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        train = ("-m", "gan_toolkit", "train", "--arch", ARCH, "--data", "mnist")
        minutes = run(*train, "--minutes", MINUTES, "--out", folder / "run")
        tutorial = folder / "tutorial.npz"
        run(HERE / "tutorial_dcgan.py", "--minutes", f"{minutes:.3f}", "--out", tutorial)
        with np.load(tutorial) as archive:
            images = torch.from_numpy(archive["samples"])
        baseline = images.unsqueeze(1) if images.dim() == 3 else images
        ours, theirs = scored(folder / "run", SIDE), scored(baseline, SIDE)
        result = {
            "arch": ARCH,
            "minutes": round(minutes, 2),
            "cores": os.cpu_count(),
            "samples": SAMPLES,
            "gantk": ours,
            "gantk at its own size": scored(folder / "run", None),
            "tutorial": theirs,
            "ratio": round(theirs["fd-digits"] / ours["fd-digits"], 2),
            "versions": versions(),
        }
    text = json.dumps(result, indent=2)
    print(text)
    arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
