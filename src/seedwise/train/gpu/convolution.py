"""3 x 3 convolutions as products of gathered rows, for the layers where cuDNN is slower at them.

Measured as runs are made, five side by side, at batch 64 in bfloat16 on an H200: forward 16 and
17 % less time at maps of 32 x 32 and 16 x 16 and 5 to 57 % at stride 2, input gradients 5 to 27 %
less, weight gradients 9 and 24 % (benchmarks/records/2026-11-28-gpu-step). Else cuDNN is kept.
"""
# pyright: reportIndexIssue=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false
# a Triton kernel is launched by an index, its constants are plain numbers there, and its ranges
# are no iterators

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn

from seedwise.train.gpu.stem import multiplies

__all__ = ["convolution"]

_MOST = 2**31 - 1
"""Numbers of a tensor whose places still have 32 bits."""

_SMALL = 32 * 32
"""Positions of an image's map up to which all three products of a square layer are made here."""

_PER_PROGRAM = {64: 4096, 128: 2048}
"""Positions that a program of a weight's gradient adds up over, by channels."""

_ROWS = 128
"""Positions of a tile."""

_BLOCK = 1024


@triton.jit
def _products(
    x,
    weight,
    out,
    rows,
    height,
    width,
    in_height,
    in_width,
    INPUTS: tl.constexpr,
    OUTPUTS: tl.constexpr,
    STRIDE: tl.constexpr,
    BACK: tl.constexpr,
    M: tl.constexpr,
    N: tl.constexpr,
    K: tl.constexpr,
    STAGES: tl.constexpr,
):
    """M positions and N channels of a convolution; BACK: of the input's gradient at stride 1.

    There `x` is the output's gradient, and the weights are read the other way round.
    """
    blocks: tl.constexpr = OUTPUTS // N
    steps: tl.constexpr = INPUTS // K
    r = tl.program_id(0) // blocks * M + tl.arange(0, M)
    o = tl.program_id(0) % blocks * N + tl.arange(0, N)
    h = r // width % height * STRIDE
    w = r % width * STRIDE
    base = (r // (height * width) * in_height + h) * in_width + w
    total = tl.zeros((M, N), tl.float32)
    for step in tl.range(0, 9 * steps, num_stages=STAGES):
        tap = step // steps
        i = step % steps * K + tl.arange(0, K)
        down = tap // 3 - 1
        right = tap % 3 - 1
        if BACK:
            down = -down
            right = -right
        inside = (h + down >= 0) & (h + down < in_height) & (r < rows)
        inside = inside & (w + right >= 0) & (w + right < in_width)
        place = (base + down * in_width + right)[:, None] * INPUTS + i[None, :]
        a = tl.load(x + place, mask=inside[:, None], other=0.0)
        if BACK:
            b = tl.load(weight + (i[:, None] * 9 + tap) * OUTPUTS + o[None, :])
        else:
            b = tl.load(weight + (o[None, :] * 9 + tap) * INPUTS + i[:, None])
        total = tl.dot(a, b, total)
    target = out + r[:, None] * OUTPUTS + o[None, :]
    tl.store(target, total.to(out.dtype.element_ty), mask=(r < rows)[:, None])


@triton.jit
def _weight_gradients(
    x,
    gradient,
    partial,
    rows,
    per_program,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    INPUTS: tl.constexpr,
    OUTPUTS: tl.constexpr,
    M: tl.constexpr,
    N: tl.constexpr,
    K: tl.constexpr,
    STAGES: tl.constexpr,
):
    """The weight's gradient at stride 1 over a program's own positions: a tap, M by N channels."""
    tap = tl.program_id(0) % 9
    block = tl.program_id(0) // 9
    o = block % (OUTPUTS // M) * M + tl.arange(0, M)
    i = block // (OUTPUTS // M) * N + tl.arange(0, N)
    down = tap // 3 - 1
    right = tap % 3 - 1
    total = tl.zeros((M, N), tl.float32)
    for start in tl.range(0, per_program, K, num_stages=STAGES):
        r = tl.program_id(1) * per_program + start + tl.arange(0, K)
        h = r // WIDTH % HEIGHT + down
        w = r % WIDTH + right
        inside = (h >= 0) & (h < HEIGHT) & (w >= 0) & (w < WIDTH) & (r < rows)
        place = (r + down * WIDTH + right)[:, None] * INPUTS + i[None, :]
        v = tl.load(x + place, mask=inside[:, None], other=0.0)
        place = r[:, None] * OUTPUTS + o[None, :]
        g = tl.load(gradient + place, mask=(r < rows)[:, None], other=0.0)
        total = tl.dot(tl.trans(g), v, total)
    place = tl.program_id(1) * OUTPUTS * 9 * INPUTS + (o[:, None] * 9 + tap) * INPUTS + i[None, :]
    tl.store(partial + place, total)


@triton.jit
def _added(partial, out, count, programs, B: tl.constexpr):
    """Add up the programs' gradients, in a fixed order."""
    i = tl.program_id(0) * B + tl.arange(0, B)
    total = tl.zeros((B,), tl.float32)
    for p in range(programs):
        total += tl.load(partial + p * count + i, mask=i < count, other=0.0)
    tl.store(out + i, total.to(out.dtype.element_ty), mask=i < count)


@dataclass(frozen=True, slots=True)
class _Ours:
    """Choice of a convolution's three products that are made here."""

    forward: bool = False
    to_input: bool = False
    to_weight: bool = False

    @classmethod
    def of(cls, x: Tensor, weight: Tensor, stride: int) -> "_Ours":
        outputs, inputs = weight.shape[:2]
        if stride == 2:
            return cls(forward=inputs % 64 == 0 and outputs % 128 == 0)
        if inputs != outputs or inputs not in _PER_PROGRAM:
            return cls()
        small = x.shape[2] * x.shape[3] <= _SMALL
        return cls(forward=small, to_input=True, to_weight=small)


def convolution(layer: nn.Conv2d, x: Tensor, weight: Tensor) -> Tensor:
    """The convolution: each of its three products by whichever is faster.

    Args:
        layer: Says stride and padding; it has no bias.
        x: (batch, channels, height, width), channels-last.
        weight: The layer's, in the precision of `x`.
    """
    form = layer.kernel_size, layer.padding, layer.dilation, layer.groups
    stride = layer.stride[0]
    if (
        multiplies(x)
        and x.numel() < _MOST
        and form == ((3, 3), (1, 1), (1, 1), 1)
        and layer.stride in ((1, 1), (2, 2))
    ):
        ours = _Ours.of(x, weight, stride)
        if ours != _Ours():
            return _Convolution.apply(x, weight, stride, ours)
    return nn.functional.conv2d(
        x, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups
    )


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: Tensor, weight: Tensor, stride: int, ours: _Ours
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.ours = stride, ours
        if not ours.forward:
            return nn.functional.conv2d(x, weight, None, stride, 1)
        sides = ((side - 1) // stride + 1 for side in x.shape[2:])
        return _product(x, weight, (len(x), len(weight), *sides), stride=stride, back=False)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        ours: _Ours = ctx.ours
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        asked = ctx.needs_input_grad[0]
        theirs = asked and not ours.to_input, not ours.to_weight, False
        to_x, to_weight = None, None
        if any(theirs):
            both = (ctx.stride,) * 2, (1, 1), (1, 1), False, (0, 0), 1
            to_x, to_weight, _ = torch.ops.aten.convolution_backward(
                gradient, x, weight, None, *both, theirs
            )
        if asked and ours.to_input:
            to_x = _product(gradient, weight, x.shape, stride=1, back=True)
        if ours.to_weight:
            to_weight = _weight_gradient(x, gradient, weight)
        return to_x, to_weight, None, None


def _product(
    x: Tensor, weight: Tensor, shape: Sequence[int], *, stride: int, back: bool
) -> Tensor:
    """The convolution, or BACK its input's gradient, as maps of this shape."""
    assert x.is_contiguous(memory_format=torch.channels_last), "maps are channels-last"
    assert weight.is_contiguous(memory_format=torch.channels_last), "so are weights"
    options = {"dtype": x.dtype, "device": x.device, "memory_format": torch.channels_last}
    out = torch.empty(tuple(shape), **options)
    outputs = out.shape[1]
    rows = out.numel() // outputs
    block = 128 if outputs % 128 == 0 else 64
    _products[(triton.cdiv(rows, _ROWS) * (outputs // block),)](
        x,
        weight,
        out,
        rows,
        *out.shape[2:],
        *x.shape[2:],
        INPUTS=x.shape[1],
        OUTPUTS=outputs,
        STRIDE=stride,
        BACK=back,
        M=_ROWS,
        N=block,
        K=64,
        STAGES=3,
        num_warps=block // 16,
    )
    return out


def _weight_gradient(x: Tensor, gradient: Tensor, weight: Tensor) -> Tensor:
    assert x.is_contiguous(memory_format=torch.channels_last), "maps are channels-last"
    outputs, inputs = weight.shape[:2]
    rows = x.numel() // inputs
    per_program = _PER_PROGRAM[outputs]
    programs, count = triton.cdiv(rows, per_program), weight.numel()
    partial = torch.empty(programs, count, device=x.device)
    _weight_gradients[(9 * (inputs // 64), programs)](
        x,
        gradient,
        partial,
        rows,
        per_program,
        HEIGHT=x.shape[2],
        WIDTH=x.shape[3],
        INPUTS=inputs,
        OUTPUTS=outputs,
        M=outputs,
        N=64,
        K=128 if outputs == 64 else 64,
        STAGES=3 if outputs == 64 else 4,
    )
    out = torch.empty_like(weight)
    _added[(triton.cdiv(count, _BLOCK),)](partial, out, count, programs, B=_BLOCK)
    return out
