"""What a run would cost, measured on a few of its own steps rather than guessed."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import torch

from gan_toolkit.observer import Observer
from gan_toolkit.timing import Timing
from gan_toolkit.training import Ready


@dataclass(frozen=True)
class Estimate:
    """Sizes, time and memory of a run that was not started."""

    parameters: dict[str, int]
    data: str
    samples: int | None
    classes: int
    shape: tuple[int, ...]
    ms_per_step: float
    minutes: float
    memory_mib: int

    def lines(self) -> list[str]:
        """Return the estimate as a person reads it."""
        sizes = ", ".join(f"{name} {count:,}" for name, count in self.parameters.items())
        many = f"{self.samples:,}" if self.samples else "endless"
        classes = f"{self.classes} classes" if self.classes else "no classes"
        length = f"about {self.minutes:.1f} minutes" if self.minutes >= 1 else "under a minute"
        return [
            f"parameters: {sizes}",
            f"data: {self.data}, {many} samples of {list(self.shape)}, {classes}",
            f"time: {self.ms_per_step:.1f} ms a step, {length} in all",
            f"memory: about {self.memory_mib} MiB at the peak",
        ]


def estimate(ready: Ready) -> Estimate:
    """Return what the run would cost, after making a few of its steps and throwing them away."""
    trainer = ready.trainer(Observer())
    trainer.settle_engine()
    seconds = Timing(trainer).a_step()
    spec = trainer.state.spec
    return Estimate(
        parameters={
            name: sum(parameter.numel() for parameter in network.parameters())
            for name, network in trainer.state.networks.items()
        },
        data=spec.name,
        samples=spec.length,
        classes=len(spec.classes),
        shape=spec.sample.shape,
        ms_per_step=1000 * seconds,
        minutes=seconds * ready.recipe.plan.length / 60,
        memory_mib=_peak_bytes(trainer.device) >> 20,
    )


def _peak_bytes(device: torch.device) -> int:
    """Return the most memory held so far: the device's for CUDA, else this process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
