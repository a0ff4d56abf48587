"""A plain DCGAN training loop, as tutorials write it: the baseline the toolkit has to beat.

Run (OMP_NUM_THREADS decides the number of threads; unset, torch uses every core):

    GANTK_DATA=data python benchmarks/tutorial_dcgan.py --minutes 6 --out samples.npz --seed 0

The recipe is that of Radford, Metz and Chintala, "Unsupervised Representation Learning with
Deep Convolutional Generative Adversarial Networks", 2016, on MNIST resized to 32x32 at width
64: Adam at 2e-4 with beta1 0.5, batch 64, weights from N(0, 0.02), the non-saturating loss, a
DataLoader that transforms one sample at a time and two `.item()` calls in every step. It is
deliberately left plain. Training stops after --minutes of wall time (or --steps); then 10,000
samples (uint8, 32x32) are written to --out and 64 of them as a PNG beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import monotonic, process_time

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from gantk_mnist.data import MNIST

SIZE = 32
LATENT = 100
WIDTH = 64
BATCH = 64
SAMPLES = 10_000
GRID = 8


class Digits(Dataset[Tensor]):
    """MNIST training images, each made 1x32x32 in [-1, 1] when it is asked for."""

    def __init__(self) -> None:
        source = MNIST().open()
        self.images = source.gather(torch.arange(60_000))["sample"].squeeze(1).numpy()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        image = Image.fromarray(self.images[index])
        image = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        array = np.asarray(image, dtype=np.float32)
        return torch.from_numpy(array).unsqueeze(0).div(255.0).sub(0.5).div(0.5)


def init_weights(module: nn.Module) -> None:
    """N(0, 0.02) for convolutions, N(1, 0.02) for the scales of batch norms."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def make_generator() -> nn.Sequential:
    """100 -> 4x4x256 -> 8x8x128 -> 16x16x64 -> 32x32x1."""
    return nn.Sequential(
        nn.ConvTranspose2d(LATENT, WIDTH * 4, 4, 1, 0, bias=False),
        nn.BatchNorm2d(WIDTH * 4),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(WIDTH * 4, WIDTH * 2, 4, 2, 1, bias=False),
        nn.BatchNorm2d(WIDTH * 2),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(WIDTH * 2, WIDTH, 4, 2, 1, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1, bias=False),
        nn.Tanh(),
    )


def make_discriminator() -> nn.Sequential:
    """32x32x1 -> 16x16x64 -> 8x8x128 -> 4x4x256 -> one logit."""
    return nn.Sequential(
        nn.Conv2d(1, WIDTH, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(WIDTH, WIDTH * 2, 4, 2, 1, bias=False),
        nn.BatchNorm2d(WIDTH * 2),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(WIDTH * 2, WIDTH * 4, 4, 2, 1, bias=False),
        nn.BatchNorm2d(WIDTH * 4),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(WIDTH * 4, 1, 4, 1, 0, bias=False),
        nn.Flatten(0),
    )


def train(minutes: float, limit: int) -> nn.Sequential:
    """Train until the minutes or the steps are used up; return the generator."""
    start, used = monotonic(), process_time()
    loader = DataLoader(Digits(), batch_size=BATCH, shuffle=True)
    generator, discriminator = make_generator(), make_discriminator()
    generator.apply(init_weights)
    discriminator.apply(init_weights)
    criterion = nn.BCEWithLogitsLoss()
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    step = 0
    while True:
        for real in loader:
            count = len(real)
            optimizer_d.zero_grad()
            loss_real = criterion(discriminator(real), torch.ones(count))
            loss_real.backward()
            fake = generator(torch.randn(count, LATENT, 1, 1))
            loss_fake = criterion(discriminator(fake.detach()), torch.zeros(count))
            loss_fake.backward()
            optimizer_d.step()

            optimizer_g.zero_grad()
            loss_g = criterion(discriminator(fake), torch.ones(count))
            loss_g.backward()
            optimizer_g.step()

            value_d, value_g = loss_real.item() + loss_fake.item(), loss_g.item()
            step += 1
            seconds = monotonic() - start
            done = seconds >= 60 * minutes or 0 < limit <= step
            if done or step % 100 == 0:
                print(
                    f"step {step}: loss D {value_d:.3f}, G {value_g:.3f}, {seconds:.0f} s, "
                    f"{process_time() - used:.0f} s CPU",
                    flush=True,
                )
            if done:
                return generator


@torch.no_grad()
def sample(generator: nn.Sequential) -> Tensor:
    """Draw uint8 samples [10000, 32, 32]."""
    generator.eval()
    parts = [generator(torch.randn(500, LATENT, 1, 1)) for _ in range(SAMPLES // 500)]
    return torch.cat(parts).squeeze(1).add(1).mul(127.5).round().byte()


def save_grid(images: Tensor, path: Path) -> None:
    """Write the first 64 images as one 8x8 PNG."""
    rows = images[: GRID * GRID].reshape(GRID, GRID, SIZE, SIZE).permute(0, 2, 1, 3)
    Image.fromarray(rows.reshape(GRID * SIZE, GRID * SIZE).numpy()).save(path)


def main() -> None:
    """Train, then write samples and a grid of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--steps", type=int, default=0, help="stop earlier, after this many steps")
    parser.add_argument("--out", type=Path, default=Path("samples.npz"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    images = sample(train(arguments.minutes, arguments.steps))
    np.savez_compressed(arguments.out, samples=images.numpy())
    save_grid(images, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
