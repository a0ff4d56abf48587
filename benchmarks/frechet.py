"""Score MNIST samples: Frechet distance, class shares and confidence.

Run (samples.npz holds the array "samples" [N, H, W] or [N, 1, H, W], uint8 or float in [-1, 1]):

    GANTK_DATA=data python benchmarks/frechet.py --classifier mnist_classifier.safetensors \
        samples.npz

The distance is taken between Gaussians fitted to the classifier's 128 penultimate features of
the samples and of the 60,000 MNIST training images. The script first prints the floor: the
10,000 real test images against the training images. Images of any size other than 28x28 are
resized to 28x28, bilinear with antialiasing, and compared with training images that went the
same way (28 -> their size -> 28): the resizing alone costs real images a distance of about 110
when only one side of the comparison is resized. To compare 28x28 samples with 32x32 samples on
equal terms, send both through 32 with `--via 32`.
Use 10,000 samples: with fewer the distance is biased upwards.
"""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from mnist_classifier import CLASSES, Classifier, features, load, read_mnist, to_input
from torch import Tensor
from torch.nn import functional

SIDE = 28
_HALF_RANGE = 127.5
_WITHOUT_CHANNEL = 3


class Gaussian(TypedDict):
    """Mean [d] and covariance [d, d] of a set of features, float64."""

    mean: Tensor
    covariance: Tensor


class Score(TypedDict):
    """What `score` reports."""

    frechet: float
    shares: list[float]
    share_min: float
    share_max: float
    confidence: float
    count: int


def fit(values: Tensor) -> Gaussian:
    """Mean and covariance of features [N, d]."""
    values = values.double()
    return {"mean": values.mean(0), "covariance": torch.cov(values.T)}


def gaussian_distance(a: Gaussian, b: Gaussian) -> float:
    """Squared Frechet distance between two Gaussians.

    tr((A B)^1/2) is computed as tr((A^1/2 B A^1/2)^1/2), whose argument is symmetric and
    positive semi-definite, so that eigenvalues of symmetric matrices are all that is needed.
    """
    values, vectors = torch.linalg.eigh(a["covariance"])
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    inner = root @ b["covariance"] @ root
    cross = torch.linalg.eigvalsh((inner + inner.T) / 2).clamp(min=0).sqrt().sum()
    shift = (a["mean"] - b["mean"]).square().sum()
    spread = a["covariance"].trace() + b["covariance"].trace() - 2 * cross
    return float(shift + spread)


def resize(images: Tensor, side: int) -> Tensor:
    """Resize [N, 1, H, W] to side x side, bilinear with antialiasing; a no-op at that size."""
    if images.shape[-2:] == (side, side):
        return images
    return functional.interpolate(
        images, size=(side, side), mode="bilinear", antialias=True, align_corners=False
    )


@cache
def real_statistics(classifier: Classifier, via: int = SIDE) -> Gaussian:
    """Features of the MNIST training set sent through a size, once per classifier and size."""
    images, _ = read_mnist("train")
    return fit(features(classifier, resize(resize(to_input(images), via), SIDE)))


def prepare(images: Tensor) -> Tensor:
    """Samples of any usual form as [N, 1, H, W] in [-1, 1]."""
    if images.dtype == torch.uint8:
        images = images.float().div(_HALF_RANGE).sub(1.0)
    return images.unsqueeze(1) if images.dim() == _WITHOUT_CHANNEL else images


def score(classifier: Classifier, images: Tensor, via: int | None = None) -> Score:
    """Score samples (uint8, or float in [-1, 1]) against the MNIST training set.

    Samples and training images both pass through the size `via`, by default the samples' own.
    """
    images = prepare(images)
    side = via or images.shape[-1]
    seen = features(classifier, resize(resize(images, side), SIDE))
    with torch.inference_mode():
        probabilities = classifier.head(seen).softmax(1)
    sureness, named = probabilities.max(1)
    shares = (torch.bincount(named, minlength=CLASSES) / len(named)).tolist()
    return {
        "frechet": gaussian_distance(fit(seen), real_statistics(classifier, side)),
        "shares": shares,
        "share_min": min(shares),
        "share_max": max(shares),
        "confidence": float(sureness.mean()),
        "count": len(seen),
    }


def describe(name: str, result: Score) -> str:
    """One line to print."""
    shares = " ".join(f"{100 * share:.1f}" for share in result["shares"])
    return (
        f"{name}: FD {result['frechet']:.2f} over {result['count']} images, "
        f"confidence {result['confidence']:.4f}, shares of 0..9 in %: {shares}"
    )


def main() -> None:
    """Print the score of each sample file, or of the real test images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--classifier", type=Path, default=Path("mnist_classifier.safetensors"))
    parser.add_argument("--via", type=int, help="send everything through this size")
    parser.add_argument("samples", type=Path, nargs="*")
    arguments = parser.parse_args()
    classifier = load(arguments.classifier)
    print(describe("real test images", score(classifier, read_mnist("t10k")[0], arguments.via)))
    for path in arguments.samples:
        with np.load(path) as archive:
            images = torch.from_numpy(archive["samples"])
        print(describe(str(path), score(classifier, images, arguments.via)))


if __name__ == "__main__":
    main()
