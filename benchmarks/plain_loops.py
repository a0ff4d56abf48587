"""What a user would otherwise run: plain PyTorch loops as tutorials write them, and torchgan's.

Deliberately left plain: a DataLoader that transforms one sample at a time, optimisers as torch
makes them by default, D's weights learning all the while, `.item()` of every loss at every step.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

LATENT = 100


class Loop(Protocol):
    """Training that can be taken in pieces."""

    def run(self, steps: int) -> None:
        """Make so many steps."""


class Digits(Dataset[tuple[Tensor, int]]):
    """Images [N, H, W] made [1, side, side] in -1 … 1 one by one, and a class that nobody reads."""

    def __init__(self, images: Tensor, side: int) -> None:
        self.images = images.numpy()
        self.side = side

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index])
        if image.size != (self.side, self.side):
            image = image.resize((self.side, self.side), Image.Resampling.BILINEAR)
        array = np.asarray(image, dtype=np.float32)
        return torch.from_numpy(array).unsqueeze(0).div(255.0).sub(0.5).div(0.5), 0


class Batches:
    """A DataLoader's batches without end."""

    def __init__(self, data: Dataset[Any], size: int) -> None:  # Any: whatever a row is
        self.loader = DataLoader(data, batch_size=size, shuffle=True, drop_last=True)

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            for batch in self.loader:
                yield batch[0]


class Curve:
    """Points of y = 10 + x² drawn one at a time, as the tutorial's `sample_data` does."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            xs = 100 * (np.random.random_sample((self.size,)) - 0.5)  # noqa: NPY002  # as there
            points = [[x, 10 + x * x] for x in xs]
            yield torch.tensor(np.array(points), dtype=torch.float32)


Latents = Callable[[int], Tensor]


class Plain:
    """Two networks by binary cross-entropy; `again` uses the fakes of D's update in G's too."""

    def __init__(
        self,
        G: nn.Module,
        D: nn.Module,
        batches: Batches | Curve,
        z: Latents,
        optimiser: Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer],
        *,
        again: bool = True,
    ) -> None:
        self.G, self.D, self.z, self.again = G, D, z, again
        self.device = next(G.parameters()).device
        self.batches = iter(batches)
        self.of_g, self.of_d = optimiser(G.parameters()), optimiser(D.parameters())
        self.criterion = nn.BCEWithLogitsLoss()

    def run(self, steps: int) -> None:
        """Make steps."""
        for _ in range(steps):
            real = next(self.batches).to(self.device)
            count = len(real)
            ones = torch.ones(count, 1, device=self.device)
            self.of_d.zero_grad()
            loss_real = self.criterion(self.D(real), ones)
            loss_real.backward()
            fake = self.G(self.z(count).to(self.device))
            loss_fake = self.criterion(self.D(fake.detach()), torch.zeros_like(ones))
            loss_fake.backward()
            self.of_d.step()
            self.of_g.zero_grad()
            fake = fake if self.again else self.G(self.z(count).to(self.device))
            loss_g = self.criterion(self.D(fake), ones)
            loss_g.backward()
            self.of_g.step()
            _ = loss_real.item(), loss_fake.item(), loss_g.item()


class PlainPenalised(Plain):
    """Wasserstein's loss with a gradient penalty at every step."""

    def run(self, steps: int) -> None:
        """Make steps."""
        for _ in range(steps):
            real = next(self.batches).to(self.device)
            count = len(real)
            self.of_d.zero_grad()
            fake = self.G(self.z(count).to(self.device)).detach()
            mix = torch.rand(count, 1, 1, 1, device=self.device)
            between = (mix * real + (1 - mix) * fake).requires_grad_()
            verdict = self.D(between)
            gradient = torch.autograd.grad(
                verdict, between, torch.ones_like(verdict), create_graph=True, retain_graph=True
            )[0]
            penalty = ((gradient.view(count, -1).norm(2, dim=1) - 1) ** 2).mean()
            loss_d = self.D(fake).mean() - self.D(real).mean() + 10 * penalty
            loss_d.backward()
            self.of_d.step()
            self.of_g.zero_grad()
            loss_g = -self.D(self.G(self.z(count).to(self.device))).mean()
            loss_g.backward()
            self.of_g.step()
            _ = loss_d.item(), loss_g.item()


