"""Layers of torch's that can be had faster."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from gan_toolkit.system import multiplies_fast

Pair = tuple[int, ...]
"""A number for the height and one for the width."""
Sizes = tuple[Pair, Pair, Pair, int]
"""Stride, padding, dilation and groups of a convolution."""
Wanted = tuple[bool, bool, bool]
"""Which gradients of a convolution: its input's, its weight's, its bias's."""
Found = tuple[Tensor | None, Tensor | None, Tensor | None]
OFTEN = 7
"""Copies of an input that its patches may hold for a product of them to be worth it.

5×5 kernels at stride 2 take 6, which was faster; at stride 1 they take 25, which was not.
"""
MORE = 2
"""Times that weights must outnumber the numbers of a map's slope for the same in float32.

DCGAN's last layers, 2 and 4 times, gained a quarter and a third; 1.1 times cost a step 1.5 %.
"""


class Conv2d(nn.Conv2d):
    """Torch's convolution with cheaper gradients, by `conv2d` of this module: no forward mode."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's own name for it
        """Return the maps."""
        if self.padding_mode != "zeros" or isinstance(self.padding, str) or input.dim() != 4:
            return super().forward(input)
        return conv2d(
            input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


class ConvTranspose2d(nn.ConvTranspose2d):
    """Torch's transposed convolution with cheaper gradients: [N, C, H, W] → [N, C', H', W'].

    It is the gradient of a convolution's input (Dumoulin & Visin 2016, arXiv:1603.07285, section
    4), so on a CPU a single channel is made as `conv2d` makes that, several times as fast as by
    torch.
    """

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:  # noqa: A002  # torch's own name for it
        """Return the maps."""
        plain = output_size is None and input.dim() == 4 and input.shape[1] == self.in_channels
        usual = all(more < by for more, by in zip(self.output_padding, self.stride, strict=True))
        if not (plain and usual) or _traced():
            return super().forward(input, output_size)  # type: ignore[arg-type]  # as torch's is typed
        given = map(_narrowed, (input, self.weight, self.bias))
        sizes = (self.stride, self.padding, self.dilation, self.groups)
        maps: Tensor = _Transposed.apply(*given, sizes, self.output_padding)  # type: ignore[no-untyped-call]  # torch's own
        return maps


def conv2d(
    input: Tensor,  # noqa: A002  # torch's own name for it
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Tensor:
    """Return torch's convolution: [N, C, H, W], [C', C / groups, k, k'] → [N, C', H', W'].

    It is linear in its input, so what a penalty differentiates a second time has no part that goes
    through it to the layers before. Torch sends a zero there, and takes the weight's part by a
    dilated convolution of swapped axes; here nothing is sent, and that part is taken as the first
    derivative's is. On a CPU some gradients are products of matrices, which are faster: that of a
    single channel, and that of a weight in bfloat16 or, on Intel's, where weights outnumber maps.
    Differentiated backwards only.
    """
    if _traced():
        return functional.conv2d(input, weight, bias, stride, padding, dilation, groups)
    given = map(_narrowed, (input, weight, bias))
    sizes = (stride, padding, dilation, groups)
    maps: Tensor = _Convolution.apply(*given, sizes)  # type: ignore[no-untyped-call]  # torch's own
    return maps


class _Convolution(Function):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, sizes: Sizes) -> Tensor:
        if weight.shape[1] == 1:  # a compiler forgets on which side of the others it lies
            weight = weight.as_strided(weight.shape, weight.stride())
        return functional.conv2d(x, weight, bias, *sizes)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        del output
        x, weight, _, ctx.sizes = inputs
        ctx.save_for_backward(x, weight)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, slope: Tensor | None) -> tuple[Tensor | None, ...]:
        if slope is None:
            return None, None, None, None
        found: Found = _Gradient.apply(slope, *ctx.saved_tensors, ctx.sizes, _wanted(ctx))  # type: ignore[no-untyped-call]  # torch's own
        return *found, None


class _Transposed(Function):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, sizes: Sizes, more: Pair) -> Tensor:
        stride, padding, dilation, groups = sizes
        if not _of_one_channel(weight, sizes):
            return functional.conv_transpose2d(
                x, weight, bias, stride, padding, more, groups, dilation
            )
        sides = tuple(
            (side - 1) * by - 2 * rim + apart * (kernel - 1) + 1 + added
            for side, kernel, by, rim, apart, added in zip(
                x.shape[2:], weight.shape[2:], stride, padding, dilation, more, strict=True
            )
        )
        maps = _added_up(x, weight, sizes, sides)
        return (maps if bias is None else maps + bias).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        del output
        x, weight, _, ctx.sizes, _ = inputs
        ctx.save_for_backward(x, weight)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, slope: Tensor | None) -> tuple[Tensor | None, ...]:
        if slope is None:
            return None, None, None, None, None
        x, weight = ctx.saved_tensors
        x_wanted, weight_wanted, bias_wanted = _wanted(ctx)
        only = (False, weight_wanted, False)
        found: Found = _Gradient.apply(x, slope, weight, ctx.sizes, only)  # type: ignore[no-untyped-call]  # torch's own
        of_x = conv2d(slope, weight, None, *ctx.sizes) if x_wanted else None
        return of_x, found[1], slope.sum((0, 2, 3)) if bias_wanted else None, None, None


class _Gradient(Function):
    """What is wanted of a convolution's gradients, from the slope of its maps."""

    @staticmethod
    def forward(slope: Tensor, x: Tensor, weight: Tensor, sizes: Sizes, wanted: Wanted) -> Found:
        return _gradients(slope, x, weight, sizes, wanted)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Found) -> None:
        del output
        *tensors, ctx.sizes, _ = inputs
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(
        ctx: Any, of_x: Tensor | None, of_weight: Tensor | None, of_bias: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """Return the second derivatives: each gradient is linear in the slope and in one other."""
        slope, x, weight = ctx.saved_tensors
        slope_wanted, x_wanted, weight_wanted = _wanted(ctx)
        parts: list[Tensor] = []
        second_of_x: Tensor | None = None
        second_of_weight: Tensor | None = None
        if of_x is not None:
            parts += [conv2d(of_x, weight, None, *ctx.sizes)] if slope_wanted else []
            only = (False, weight_wanted, False)
            second_of_weight = _gradients(slope, of_x, weight, ctx.sizes, only)[1]
        if of_weight is not None:
            parts += [conv2d(x, of_weight, None, *ctx.sizes)] if slope_wanted else []
            only = (x_wanted, False, False)
            second_of_x = _gradients(slope, x, of_weight, ctx.sizes, only)[0]
        if of_bias is not None and slope_wanted:
            parts.append(of_bias.view(-1, 1, 1).expand_as(slope))
        second_of_slope = sum(parts[1:], parts[0]) if parts else None
        return second_of_slope, second_of_x, second_of_weight, None, None


def _wanted(ctx: Any) -> Wanted:
    """Return which of three gradients somebody reads; `needs_input_grad` says which there could be.

    Of a penalty's first gradient, which is that of samples, no weight's is read.
    """

    def read(node: Any) -> bool:
        try:
            return bool(torch._C._will_engine_execute_node(node))  # noqa: SLF001  # no other asks
        except RuntimeError:  # a leaf that `autograd.grad` was given
            return True

    nodes = [node for node, _ in ctx.next_functions]  # none for a bias that there is not
    found = [need and read(node) for need, node in zip(ctx.needs_input_grad, nodes, strict=False)]
    return found[0], found[1], len(found) > 2 and found[2]


def _gradients(slope: Tensor, x: Tensor, weight: Tensor, sizes: Sizes, wanted: Wanted) -> Found:
    """Return the gradients of input, weight and bias that are wanted, the fastest way known."""
    of_x, of_weight, of_bias = wanted
    own: list[Tensor | None] = [None, None, None]
    if of_x and _of_one_channel(weight, sizes):
        own[0] = _added_up(slope, weight, sizes, x.shape[2:]).to(x.dtype)
    if of_weight and _is_faster_by_patches(slope, weight, sizes):
        own[1] = _by_patches(slope, x, weight, sizes)
        own[2] = slope.sum((0, 2, 3)) if of_bias else None
    left = [want and each is None for want, each in zip(wanted, own, strict=True)]
    if any(left):
        torchs = torch.ops.aten.convolution_backward(
            slope, x, weight, [weight.shape[0]], *sizes[:3], False, (0, 0), sizes[3], left
        )
        own = [a if b is None else b for a, b in zip(torchs, own, strict=True)]
    return own[0], own[1], own[2]


def _of_one_channel(weight: Tensor, sizes: Sizes) -> bool:
    """Return whether `_added_up` knows how, and is faster than torch's libraries."""
    *_, groups = sizes
    return weight.shape[1] == groups == 1 and weight.device.type == "cpu"


def _added_up(slope: Tensor, weight: Tensor, sizes: Sizes, sides: Pair) -> Tensor:
    """Return the gradient of a convolution's single channel, at least float32: [N, 1, *sides].

    A product gives what every output adds to the patch that it was made of.
    """
    stride, padding, dilation, _ = sizes
    added = slope.permute(0, 2, 3, 1).flatten(1, 2) @ weight.flatten(1)  # [N, H'·W', k²]
    wide = added.to(torch.promote_types(added.dtype, torch.float32)).transpose(1, 2)
    maps: Tensor = functional.fold(wide, sides, weight.shape[2:], dilation, padding, stride)
    return maps


def _is_faster_by_patches(slope: Tensor, weight: Tensor, sizes: Sizes) -> bool:
    """Return whether a product is: torch makes little of few pixels, and less of bfloat16."""
    stride, _, dilation, groups = sizes
    often = math.prod(weight.shape[2:]) / math.prod(stride)  # that a pixel is in a patch
    plain = dilation == (1, 1) and weight.shape[1] > groups == 1
    few = weight.dtype == torch.float32 and weight.numel() >= MORE * slope.numel()
    worth = weight.dtype == torch.bfloat16 or (few and multiplies_fast())
    return weight.device.type == "cpu" and plain and often <= OFTEN and worth


def _by_patches(slope: Tensor, x: Tensor, weight: Tensor, sizes: Sizes) -> Tensor:
    """Return the gradient of a weight as a product of the slopes and the patches of the input.

    Lines of patches are strips of memory where the channels lie last, which are copied as such.
    """
    (down, across), (above, beside), *_ = sizes
    height, width = weight.shape[2:]
    rim = (0, 0, beside, beside, above, above)
    padded = functional.pad(x.permute(0, 2, 3, 1), rim).contiguous()
    count, _, *places = slope.shape
    pixel = padded.shape[3]
    row = padded.shape[2] * pixel
    image = padded.shape[1] * row
    line = width * pixel
    lines = padded.as_strided(
        (count, *places, height, line), (image, down * row, across * pixel, row, 1)
    ).contiguous()
    patches = lines.as_strided((count * places[0] * places[1], height * line), (height * line, 1))
    found = slope.permute(0, 2, 3, 1).flatten(0, 2).t() @ patches  # [C', k·k'·C]
    of_weight: Tensor = found.unflatten(1, (height, width, x.shape[1])).permute(0, 3, 1, 2)
    return of_weight


def _narrowed(tensor: Tensor | None) -> Tensor | None:
    """Return a tensor as autocast would hand it to a convolution of torch's."""
    if tensor is None or tensor.dtype == torch.float64:
        return tensor
    device = tensor.device.type
    if not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)):
        return tensor
    return tensor.to(torch.get_autocast_dtype(device))


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
        return functional.leaky_relu(x, slope, inplace)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, bool], output: Tensor) -> None:
        x, ctx.slope, inplace = inputs
        if inplace:
            ctx.mark_dirty(x)
        ctx.save_for_backward(output)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> tuple[Tensor | None, None, None]:
        if gradient is None:
            return None, None, None
        (y,) = ctx.saved_tensors
        found = torch.ops.aten.leaky_relu_backward(gradient, y.detach(), ctx.slope, True)
        return found, None, None


def _traced() -> bool:
    """Return whether `torch.jit.trace` writes down what is done, as it does for TensorBoard."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined,no-untyped-call]  # torch's own
