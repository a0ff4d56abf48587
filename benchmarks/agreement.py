"""Every score beside an independent implementation of it, on random and on real features.

    GANTK_DATA=data nox -s agreement

Others' code is given the same numbers as ours: torch-fidelity, prdc, SciPy, scikit-learn. The
Inception network is held against torch-fidelity's with the same random weights, since those of the
FID are a download, and the whole way from images to scores too. Writes `benchmarks/agreement.json`
and `docs/reference/agreement.md`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.metadata
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import gan_toolkit
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import SAMPLE, DataSet, Stored, silent
from gan_toolkit.scoring import Extractor, Seen
from gan_toolkit.sides import Judged, examined
from gan_toolkit.streams import global_stream, stream
from gan_toolkit.system import versions
from gan_toolkit.tensors import TensorData
from gantk_cifar.data import CIFAR10
from gantk_digitnet.extractor import Digits
from gantk_efflite.extractor import EffLite0
from gantk_inception import weights
from gantk_inception.extractor import Inception
from gantk_inception.network import InceptionV3, stretched
from gantk_metrics import energy, frechet, inception, kernel, neighbours, rows, similarity, sliced
from gantk_metrics.classifier import votes
from gantk_mnist.data import MNIST
from gantk_points.mixtures import Grid
from gantk_points.scores import RADIUS, mode_scores

HERE = Path(__file__).parent
JSON = HERE / "agreement.json"
PAGE = HERE.parent / "docs" / "reference" / "agreement.md"
STAMP = "<!-- Written by benchmarks/agreement.py; do not edit. -->\n"
OTHERS = ("torch-fidelity", "prdc", "scipy", "scikit-learn", "numpy")
N = 2000
WHOLE_WAY = 500
"""Images of a side that go from pixels to scores, in ten parts: fewer than a score should have."""


@dataclass(frozen=True)
class Row:
    """One number of ours beside the same of others."""

    score: str
    against: str
    ours: float
    theirs: float
    tolerance: float
    kind: Literal["relative", "absolute"] = "relative"

    @property
    def difference(self) -> float:
        """How far apart they are, over theirs where the tolerance is relative."""
        gap = abs(self.ours - self.theirs)
        return gap / abs(self.theirs) if self.kind == "relative" else gap

    @property
    def holds(self) -> bool:
        """Whether they agree within the tolerance."""
        return self.difference <= self.tolerance


@dataclass(frozen=True)
class Pair:
    """What an extractor saw of a model's samples and of real data."""

    fake: Tensor
    real: Tensor
    logits: Tensor
    """Of the samples."""
    labels: Tensor
    """Of the samples: what was asked for."""


def random_pair() -> Pair:
    """Return made-up features whose columns hang together on one side."""
    dice = stream(0, "agreement")
    fake, real, logits = (torch.randn(N, width, generator=dice) for width in (64, 64, 10))
    mixed = torch.randn(64, 64, generator=dice) / 8
    return Pair(fake * 0.9 + 0.1, real @ mixed, logits, torch.randint(10, (N,), generator=dice))


def seen_pair(model: str, data: DataSet, extractor: Extractor) -> Pair:
    """Return what an extractor sees of a shipped conditional model and of its data."""
    network = extractor.open()
    with torch.inference_mode():
        made: Seen = network(sampled(model, N))
        real: Seen = network(spread(data, N))
    assert made.logits is not None
    return Pair(made.features, real.features, made.logits, torch.arange(N) % 10)


def sampled(model: str, n: int) -> Tensor:
    """Return `n` samples of a shipped model of images, classes in turn, in -1 … 1."""
    return Judged.of(gan_toolkit.load(model), n, 0).read(0, n)[SAMPLE]


