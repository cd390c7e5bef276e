"""The first convolution: 3 x 3 at stride 2 over the three colours, and its weight's gradient.

cuDNN has no fast kernel for three channels: it fills up the images with zeros, and forward alone
took 55 of a step's 2,450 us on an H200, for a hundredth of the products. Here the 27 numbers under
a window make one short row of a matrix product: 9 us, and 11 for the gradient.
"""
# pyright: reportIndexIssue=false, reportArgumentType=false, reportOperatorIssue=false
# a Triton kernel is launched by an index, and its constants are plain numbers there

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn

__all__ = ["fits", "multiplies", "stem"]

_TILE = 128
"""Positions of a tile."""

_PROGRAMS = 528
"""Programs that positions are divided over: four for each multiprocessor of an H100 or H200."""


@triton.jit
def _patches(x, r, rows, height, width, out_height, out_width):
    """The 27 numbers under the window of each of some positions, and 5 zeros."""
    k = tl.arange(0, 32)
    n = r // (out_height * out_width)
    ih = (r // out_width) % out_height * 2 - 1
    iw = r % out_width * 2 - 1
    down = k // 9
    right = k % 9 // 3
    h = ih[:, None] + down[None, :]
    w = iw[:, None] + right[None, :]
    there = (h >= 0) & (h < height) & (w >= 0) & (w < width)
    mask = there & (r < rows)[:, None] & (k < 27)[None, :]
    place = (
        ((n * height).to(tl.int64)[:, None] + h) * width * 3 + iw[:, None] * 3 + (k % 9)[None, :]
    )
    return tl.load(x + place, mask=mask, other=0.0)


@triton.jit
def _forward(
    x,
    weight,
    out,
    rows,
    height,
    width,
    out_height,
    out_width,
    channels,
    per_program,
    R: tl.constexpr,
    B: tl.constexpr,
):
    c = tl.program_id(1) * B + tl.arange(0, B)
    k = tl.arange(0, 32)
    mask = (k < 27)[:, None] & (c < channels)[None, :]
    w = tl.load(weight + c[None, :] * 27 + k[:, None], mask=mask, other=0.0)
    for start in range(0, per_program, R):
        r = tl.program_id(0) * per_program + start + tl.arange(0, R)
        a = _patches(x, r, rows, height, width, out_height, out_width)
        y = tl.dot(a, w)
        inside = (r < rows)[:, None] & (c < channels)[None, :]
        place = r.to(tl.int64)[:, None] * channels + c[None, :]
        tl.store(out + place, y.to(out.dtype.element_ty), mask=inside)


@triton.jit
def _partial_gradients(
    x,
    gradient,
    partial,
    rows,
    height,
    width,
    out_height,
    out_width,
    channels,
    per_program,
    R: tl.constexpr,
    B: tl.constexpr,
):
    """The weight's gradient over a program's own positions."""
    c = tl.program_id(1) * B + tl.arange(0, B)
    k = tl.arange(0, 32)
    total = tl.zeros((B, 32), tl.float32)
    for start in range(0, per_program, R):
        r = tl.program_id(0) * per_program + start + tl.arange(0, R)
        a = _patches(x, r, rows, height, width, out_height, out_width)
        inside = (r < rows)[:, None] & (c < channels)[None, :]
        place = r.to(tl.int64)[:, None] * channels + c[None, :]
        g = tl.load(gradient + place, mask=inside, other=0.0)
        total = tl.dot(tl.trans(g), a, total)
    place = (tl.program_id(0) * channels + c)[:, None] * 32 + k[None, :]
    tl.store(partial + place, total, mask=(c < channels)[:, None] & (k < 32)[None, :])


@triton.jit
def _gathered(partial, out, channels, programs, P: tl.constexpr):
    """Add up the programs' gradients of one output channel, in a fixed order."""
    c = tl.program_id(0)
    p = tl.arange(0, P)
    k = tl.arange(0, 32)
    place = (p * channels + c)[:, None] * 32 + k[None, :]
    total = tl.sum(tl.load(partial + place, mask=(p < programs)[:, None], other=0.0), axis=0)
    tl.store(out + c * 27 + k, total.to(out.dtype.element_ty), mask=k < 27)


def fits(layer: nn.Conv2d, x: Tensor) -> bool:
    """True if this is such a layer, on images in 16 bits that want no gradient."""
    form = layer.in_channels, layer.kernel_size, layer.stride, layer.padding, layer.bias
    return form == (3, (3, 3), (2, 2), (1, 1), None) and multiplies(x) and not x.requires_grad


def multiplies(x: Tensor) -> bool:
    """True if Triton's products of such numbers are right: not of float32, which it would round.

    On a CPU, where the kernels run in Triton's interpreter, not of bfloat16 either: it has none.
    """
    return x.dtype == torch.float16 or (x.dtype == torch.bfloat16 and x.is_cuda)


def stem(x: Tensor, weight: Tensor) -> Tensor:
    """The convolution.

    Args:
        x: (batch, 3, height, width), channels-last.
        weight: (channels, 3, 3, 3), channels-last, of the same dtype.
    """
    return _Stem.apply(x, weight)


class _Stem(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:  # type: ignore[override]
        order = torch.channels_last
        assert x.is_contiguous(memory_format=order), "images are channels-last"
        assert weight.is_contiguous(memory_format=order), "so are weights"
        height, width = ((side + 1) // 2 for side in x.shape[2:])
        shape = (len(x), len(weight), height, width)
        out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=order)
        _launch(_forward, x, weight, out, maps=out)
        ctx.save_for_backward(x, weight)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        programs = _programs(gradient)
        partial = torch.empty(programs, len(weight), 32, device=x.device)
        _launch(_partial_gradients, x, gradient, partial, maps=gradient)
        out = torch.empty_like(weight)
        _gathered[(len(weight),)](
            partial, out, len(weight), programs, P=triton.next_power_of_2(programs)
        )
        return None, out


def _per_program(maps: Tensor) -> int:
    rows = maps.numel() // maps.shape[1]
    return triton.cdiv(triton.cdiv(rows, _PROGRAMS), _TILE) * _TILE


def _programs(maps: Tensor) -> int:
    return triton.cdiv(maps.numel() // maps.shape[1], _per_program(maps))


def _launch(kernel: Any, x: Tensor, *tensors: Tensor, maps: Tensor) -> None:
    """Run a kernel over the positions of the convolution's output."""
    channels = maps.shape[1]
    block = max(16, min(64, triton.next_power_of_2(channels)))
    kernel[(_programs(maps), triton.cdiv(channels, block))](
        x,
        *tensors,
        maps.numel() // channels,
        *x.shape[2:],
        *maps.shape[2:],
        channels,
        _per_program(maps),
        R=_TILE,
        B=block,
    )
