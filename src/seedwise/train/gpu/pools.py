"""The two poolings of an xresnet, channels-last: 3 x 3 maxima at stride 2, and 2 x 2 means.

Torch's own took 380 of 2,890 us of a step on an H200, most of it backward: its kernels go over
each gradient several times. These read and write everything once.
"""
# pyright: reportIndexIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
# a Triton kernel is launched by an index, its constants are plain numbers there, and its ranges
# are no iterators

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn

__all__ = ["pool"]

_TILE = 2048


@triton.jit
def _places(rows, height, width, channels, R: tl.constexpr, B: tl.constexpr):
    """Image, row and column of each position of a tile, its channels, and what is inside."""
    r = tl.program_id(0) * R + tl.arange(0, R)
    c = tl.program_id(1) * B + tl.arange(0, B)
    inside = (r < rows)[:, None] & (c < channels)[None, :]
    place = r.to(tl.int64)[:, None] * channels + c[None, :]
    return r // (height * width), (r // width) % height, r % width, c, inside, place


@triton.jit
def _there(n, h, w, c, height, width, channels):
    """Places of a row and column of each image in maps of these sides, and which are inside."""
    at = ((n * height + h).to(tl.int64) * width + w)[:, None] * channels + c[None, :]
    return at, ((h >= 0) & (h < height) & (w >= 0) & (w < width))[:, None]


@triton.jit
def _max_forward(
    x,
    out,
    chosen,
    rows,
    height,
    width,
    channels,
    in_height,
    in_width,
    R: tl.constexpr,
    B: tl.constexpr,
):
    n, oh, ow, c, inside, place = _places(rows, height, width, channels, R, B)
    best = tl.full((R, B), -float("inf"), tl.float32)
    which = tl.zeros((R, B), tl.int32)
    for tap in range(9):
        ih = oh * 2 - 1 + tap // 3
        iw = ow * 2 - 1 + tap % 3
        at, there = _there(n, ih, iw, c, in_height, in_width, channels)
        v = tl.load(x + at, mask=inside & there, other=-float("inf")).to(tl.float32)
        larger = (v > best) | (v != v)  # a NaN wins, as in torch
        best = tl.where(larger, v, best)
        which = tl.where(larger, tap, which)
    tl.store(out + place, best.to(out.dtype.element_ty), mask=inside)
    tl.store(chosen + place, which.to(tl.int8), mask=inside)


@triton.jit
def _max_backward(
    gradient,
    chosen,
    out,
    rows,
    height,
    width,
    channels,
    out_height,
    out_width,
    R: tl.constexpr,
    B: tl.constexpr,
):
    """Two by two input positions a window: what they get is from it and its three neighbours."""
    n, oh, ow, c, inside, _ = _places(rows, height, width, channels, R, B)
    for position in tl.static_range(4):
        total = tl.zeros((R, B), tl.float32)
        for window in tl.static_range((1 + position // 2) * (1 + position % 2)):
            below = window // (1 + position % 2)
            beside = window % (1 + position % 2)
            # of the window's three rows an even position lies in 1, an odd one in 2, or below in 0
            tap = (1 + position // 2 - 2 * below) * 3 + 1 + position % 2 - 2 * beside
            at, there = _there(n, oh + below, ow + beside, c, height, width, channels)
            which = tl.load(chosen + at, mask=inside & there, other=-1).to(tl.int32)
            g = tl.load(gradient + at, mask=inside & there, other=0.0).to(tl.float32)
            total += tl.where(which == tap, g, 0.0)
        h, w = 2 * oh + position // 2, 2 * ow + position % 2
        at, there = _there(n, h, w, c, out_height, out_width, channels)
        tl.store(out + at, total.to(out.dtype.element_ty), mask=inside & there)


@triton.jit
def _mean_forward(
    x,
    out,
    rows,
    height,
    width,
    channels,
    in_height,
    in_width,
    R: tl.constexpr,
    B: tl.constexpr,
):
    n, oh, ow, c, inside, place = _places(rows, height, width, channels, R, B)
    total = tl.zeros((R, B), tl.float32)
    for tap in range(4):
        at, there = _there(
            n, oh * 2 + tap // 2, ow * 2 + tap % 2, c, in_height, in_width, channels
        )
        total += tl.load(x + at, mask=inside & there, other=0.0).to(tl.float32)
    count = tl.minimum(2, in_height - 2 * oh) * tl.minimum(2, in_width - 2 * ow)
    mean = total / count.to(tl.float32)[:, None]
    tl.store(out + place, mean.to(out.dtype.element_ty), mask=inside)


@triton.jit
def _mean_backward(
    gradient,
    out,
    rows,
    height,
    width,
    channels,
    out_height,
    out_width,
    R: tl.constexpr,
    B: tl.constexpr,
):
    n, ih, iw, c, inside, place = _places(rows, height, width, channels, R, B)
    oh = ih // 2
    ow = iw // 2
    count = tl.minimum(2, height - 2 * oh) * tl.minimum(2, width - 2 * ow)
    at, _ = _there(n, oh, ow, c, out_height, out_width, channels)  # every position has a window
    g = tl.load(gradient + at, mask=inside, other=0.0).to(tl.float32)
    g = g / count.to(tl.float32)[:, None]
    tl.store(out + place, g.to(out.dtype.element_ty), mask=inside)


def pool(layer: nn.MaxPool2d | nn.AvgPool2d, x: Tensor) -> Tensor:
    """The layer's output; torch's own where the layer is not an xresnet's.

    Args:
        layer: The pooling.
        x: (batch, channels, height, width), channels-last.
    """
    form = layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode
    if isinstance(layer, nn.MaxPool2d) and form == (3, 2, 1, False):
        return _Max.apply(x)
    if isinstance(layer, nn.AvgPool2d) and form == (2, 2, 0, True):
        return _Mean.apply(x)
    return layer(x)


def _launch(kernel: Any, *tensors: Tensor, over: Tensor, other: Tensor) -> None:
    """Run a kernel over the positions of one tensor, told the sides of the other's maps."""
    batch, channels, height, width = over.shape
    columns = min(64, triton.next_power_of_2(channels))
    rows = _TILE // columns
    grid = (triton.cdiv(batch * height * width, rows), triton.cdiv(channels, columns))
    kernel[grid](
        *tensors,
        batch * height * width,
        height,
        width,
        channels,
        *other.shape[2:],
        R=rows,
        B=columns,
    )


def _like(x: Tensor, height: int, width: int) -> Tensor:
    shape = (len(x), x.shape[1], height, width)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)


class _Max(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # type: ignore[override]
        height, width = ((side - 1) // 2 + 1 for side in x.shape[2:])
        out = _like(x, height, width)
        chosen = torch.empty_like(out, dtype=torch.int8)
        _launch(_max_forward, x, out, chosen, over=out, other=x)
        ctx.save_for_backward(chosen)
        ctx.like = x.shape
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        (chosen,) = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        out = _like(gradient, *ctx.like[2:])
        _launch(_max_backward, gradient, chosen, out, over=gradient, other=out)
        return out


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # type: ignore[override]
        height, width = (-(-side // 2) for side in x.shape[2:])
        out = _like(x, height, width)
        _launch(_mean_forward, x, out, over=out, other=x)
        ctx.like = x.shape
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        out = _like(gradient, *ctx.like[2:])
        _launch(_mean_backward, gradient, out, over=out, other=gradient)
        return out