def spread(data: DataSet, n: int) -> Tensor:
    """Return `n` images spread evenly over data, in -1 … 1."""
    source = data.open()
    assert isinstance(source, Stored)
    images = source.gather(torch.arange(n) * (source.spec.length or 0) // n)[SAMPLE]
    return source.spec.ranged(-1.0, 1.0).sample.normalise(images).float()


def on_features(pair: Pair) -> Iterator[Row]:
    """Yield every score of features and logits beside that of others."""
    x, y = pair.fake.double(), pair.real.double()
    yield from frechet_rows(x, y)
    yield from neighbour_rows(x, y)

    told = fidelity("kid").kid_features_to_metric(
        x, y, kid_subsets=1, kid_subset_size=N, verbose=False
    )
    ours = kernel.discrepancy(x, y)
    yield Row("kid", "torch-fidelity", ours, told["kernel_inception_distance_mean"], 1e-6)

    told = fidelity("isc").isc_features_to_metric(
        pair.logits[inception.parts(N, 0).flatten()], inception.SPLITS, shuffle=False
    )
    ours = inception.split(inception.probabilities([Seen(x, pair.logits)]), 0)[0]
    yield Row("is", "torch-fidelity", ours, told["inception_score_mean"], 1e-9)

    far = other("scipy.spatial.distance")
    told = 2 * far.cdist(x, y).mean() - far.pdist(x).mean() - far.pdist(y).mean()
    yield Row("energy", "scipy", energy.energy(x, y), told, 1e-6)

    rays = torch.randn(x.shape[1], sliced.DIRECTIONS, generator=stream(0, "swd directions"))
    rays = (rays / rays.norm(dim=0)).double()
    earth_mover = other("scipy.stats").wasserstein_distance
    told = np.mean([earth_mover(x @ ray, y @ ray) for ray in rays.T])
    yield Row("swd", "scipy", sliced.distance(x.float(), y.float(), 0), told, 1e-5)

    counts = votes([Seen(x, pair.logits, pair.labels)])
    right, sure = float(counts["right"].sum()) / N, float(counts["sureness"]) / N
    told = other("sklearn.metrics").accuracy_score(pair.labels, pair.logits.argmax(1))
    yield Row("label-accuracy", "scikit-learn", right, told, 0, "absolute")
    told = other("scipy.special").softmax(pair.logits.double().numpy(), 1).max(1).mean()
    yield Row("confidence", "scipy", sure, told, 1e-9)


def frechet_rows(x: Tensor, y: Tensor) -> Iterator[Row]:
    """Yield fd beside torch-fidelity's eigenvalues and SciPy's root of a matrix."""
    ours = frechet.distance(
        *(frechet.gaussian(Seen(part) for part in each.split(300)) for each in (x, y))
    )
    fid = fidelity("fid")
    stats = [fid.fid_features_to_statistics(each) for each in (x, y)]
    (told,) = fid.fid_statistics_to_metric(*stats, verbose=False).values()
    yield Row("fd", "torch-fidelity", ours, told, 1e-6)
    means, spreads = zip(*((s["mu"], s["sigma"]) for s in stats), strict=True)
    root = other("scipy.linalg").sqrtm(spreads[0] @ spreads[1]).real
    told = np.square(means[0] - means[1]).sum() + np.trace(spreads[0] + spreads[1] - 2 * root)
    yield Row("fd", "scipy", ours, told, 1e-6)


def neighbour_rows(x: Tensor, y: Tensor) -> Iterator[Row]:
    """Yield precision and recall at k = 3, density and coverage at k = 5."""
    ours = neighbours.Neighbours(k=3, k_coverage=5)._measured(x, y)._asdict()  # noqa: SLF001
    told = fidelity("prc").prc_features_to_metric(x, y, verbose=False)
    for name in ("precision", "recall"):
        yield Row(name, "torch-fidelity", ours[name], told[name], 1e-3, "absolute")
    for k, names in ((3, ("precision", "recall")), (5, ("density", "coverage"))):
        told = other("prdc.prdc").compute_prdc(y.numpy(), x.numpy(), k)
        for name in names:
            yield Row(name, "prdc", ours[name], float(told[name]), 1e-3, "absolute")


def on_pictures() -> Iterator[Row]:
    """Yield ms-ssim of pairs of digits beside the formula on SciPy's Gaussian filter."""
    images = spread(MNIST(), 200)
    a, b = images[::2], images[1::2]
    ours = float(similarity.ms_ssim(a.double(), b.double()).mean())
    told = [filtered(p, q) for p, q in zip(a[:, 0].numpy(), b[:, 0].numpy(), strict=True)]
    yield Row("ms-ssim", "scipy", ours, float(np.mean(told)), 1e-6)


def filtered(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return MS-SSIM of two 28×28 images in -1 … 1: two scales, exponents scaled to sum to 1."""
    blur, product = other("scipy.ndimage").gaussian_filter, 1.0
    share = np.array(similarity.WEIGHTS[:2]) / sum(similarity.WEIGHTS[:2])
    a, b = a.astype(float), b.astype(float)
    for scale in (0, 1):
        if scale:
            a, b = (x.reshape(14, 2, 14, 2).mean((1, 3)) for x in (a, b))
        p, q, pp, qq, pq = (blur(x, 1.5, radius=5)[5:-5, 5:-5] for x in (a, b, a * a, b * b, a * b))
        alike = (2 * (pq - p * q) + 0.06**2) / (pp - p * p + qq - q * q + 0.06**2)
        if scale:
            alike = alike * (2 * p * q + 0.02**2) / (p * p + q * q + 0.02**2)
        product *= max(alike.mean(), 0) ** share[scale]
    return float(product)


def on_points() -> Iterator[Row]:
    """Yield the modes of a shipped model of the grid beside SciPy's search tree and entropy."""
    data, n = Grid(), 2500
    samples = gan_toolkit.load("grid25-mlp").sample(n, seed=0)
    ours = mode_scores(samples, data.means, data.sd)
    tree = other("scipy.spatial").cKDTree(data.means.double().numpy())
    gap, nearest = tree.query(samples.double().numpy())
    good = np.bincount(nearest[gap < RADIUS * data.sd], minlength=25)
    yield Row("modes", "scipy", ours.modes, float((good > 0).sum()), 0, "absolute")
    yield Row("modes-quality", "scipy", ours.quality, good.sum() / n, 1e-12)
    told = other("scipy.stats").entropy(good / good.sum(), np.full(25, 1 / 25))
    yield Row("modes-reverse-kl", "scipy", ours.reverse_kl, told, 1e-6)


def on_images() -> Iterator[Row]:
    """Yield what both Inception networks make of photographs, with the same random weights."""
    fake, real = (
        ((images + 1) * 127.5).round().to(torch.uint8)
        for images in (sampled("cifar10-cdcgan", WHOLE_WAY), spread(CIFAR10(), WHOLE_WAY))
    )
    with random_inception(real[:64]) as path:
        theirs = fidelity_api().FeatureExtractorInceptionV3(
            "random", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(path)
        )
        with torch.inference_mode():
            ours: Seen = Inception().open()(fake[:64] / 127.5 - 1)
            features, logits = theirs(fake[:64])
        assert ours.logits is not None
        for name, a, b in (
            ("features", ours.features, features),
            ("logits", ours.logits, logits),
        ):
            worst = int((a - b).abs().argmax())
            found, told = float(a.flatten()[worst]), float(b.flatten()[worst])
            yield Row(f"{name}, the worst", "torch-fidelity", found, told, 1e-3, "absolute")
        yield from whole_way(fake, real, path)


def whole_way(fake: Tensor, real: Tensor, path: Path) -> Iterator[Row]:
    """Yield scores of bytes [N, 3, H, W], from images on: ours and theirs share no line."""
    told = fidelity_api().calculate_metrics(
        input1=Listed(fake[inception.parts(len(fake), 0).flatten()]),
        input2=Listed(real),
        fid=True,
        kid=True,
        isc=True,
        kid_subsets=1,
        kid_subset_size=len(fake),
        samples_shuffle=False,
        feature_extractor_weights_path=str(path),
        cuda=False,
        cache=False,
        verbose=False,
    )
    exam = examined(
        Judged.of(fake, len(fake), 0),
        TensorData.of(real),
        Catalogue.discover(),
        n=len(fake),
        seed=0,
        via=None,
        progress=silent,
    )
    (fid,) = frechet.FrechetDistance(extractor="inception").scores(exam)
    (score,) = inception.InceptionScore(extractor="inception").scores(exam)
    eye = exam.eye("inception")
    kid = kernel.discrepancy(
        *(rows.features(side, eye, side.n, 0) for side in (exam.fake, exam.real))
    )
    yield Row(fid.name, "torch-fidelity", fid.value, told["frechet_inception_distance"], 1e-3)
    yield Row(score.name, "torch-fidelity", score.value, told["inception_score_mean"], 1e-3)
    yield Row("kid", "torch-fidelity", kid, told["kernel_inception_distance_mean"], 1e-3)


class Listed(torch.utils.data.Dataset[Tensor]):
    """Images as torch-fidelity takes them."""

    def __init__(self, images: Tensor) -> None:
        self._images = images

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._images)

    def __getitem__(self, place: int) -> Tensor:
        """Return one, uint8 [3, H, W]."""
        return self._images[place]


@contextmanager
def random_inception(images: Tensor) -> Iterator[Path]:
    """Give a file of random weights that `inception` takes for its own.

    Batch norms hold what these images [N, 3, H, W] make of them, so that features are of a healthy
    size and differ between images.
    """
    with global_stream(0, "random inception"):
        network = InceptionV3()
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)
            elif isinstance(part, nn.BatchNorm2d):
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.normal_(part.bias, 0, 0.1)
                part.momentum = 1.0
        nn.init.normal_(network.fc.weight, 0, 0.2)
        with torch.no_grad():
            network((stretched(images.float()) - 128) / 128)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hub", "checkpoints", weights.NAME)
        path.parent.mkdir(parents=True)
        torch.save(network.state_dict(), path)
        os.environ["TORCH_HOME"] = folder
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        weights.SHA256 = Inception.sha256 = digest
        yield path


