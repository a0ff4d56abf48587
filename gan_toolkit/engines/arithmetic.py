"""Torch's optimisers with every number a tensor, so that a program of a step holds them.

Each function changes weights and an optimiser's memory of them in place, as `Optimizer.step` does
for those with a gradient. `group` is the optimiser's parameter group, `lr` a 0-d float64 tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer, RMSprop
from torch.optim.adam import adam as torch_adam

Slots = Mapping[str, Tensor]
"""An optimiser's memory of one weight, or of several that lie end to end as one vector."""
OWNERS = "owners"
"""Beside the memory of several: the place of the weight that each number is of."""
Group = Mapping[str, Any]  # Any: torch's own type for parameter groups
UpdateOne = Callable[[Tensor, Tensor, Slots, Tensor, Group], None]
Update = Callable[[Sequence[Tensor], Sequence[Tensor], Sequence[Slots], Tensor, Group], None]
Updates = Mapping[type[Optimizer], Update]


def adam(weight: Tensor, gradient: Tensor, slots: Slots, lr: Tensor, group: Group) -> None:
    """Adam (Kingma & Ba 2015, algorithm 1); bias corrections in float64, as torch's are."""
    beta1, beta2 = group["betas"]
    slots["step"].add_(1)
    count = slots["step"].double()
    first, second = slots["exp_avg"], slots["exp_avg_sq"]
    first.lerp_(gradient, 1 - beta1)
    second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    scale = _each((1 - beta2**count).sqrt(), slots, weight)
    denominator = second.sqrt() / scale + group["eps"]
    weight.sub_(_each(lr / (1 - beta1**count), slots, weight) * (first / denominator))


def _each(values: Tensor, slots: Slots, weight: Tensor) -> Tensor:
    """Return for each number of a vector of weights the value of the weight that it is from."""
    owners = slots.get(OWNERS)
    if owners is None:
        return values
    stored = values.as_strided(values.shape, values.stride())  # not computed for each anew
    return stored[owners].to(weight.dtype)


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


def at_once(
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
    slots: Sequence[Slots],
    lr: Tensor,
    group: Group,
) -> None:
    """Adam by torch's own kernel for many weights, which on a GPU reads a rate in float32.

    The kernel walks through storage, so gradients are laid out as their weights are.
    """
    beta1, beta2 = group["betas"]
    laid_out = [torch.empty_like(weight) for weight in weights]
    torch._foreach_copy_(laid_out, list(gradients))
    torch_adam(
        list(weights),
        laid_out,
        [memory["exp_avg"] for memory in slots],
        [memory["exp_avg_sq"] for memory in slots],
        [],
        [memory["step"] for memory in slots],
        fused=True,
        amsgrad=False,
        beta1=beta1,
        beta2=beta2,
        lr=lr.float() if lr.is_cuda else lr,
        weight_decay=0.0,
        eps=group["eps"],
        maximize=False,
    )


def _one_by_one(update: UpdateOne) -> Update:
    def all_of_them(
        weights: Sequence[Tensor],
        gradients: Sequence[Tensor],
        slots: Sequence[Slots],
        lr: Tensor,
        group: Group,
    ) -> None:
        for weight, gradient, memory in zip(weights, gradients, slots, strict=True):
            update(weight, gradient, memory, lr, group)

    return all_of_them


WRITTEN_OUT: Updates = {
    Adam: _one_by_one(adam),
    RMSprop: _one_by_one(rmsprop),
    SGD: _one_by_one(sgd),
}
"""Every optimiser that a recipe can name, in operations that a compiler can fuse."""
AT_ONCE: Updates = {**WRITTEN_OUT, Adam: at_once}
"""The same in few operations, for those that are run as they are."""


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