class PlainThree:
    """The O'Reilly tutorial's three optimisers: D by reals, D by fakes, G."""

    def __init__(self, batches: Batches, device: torch.device) -> None:
        self.device = device
        self.G, self.D = shrinking_generator().to(device), pooling_discriminator().to(device)
        self.batches = iter(batches)
        self.of_real = torch.optim.Adam(self.D.parameters(), lr=3e-4)
        self.of_fake = torch.optim.Adam(self.D.parameters(), lr=3e-4)
        self.of_g = torch.optim.Adam(self.G.parameters(), lr=1e-4)
        self.criterion = nn.BCEWithLogitsLoss()

    def run(self, steps: int) -> None:
        """Make steps."""
        for _ in range(steps):
            real = next(self.batches).to(self.device)
            count = len(real)
            ones = torch.ones(count, 1, device=self.device)
            zeros = torch.zeros_like(ones)
            self.of_real.zero_grad()
            loss_real = self.criterion(self.D(real), ones)
            loss_real.backward()
            self.of_real.step()
            self.of_fake.zero_grad()
            fake = self.G(torch.randn(count, LATENT, device=self.device)).detach()
            loss_fake = self.criterion(self.D(fake), zeros)
            loss_fake.backward()
            self.of_fake.step()
            self.of_g.zero_grad()
            loss_g = self.criterion(
                self.D(self.G(torch.randn(count, LATENT, device=self.device))), ones
            )
            loss_g.backward()
            self.of_g.step()
            _ = loss_real.item(), loss_fake.item(), loss_g.item()


def shrinking_generator() -> nn.Module:
    """Return the tutorial's G, its maps enlarged and shrunk as it says."""
    return nn.Sequential(
        nn.Linear(LATENT, 56 * 56),
        nn.Unflatten(1, (1, 56, 56)),
        nn.BatchNorm2d(1),
        nn.ReLU(),
        nn.Conv2d(1, LATENT // 2, 3, stride=2, padding=1),
        nn.BatchNorm2d(LATENT // 2),
        nn.ReLU(),
        nn.Upsample((56, 56), mode="bilinear"),
        nn.Conv2d(LATENT // 2, LATENT // 4, 3, stride=2, padding=1),
        nn.BatchNorm2d(LATENT // 4),
        nn.ReLU(),
        nn.Upsample((56, 56), mode="bilinear"),
        nn.Conv2d(LATENT // 4, 1, 1, stride=2),
        nn.Sigmoid(),
    )


def pooling_discriminator() -> nn.Module:
    """Return the tutorial's D."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(7 * 7 * 64, 1024),
        nn.ReLU(),
        nn.Linear(1024, 1),
    )


class TorchGAN:
    """torchgan's own Trainer with the same networks: the body of its loop over a DataLoader."""

    def __init__(
        self,
        G: nn.Module,
        D: nn.Module,
        batches: Batches,
        latent: int,
        *,
        optimiser: tuple[type, dict[str, Any]],  # Any: an optimiser's arguments
        penalised: bool = False,
    ) -> None:
        models, losses, trainer = _torchgan()

        class Generator(models.Generator):  # type: ignore[misc,name-defined]  # untyped package
            def __init__(self) -> None:
                super().__init__(latent)
                self.inner = G

            def forward(self, z: Tensor) -> Tensor:
                made: Tensor = self.inner(z)
                return made

        class Discriminator(models.Discriminator):  # type: ignore[misc,name-defined]  # as above
            def __init__(self) -> None:
                super().__init__(0)
                self.inner = D

            def forward(self, x: Tensor, feature_matching: bool = False) -> Tensor:
                del feature_matching
                verdict: Tensor = self.inner(x)
                return verdict

        cls, arguments = optimiser
        how = {"name": cls, "args": arguments}
        chosen = (
            [
                losses.WassersteinGeneratorLoss(),
                losses.WassersteinDiscriminatorLoss(),
                losses.WassersteinGradientPenalty(),
            ]
            if penalised
            else [
                losses.MinimaxGeneratorLoss(nonsaturating=True),
                losses.MinimaxDiscriminatorLoss(),
            ]
        )
        folder = tempfile.mkdtemp()
        self.trainer = trainer.Trainer(
            {
                "generator": {"name": Generator, "optimizer": how},
                "discriminator": {"name": Discriminator, "optimizer": how},
            },
            chosen,
            device=next(G.parameters()).device,
            sample_size=8,
            checkpoints=f"{folder}/gan",
            recon=folder,
        )
        self.trainer.batch_size = batches.loader.batch_size
        self.trainer._store_loss_maps()  # noqa: SLF001  # as calling it with a loader does
        self.batches = iter(batches)

    def run(self, steps: int) -> None:
        """Make steps as `Trainer.train` does between the beginning and the end of an epoch."""
        trainer = self.trainer
        for _ in range(steps):
            trainer.real_inputs = next(self.batches).to(trainer.device)
            of_g, of_d, times_g, times_d = trainer.train_iter()
            trainer.loss_information["generator_losses"] += of_g
            trainer.loss_information["discriminator_losses"] += of_d
            trainer.loss_information["generator_iters"] += times_g
            trainer.loss_information["discriminator_iters"] += times_d
            trainer.logger.run_mid_epoch(trainer)


def _torchgan() -> tuple[Any, Any, Any]:  # Any: an untyped package
    """Import torchgan 0.1.0 beside a current torch; raises ImportError where it is not installed.

    Its torchvision needs two operators declared that the CPU build of torch lacks.
    """
    os.environ |= {"TENSORBOARD_LOGGING": "0", "VISDOM_LOGGING": "0"}
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    names = ("torchgan.models", "torchgan.losses", "torchgan.trainer")
    models, losses, trainer = map(import_module, names)
    return models, losses, trainer
