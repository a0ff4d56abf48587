from math import prod

from torch import nn

from gan_toolkit import Component, DataSpec, TwoNetworks, hookimpl


class Small(TwoNetworks):
    """Two small fully connected networks."""

    def generator(self, spec: DataSpec) -> nn.Module:
        shape = spec.sample.shape
        layers = [nn.Linear(self.latent, 256), nn.ReLU(), nn.Linear(256, prod(shape)), nn.Tanh()]
        return nn.Sequential(*layers, nn.Unflatten(1, shape))

    def discriminator(self, spec: DataSpec) -> nn.Module:
        first = nn.Linear(prod(spec.sample.shape), 256)
        return nn.Sequential(nn.Flatten(), first, nn.LeakyReLU(0.2), nn.Linear(256, 1))


@hookimpl
def gantk_components() -> list[Component]:
    summary = "Two small fully connected networks"
    return [Component("architecture", "small", Small, summary, paper="ours, 2026")]
