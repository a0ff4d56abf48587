"""Batch norm over the rows of all processes, on any device.

torch's own `SyncBatchNorm` is for CUDA alone. This is the plain formula with one differentiable
exchange a layer, so it may be differentiated twice; names and shapes of weights stay as they are.
"""

from __future__ import annotations

import types
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan_toolkit import processes


def synchronise(networks: Iterable[nn.Module]) -> None:
    """Let every batch norm of these networks see the rows of all processes while it trains."""
    if processes.count() == 1:
        return
    for network in networks:
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.forward = types.MethodType(_forward, module)  # type: ignore[method-assign]  # of this one alone: its class, and so its place in a file, stays


def _forward(self: _BatchNorm, rows: Tensor) -> Tensor:
    """Return rows [n, C, …] normalised by the mean and variance of all processes' rows."""
    if not self.training:
        plain: Tensor = type(self).forward(self, rows)
        return plain
    self._check_input_dim(rows)
    within = [place for place in range(rows.dim()) if place != 1]
    wide = rows.float() if rows.dtype in {torch.bfloat16, torch.float16} else rows
    mean, variance = gathered(
        torch.stack([wide.mean(within), wide.var(within, correction=0)])
    ).unbind(1)  # [processes, C] each
    variance = (variance + (mean - mean.mean(0)).square()).mean(0)
    mean = mean.mean(0)
    _remember(self, mean, variance, rows.numel() // rows.shape[1] * processes.count())
    shape = [-1 if place == 1 else 1 for place in range(rows.dim())]
    made = (wide - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
    if self.affine:
        made = made * self.weight.view(shape) + self.bias.view(shape)
    return made.to(rows.dtype)


@torch.no_grad()
def _remember(norm: _BatchNorm, mean: Tensor, variance: Tensor, n: int) -> None:
    """Move the running statistics as torch does: by the unbiased variance of `n` values."""
    if norm.running_mean is None or norm.running_var is None:
        return
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked += 1
    weight = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), weight)
    norm.running_var.lerp_((variance * n / (n - 1)).to(norm.running_var.dtype), weight)


def gathered(tensor: Tensor) -> Tensor:
    """Return the tensors of all processes, [processes, …]; gradients find their way back."""
    rows = [torch.zeros_like(tensor)] * processes.count()
    rows[processes.rank()] = tensor
    found: Tensor = _Sum.apply(torch.stack(rows))  # type: ignore[no-untyped-call]  # torch leaves it so
    return found


class _Sum(torch.autograd.Function):
    """The sum over processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: object, tensor: Tensor) -> Tensor:  # noqa: ARG004  # torch's form
        return processes.summed(tensor)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:  # noqa: ARG004  # torch's form
        found: Tensor = _Sum.apply(gradient)  # type: ignore[no-untyped-call]  # as above
        return found