def other(name: str) -> Any:  # Any: libraries without types, which only this session installs
    """Return a module of others."""
    return importlib.import_module(name)


def fidelity_api() -> Any:  # Any: as above
    """Return torch-fidelity; torchvision, which it imports, wants operators that nobody calls."""
    if not hasattr(torch.ops.torchvision, "nms"):
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        KEPT.append(library)
    return other("torch_fidelity")


KEPT: list[torch.library.Library] = []
"""A library that is let go takes its operators along."""


def fidelity(metric: str) -> Any:  # Any: as above
    """Return the module of one metric of torch-fidelity."""
    fidelity_api()
    return other(f"torch_fidelity.metric_{metric}")


def page(told: dict[str, Any]) -> str:
    """Return the page of the documentation from what the JSON holds."""
    used = ", ".join(f"{name} {told['versions'][name]}" for name in OTHERS)
    parts = [
        f"""{STAMP}
# Agreement with other implementations

Every score was taken of the same numbers by other people's code:
{used}.
`GANTK_DATA=data nox -s agreement` does it again, fails where the two do not agree, and writes this
page.

The Inception weights of the FID were not at hand. In the last table torch-fidelity's network and
ours have the same random ones, and go from images to scores.
"""
    ]
    head = f"| score | against | ours | theirs | difference | allowed |\n{'| --- ' * 6}|\n"
    for title, table in told["tables"].items():
        lines = [
            f"| `{r['score']}` | {r['against']} | {r['ours']:.6g} | {r['theirs']:.6g} "
            f"| {r['difference']:.1e} | {r['tolerance']:.0e} {r['kind']} |\n"
            for r in table
        ]
        parts.append(f"## {title}\n\n{head}{''.join(lines)}")
    return "\n".join(parts)


