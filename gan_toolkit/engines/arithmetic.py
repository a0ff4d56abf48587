"""Torch's optimisers with every number a tensor, so that a program of a step holds them.

Each function changes one weight and its optimiser's memory in place, as `Optimizer.step` does for
one with a gradient. `group` is the optimiser's parameter group, `lr` a 0-d float64 tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer, RMSprop

Slots = Mapping[str, Tensor]
"""An optimiser's memory of one weight."""
Group = Mapping[str, Any]  # Any: torch's own type for parameter groups
Update = Callable[[Tensor, Tensor, Slots, Tensor, Group], None]


def adam(weight: Tensor, gradient: Tensor, slots: Slots, lr: Tensor, group: Group) -> None:
    """Adam (Kingma & Ba 2015, algorithm 1); bias corrections in float64, as torch's are."""
    beta1, beta2 = group["betas"]
    slots["step"].add_(1)
    count = slots["step"].double()
    first, second = slots["exp_avg"], slots["exp_avg_sq"]
    first.lerp_(gradient, 1 - beta1)
    second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    scale = (1 - beta2**count).sqrt()
    denominator = second.sqrt() / scale + group["eps"]
    weight.sub_(lr / (1 - beta1**count) * (first / denominator))


def rmsprop(weight: Tensor, gradient: Tensor, slots: Slots, lr: Tensor, group: Group) -> None:
    """RMSProp (Tieleman & Hinton 2012, lecture 6.5), with or without momentum."""
    slots["step"].add_(1)
    second = slots["square_avg"]
    second.mul_(group["alpha"]).addcmul_(gradient, gradient, value=1 - group["alpha"])
    change = gradient / (second.sqrt() + group["eps"])
    if group["momentum"]:
        change = slots["momentum_buffer"].mul_(group["momentum"]).add_(change)
    weight.sub_(lr * change)


def sgd(weight: Tensor, gradient: Tensor, slots: Slots, lr: Tensor, group: Group) -> None:
    """Stochastic gradient descent, with or without momentum."""
    if group["momentum"]:
        gradient = slots["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
    weight.sub_(lr * gradient)


UPDATES: dict[type[Optimizer], Update] = {Adam: adam, RMSprop: rmsprop, SGD: sgd}
"""Every optimiser that a recipe can name."""


@torch.no_grad()
def prepare_slots(optimiser: Optimizer, like: Optimizer) -> None:
    """Give `optimiser` the memory of a first step, zeros, wherever `like` has any by now."""
    for own, other in zip(_weights(optimiser), _weights(like), strict=True):
        if other in like.state and own not in optimiser.state:
            optimiser.state[own] = {
                slot: torch.zeros_like(tensor) for slot, tensor in like.state[other].items()
            }


def _weights(optimiser: Optimizer) -> list[Tensor]:
    return [weight for group in optimiser.param_groups for weight in group["params"]]
