"""Train the small MNIST classifier that the benchmarks measure samples with.

Run (about three minutes of one core; GANTK_DATA is the folder of the four MNIST IDX files):

    GANTK_DATA=data python benchmarks/mnist_classifier.py --out mnist_classifier.safetensors

The network sees MNIST and nothing else. Its 128 penultimate features are what `frechet.py`
compares, so a Frechet distance is only comparable between runs measured with the same file:
the seed is fixed, and the file, once trained, should be kept.
"""

from __future__ import annotations

import argparse
import gzip
import os
from pathlib import Path
from time import process_time

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

FEATURES = 128
CLASSES = 10
_IDX_UNSIGNED_BYTE = 8


class Classifier(nn.Module):
    """Two convolutions and two linear layers; about 99.2 % on the MNIST test set."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(64 * 7 * 7, FEATURES),
            nn.ReLU(),
        )
        self.head = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Class logits of images [N, 1, 28, 28] in [-1, 1]."""
        logits: Tensor = self.head(self.body(images))
        return logits


def data_folder() -> Path:
    """The folder of the MNIST files, from the environment variable GANTK_DATA."""
    return Path(os.environ.get("GANTK_DATA", "data"))


def read_idx(path: Path) -> Tensor:
    """Read one gzipped IDX file of unsigned bytes."""
    raw = gzip.decompress(path.read_bytes())
    if raw[2] != _IDX_UNSIGNED_BYTE:
        message = f"{path}: not an IDX file of unsigned bytes"
        raise ValueError(message)
    dimensions = raw[3]
    shape = np.frombuffer(raw, dtype=">u4", count=dimensions, offset=4)
    values = np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * dimensions)
    return torch.from_numpy(values.reshape([int(n) for n in shape]).copy())


def read_mnist(split: str) -> tuple[Tensor, Tensor]:
    """MNIST images [N, 28, 28] (uint8) and labels [N] of the split "train" or "t10k"."""
    folder = data_folder()
    images = read_idx(folder / f"{split}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz")
    return images, labels.long()


def to_input(images: Tensor) -> Tensor:
    """Turn uint8 images [N, 28, 28] into classifier input [N, 1, 28, 28] in [-1, 1]."""
    return images.unsqueeze(1).float().div(127.5).sub(1.0)


@torch.inference_mode()
def features(net: Classifier, images: Tensor, batch: int = 1000) -> Tensor:
    """Penultimate features [N, 128] of images [N, 1, 28, 28] in [-1, 1]."""
    net.eval()
    return torch.cat([net.body(part) for part in torch.split(images, batch)])


def load(path: Path | str) -> Classifier:
    """Load a classifier that this script has saved."""
    net = Classifier()
    net.load_state_dict(load_file(path))
    return net.eval()


def accuracy(net: Classifier, images: Tensor, labels: Tensor) -> float:
    """Share of images [N, 1, 28, 28] in [-1, 1] that the classifier names as labelled."""
    with torch.inference_mode():
        predicted = net.head(features(net, images)).argmax(1)
    return float((predicted == labels).float().mean())


def train(epochs: int, batch: int = 128, seed: int = 0) -> Classifier:
    """Train on the MNIST training set with a one-cycle schedule."""
    torch.manual_seed(seed)
    images, labels = read_mnist("train")
    data = to_input(images)
    net = Classifier()
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    steps = len(data) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=2e-3, total_steps=epochs * steps
    )
    start = process_time()
    for epoch in range(epochs):
        net.train()
        for chosen in torch.split(torch.randperm(len(data))[: steps * batch], batch):
            loss = functional.cross_entropy(net(data[chosen]), labels[chosen])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, {process_time() - start:.0f} s CPU")
    return net.eval()


def main() -> None:
    """Train, save and print the test accuracy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("mnist_classifier.safetensors"))
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    net = train(arguments.epochs)
    images, labels = read_mnist("t10k")
    share = accuracy(net, to_input(images), labels)
    save_file(net.state_dict(), arguments.out)
    print(f"test accuracy {100 * share:.2f} %, saved to {arguments.out}")


if __name__ == "__main__":
    main()
