"""Batch norm, addition and activation in two passes over memory, forward and backward, on a CPU.

A first pass sums each channel, a second normalises, adds and activates; backward, a first pass
makes the gradient before the activation and sums it, a second turns it into that of the input.
Everything between two roundings is float32, and the sums of blocks of rows are added in float64:
torch's three operations round three times.

Arrays are channels_last, seen as rows of whole pixels. Source of the gradients: Ioffe and Szegedy
(2015), "Batch normalization", arXiv 1502.03167.
"""

from typing import Any

import torch
from torch import Tensor, nn

from seedwise.models.kernels import (
    MISH,
    NONE,
    RELU,
    activate,
    sum_channels,
    sum_gradient,
    sum_plain_gradient,
    through,
)
from seedwise.models.mish import Mish
from seedwise.models.rows import KERNEL_DTYPES, in_rows, over_rows

__all__ = ["norm_act"]

_KINDS: dict[type[nn.Module] | type[None], int] = {type(None): NONE, Mish: MISH, nn.ReLU: RELU}
"""Activations that the kernels know; others follow as a pass of torch's."""


def norm_act(
    layer: nn.BatchNorm2d, x: Tensor, activation: nn.Module | None, add: Tensor | None
) -> Tensor:
    """activation(batch norm of x + add); the running statistics move in training mode.

    The kernels train, and evaluate where no gradient is wanted, in float32 and bfloat16 with
    Mish, ReLU or nothing behind the norm; whatever else there is, torch does.
    """
    fits = x.dtype in KERNEL_DTYPES and (layer.training or not torch.is_grad_enabled())
    kind = _KINDS.get(type(activation), NONE)
    if not fits:
        out, kind = layer(x) if add is None else layer(x) + add, NONE
    elif layer.training:
        out = _TrainedNorm.apply(x, add, layer.weight, layer.bias, layer, kind)
    else:
        out = _activated(*_running(layer), x, add, kind)
    return out if activation is None or kind != NONE else activation(out)


def _running(layer: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift of each channel in evaluation."""
    mean, variance = _statistics(layer)
    scale = layer.weight / torch.sqrt(variance + layer.eps)
    return scale, layer.bias - mean * scale


def _statistics(layer: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    assert layer.running_mean is not None
    assert layer.running_var is not None
    return layer.running_mean, layer.running_var


def _follow(layer: nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move the running statistics towards those of a batch of `count` pixels."""
    assert layer.momentum is not None
    assert layer.num_batches_tracked is not None
    layer.num_batches_tracked.add_(1)
    running_mean, running_variance = _statistics(layer)
    running_mean.lerp_(mean, layer.momentum)
    running_variance.lerp_(variance * (count / (count - 1)), layer.momentum)


class _TrainedNorm(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: Tensor,
        add: Tensor | None,
        weight: Tensor,
        bias: Tensor,
        layer: nn.BatchNorm2d,
        kind: int,
    ) -> Tensor:
        x = in_rows(x)
        add = None if add is None else in_rows(add, like=x)
        count = x.numel() // x.shape[1]
        pivot = x[0, :, 0, 0].float()  # near the mean: squares of differences lose no digits
        sums = over_rows(sum_channels, [x], [pivot])
        off = sums[0] / count
        variance = (sums[1] / count - off.square()).clamp_min(0).float()
        mean = (pivot + off).float()
        _follow(layer, mean, variance, count)
        rate = torch.rsqrt(variance + layer.eps)
        scale = rate * weight
        shift = bias - mean * scale
        ctx.save_for_backward(x, add, mean, rate, scale, shift)
        ctx.kind = kind
        return _activated(scale, shift, x, add, kind)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, add, mean, rate, scale, shift = ctx.saved_tensors
        gradient = in_rows(gradient, like=x)
        if ctx.kind == NONE:
            before = gradient
            sums = over_rows(sum_plain_gradient, [x, gradient], [mean])
        else:
            before = torch.empty_like(x)
            arrays = [x, add, gradient, before]
            sums = over_rows(sum_gradient, arrays, [mean, scale, shift], ctx.kind)
        count = x.numel() // x.shape[1]
        bias_gradient, weight_gradient = sums[0].float(), (sums[1] * rate).float()
        steep = -scale * rate * weight_gradient / count
        level = -scale * bias_gradient / count
        keep = add is not None or ctx.kind == NONE  # somebody else has it too
        out = before.clone() if keep else before
        over_rows(through, [x, out], [mean, scale, steep, level])
        return out, None if add is None else before, weight_gradient, bias_gradient, None, None


def _activated(scale: Tensor, shift: Tensor, x: Tensor, add: Tensor | None, kind: int) -> Tensor:
    x = in_rows(x)
    add = None if add is None else in_rows(add, like=x)
    out = torch.empty_like(x)
    over_rows(activate, [x, add, out], [scale, shift], kind)
    return out
