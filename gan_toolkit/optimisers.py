"""Optimisers as options; the arithmetic is torch's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch.optim import Optimizer

from gan_toolkit.options import Factor, Field, Options

Groups = Iterable[dict[str, Any]]  # Any: torch's own type for parameter groups


class _Rate(Options):
    lr: Factor = Field(2e-4, description="learning rate, a number or a schedule, never negative")


class Adam(_Rate):
    """Adam (Kingma & Ba 2015, algorithm 1)."""

    name: Literal["adam"] = Field("adam", description="which optimiser")
    beta1: float = Field(0.5, ge=0, lt=1, description="decay of the first moment")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of the second moment")
    eps: float = Field(1e-8, gt=0, description="added to the root of the second moment")

    def build(self, groups: Groups) -> Optimizer:
        """Return the optimiser over parameter groups."""
        return torch.optim.Adam(groups, betas=(self.beta1, self.beta2), eps=self.eps, fused=True)


class RMSProp(_Rate):
    """RMSProp (Tieleman & Hinton 2012, lecture 6.5)."""

    name: Literal["rmsprop"] = Field("rmsprop", description="which optimiser")
    decay: float = Field(0.9, ge=0, lt=1, description="decay of the mean square")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum")
    eps: float = Field(1e-10, gt=0, description="added to the root of the mean square")

    def build(self, groups: Groups) -> Optimizer:
        """Return the optimiser over parameter groups; on a GPU, its step count is there too."""
        held = list(groups)
        return torch.optim.RMSprop(
            held,
            alpha=self.decay,
            momentum=self.momentum,
            eps=self.eps,
            foreach=True,
            capturable=any(weight.is_cuda for group in held for weight in group["params"]),
        )


class SGD(_Rate):
    """Stochastic gradient descent, optionally with momentum."""

    name: Literal["sgd"] = Field("sgd", description="which optimiser")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum")

    def build(self, groups: Groups) -> Optimizer:
        """Return the optimiser over parameter groups."""
        return torch.optim.SGD(groups, momentum=self.momentum, fused=True)
