"""Layers of torch's that can be had faster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import fold, leaky_relu


class ConvTranspose2d(nn.ConvTranspose2d):
    """Torch's transposed convolution, several times as fast to a single channel on a CPU.

    [N, C, H, W] → [N, C', H', W']. Libraries make it as the gradient of a convolution, which is
    slow when that has one channel to read. One product gives what every pixel adds to the patch
    around its place, and the patches are added up: no more than the definition (Dumoulin & Visin
    2016, arXiv:1603.07285, section 4).
    """

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:  # noqa: A002  # torch's own name for it
        """Return the maps."""
        plain = output_size is None and input.dim() == 4
        if self.out_channels > 1 or not plain or input.device.type != "cpu":
            return super().forward(input, output_size)  # type: ignore[arg-type]  # as torch's is typed
        count, _, *sides = input.shape
        added = self.weight.flatten(1).t() @ input.transpose(0, 1).flatten(1)  # [k², N·H·W]
        patches = added.unflatten(1, (count, sides[0] * sides[1])).transpose(0, 1)
        assert not isinstance(self.padding, str)  # it has no names in a transposed one
        enlarged = tuple(
            (side - 1) * stride - 2 * padding + dilation * (kernel - 1) + more + 1
            for side, stride, padding, dilation, kernel, more in zip(
                sides,
                self.stride,
                self.padding,
                self.dilation,
                self.kernel_size,
                self.output_padding,
                strict=True,
            )
        )
        maps = fold(
            patches.to(self.weight.dtype),
            enlarged,
            self.kernel_size,
            self.dilation,
            self.padding,
            self.stride,
        )
        if self.bias is not None:
            maps = maps + self.bias
        return maps.to(added.dtype)


class LeakyReLU(nn.LeakyReLU):
    """Torch's leaky ReLU, cheaper to differentiate twice, as a penalty on slopes asks for.

    It is linear on either side of 0, so its second derivative is 0. Torch sends that zero back
    through all layers before it; here nothing is sent. It remembers its output, which so must not
    be written over, and is differentiated backwards only.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's own name for it
        """Return the input where it is positive, `negative_slope` times it elsewhere."""
        if self.negative_slope < 0 or _traced():  # no function of its output; torch's own graph
            return super().forward(input)
        leaked: Tensor = _Leak.apply(  # type: ignore[no-untyped-call]  # torch's own
            input, self.negative_slope, self.inplace
        )
        return leaked


class _Leak(Function):
    @staticmethod
    def forward(x: Tensor, slope: float, inplace: bool) -> Tensor:
        return leaky_relu(x, slope, inplace)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, bool], output: Tensor) -> None:
        x, ctx.slope, inplace = inputs
        if inplace:
            ctx.mark_dirty(x)
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (y,) = ctx.saved_tensors
        found = torch.ops.aten.leaky_relu_backward(gradient, y.detach(), ctx.slope, True)
        return found, None, None


def _traced() -> bool:
    """Return whether `torch.jit.trace` writes down what is done, as it does for TensorBoard."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined,no-untyped-call]  # torch's own