def as_json(found: Iterable[Row]) -> list[dict[str, Any]]:
    """Return rows as JSON holds them. Raises `SystemExit` when one does not hold."""
    plain_rows = []
    for row in found:
        plain = {**vars(row), "difference": float(row.difference), "holds": bool(row.holds)}
        plain |= {"ours": float(row.ours), "theirs": float(row.theirs)}
        print(json.dumps(plain))
        if not (row.holds and math.isfinite(row.ours)):
            raise SystemExit(f"{row.score} does not agree with {row.against}: {plain}")
        plain_rows.append(plain)
    return plain_rows


def main() -> None:
    """Compare, print, write."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    photographs = f"CIFAR-10 through `efflite0`, {N:,} samples of `cifar10-cdcgan`"
    tables = {
        f"Random features, {N:,} of 64 numbers a side": as_json(on_features(random_pair())),
        f"MNIST through `digits`, {N:,} samples of `mnist-cdcgan`": as_json(
            on_features(seen_pair("mnist-cdcgan", MNIST(), Digits()))
        ),
        photographs: as_json(on_features(seen_pair("cifar10-cdcgan", CIFAR10(), EffLite0()))),
        "Pairs of MNIST's digits": as_json(on_pictures()),
        "2,500 samples of `grid25-mlp`": as_json(on_points()),
        f"CIFAR-10 from images to scores, {WHOLE_WAY:,} a side, random Inception weights": as_json(
            on_images()
        ),
    }
    used = {**versions(), **{name: importlib.metadata.version(name) for name in OTHERS}}
    told = {"tables": tables, "versions": used}
    JSON.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(page(told), encoding="utf-8")


if __name__ == "__main__":
    main()
