"""The default recipe on MNIST beside a plain tutorial loop given the same minutes.

    GANTK_DATA=data nox -s quality

Trains the judging classifier on MNIST alone, then `gantk train --arch dcgan --data mnist` with
nothing else said, then the tutorial loop for as many wall-clock minutes as that command took from
start to end. 10,000 samples of each are scored on the classifier's features (`frechet.py`). Run it
on an idle machine. Writes `benchmarks/mnist_quality.json`.
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

import mnist_classifier
import numpy as np
import torch
from frechet import Score, score

import gan_toolkit
from gan_toolkit.trainer import versions

HERE = Path(__file__).parent
SAMPLES = 10_000
SIDE = 32
"""The tutorial's size; everything is judged after the same resizing to it and back."""


def run(*arguments: str | Path) -> float:
    """Run a Python command and return its wall-clock seconds."""
    begun = time.monotonic()
    subprocess.run([sys.executable, *map(str, arguments)], check=True)
    return time.monotonic() - begun


def shown(result: Score) -> dict[str, object]:
    """Round a score for the report."""
    return {
        "frechet": round(result["frechet"], 2),
        "shares": [round(share, 4) for share in result["shares"]],
        "confidence": round(result["confidence"], 4),
        "samples": result["count"],
    }


def main() -> None:
    """Train all three, score both, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder for the runs; else a temporary one")
    parser.add_argument("--out", type=Path, default=HERE / "mnist_quality.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        weights = folder / "classifier.safetensors"
        if not weights.exists():
            run(HERE / "mnist_classifier.py", "--out", weights)
        gantk = ("-m", "gan_toolkit", "train", "--arch", "dcgan", "--data", "mnist")
        seconds = run(*gantk, "--out", folder / "run")
        tutorial = folder / "tutorial.npz"
        run(HERE / "tutorial_dcgan.py", "--minutes", f"{seconds / 60:.3f}", "--out", tutorial)
        judge = mnist_classifier.load(weights)
        images, labels = mnist_classifier.read_mnist("t10k")
        samples = gan_toolkit.load(folder / "run").sample(SAMPLES, seed=1)
        with np.load(tutorial) as archive:
            baseline = torch.from_numpy(archive["samples"])
        ours, theirs = (score(judge, each, via=SIDE) for each in (samples, baseline))
        result = {
            "classifier_test_accuracy": round(
                mnist_classifier.accuracy(judge, mnist_classifier.to_input(images), labels), 4
            ),
            "minutes": round(seconds / 60, 2),
            "cores": os.cpu_count(),
            "gantk": shown(ours),
            "tutorial": shown(theirs),
            "real_test_images": shown(score(judge, images, via=SIDE)),
            "ratio": round(ours["frechet"] / theirs["frechet"], 3),
            "versions": versions(),
        }
    text = json.dumps(result, indent=2)
    print(text)
    arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
