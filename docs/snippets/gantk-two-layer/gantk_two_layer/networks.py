import math

from torch import nn

from gan_toolkit import DataSpec, Field, TwoNetworks


class TwoLayer(TwoNetworks):
    """Fully connected generator and discriminator, for images or vectors in -1 … 1."""

    width: int = Field(256, ge=1, le=65536, description="units of the hidden layers")

    def refusals(self, spec: DataSpec) -> list[str]:
        many = math.prod(spec.sample.shape)
        return [f"two-layer is for small samples, not for {many} numbers."] if many > 65536 else []

    def generator(self, spec: DataSpec) -> nn.Module:
        shape = spec.sample.shape
        return nn.Sequential(
            nn.Linear(self.latent, self.width),
            nn.ReLU(),
            nn.Linear(self.width, math.prod(shape)),
            nn.Tanh(),
            nn.Unflatten(1, shape),
        )

    def discriminator(self, spec: DataSpec) -> nn.Module:
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(spec.sample.shape), self.width),
            nn.LeakyReLU(0.2),
            nn.Linear(self.width, 1),
        )
