"""Batch norm, addition and activation in one: two passes over memory forward, two backward.

Torch makes five passes forward (statistics, normalisation, addition, activation, each reading and
writing) and as many backward. Maps are channels-last: rows are positions of images, columns
channels. Sums are made by a fixed number of programs and added up in a fixed order, with no
atomics, so that they repeat bit for bit.
"""
# pyright: reportIndexIssue=false, reportArgumentType=false, reportPossiblyUnboundVariable=false
# a Triton kernel is launched by an index, its constants are plain numbers there, and what is
# under a constant condition is unbound without it

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn

from seedwise.train.gpu.activations import activated, activation_name, slope

__all__ = ["activate", "norm_act"]

_TILE = 2048
"""Numbers of a tile: 16 for each of 128 threads."""

_PROGRAMS = 528
"""Programs that a sum is divided over: four for each multiprocessor of an H100 or H200."""


@triton.jit
def _sums(x, partial, rows, channels, per_program, R: tl.constexpr, B: tl.constexpr):
    """Of each channel: the sums of x - k and of its square, k being the channel's first value."""
    p = tl.program_id(0)
    c = tl.program_id(1) * B + tl.arange(0, B)
    inside = c < channels
    k = tl.load(x + c, mask=inside, other=0.0).to(tl.float32)
    first = tl.zeros((R, B), tl.float32)
    second = tl.zeros((R, B), tl.float32)
    for start in range(0, per_program, R):
        r = p * per_program + start + tl.arange(0, R)
        mask = (r < rows)[:, None] & inside[None, :]
        place = r.to(tl.int64)[:, None] * channels + c[None, :]
        d = tl.load(x + place, mask=mask, other=0.0).to(tl.float32) - k[None, :]
        d = tl.where(mask, d, 0.0)
        first += d
        second += d * d
    tl.store(partial + 2 * p * channels + c, tl.sum(first, axis=0), mask=inside)
    tl.store(partial + (2 * p + 1) * channels + c, tl.sum(second, axis=0), mask=inside)


@triton.jit
def _finish(
    x,
    partial,
    weight,
    bias,
    running_mean,
    running_var,
    kept,
    rows,
    channels,
    programs,
    eps,
    momentum,
    P: tl.constexpr,
    B: tl.constexpr,
):
    """Mean, 1 / standard deviation, scale and shift of each channel; running statistics move."""
    c = tl.program_id(0) * B + tl.arange(0, B)
    inside = c < channels
    p = tl.arange(0, P)
    mask = (p < programs)[:, None] & inside[None, :]
    place = 2 * p[:, None] * channels + c[None, :]
    first = tl.sum(tl.load(partial + place, mask=mask, other=0.0), axis=0) / rows
    second = tl.sum(tl.load(partial + place + channels, mask=mask, other=0.0), axis=0) / rows
    mean = tl.load(x + c, mask=inside, other=0.0).to(tl.float32) + first
    var = tl.maximum(second - first * first, 0.0, propagate_nan=tl.PropagateNan.ALL)
    rstd = 1.0 / tl.sqrt(var + eps)
    scale = tl.load(weight + c, mask=inside, other=0.0) * rstd
    tl.store(kept + c, mean, mask=inside)
    tl.store(kept + channels + c, rstd, mask=inside)
    tl.store(kept + 2 * channels + c, scale, mask=inside)
    shift = tl.load(bias + c, mask=inside, other=0.0) - mean * scale
    tl.store(kept + 3 * channels + c, shift, mask=inside)
    old = tl.load(running_mean + c, mask=inside, other=0.0)
    tl.store(running_mean + c, old + momentum * (mean - old), mask=inside)
    old = tl.load(running_var + c, mask=inside, other=0.0)
    unbiased = var * (rows / (rows - 1.0))
    tl.store(running_var + c, old + momentum * (unbiased - old), mask=inside)


@triton.jit
def _apply(
    x,
    kept,
    add,
    out,
    rows,
    channels,
    NORM: tl.constexpr,
    ADD: tl.constexpr,
    KIND: tl.constexpr,
    R: tl.constexpr,
    B: tl.constexpr,
):
    """activation(x * scale + shift + add) of a tile."""
    r = tl.program_id(0) * R + tl.arange(0, R)
    c = tl.program_id(1) * B + tl.arange(0, B)
    inside = c < channels
    mask = (r < rows)[:, None] & inside[None, :]
    place = r.to(tl.int64)[:, None] * channels + c[None, :]
    z = tl.load(x + place, mask=mask, other=0.0).to(tl.float32)
    if NORM:
        scale = tl.load(kept + 2 * channels + c, mask=inside, other=0.0)
        shift = tl.load(kept + 3 * channels + c, mask=inside, other=0.0)
        z = z * scale[None, :] + shift[None, :]
    if ADD:
        z += tl.load(add + place, mask=mask, other=0.0).to(tl.float32)
    tl.store(out + place, activated(z, KIND).to(out.dtype.element_ty), mask=mask)


@triton.jit
def _slopes(
    x,
    kept,
    add,
    gradient,
    out,
    partial,
    rows,
    channels,
    per_program,
    NORM: tl.constexpr,
    ADD: tl.constexpr,
    KIND: tl.constexpr,
    R: tl.constexpr,
    B: tl.constexpr,
):
    """The gradient g before the activation, where it is asked for (ADD), and its sums (NORM)."""
    p = tl.program_id(0)
    c = tl.program_id(1) * B + tl.arange(0, B)
    inside = c < channels
    if NORM:
        mean = tl.load(kept + c, mask=inside, other=0.0)[None, :]
        rstd = tl.load(kept + channels + c, mask=inside, other=0.0)[None, :]
        scale = tl.load(kept + 2 * channels + c, mask=inside, other=0.0)[None, :]
        shift = tl.load(kept + 3 * channels + c, mask=inside, other=0.0)[None, :]
    first = tl.zeros((R, B), tl.float32)
    second = tl.zeros((R, B), tl.float32)
    for start in range(0, per_program, R):
        r = p * per_program + start + tl.arange(0, R)
        mask = (r < rows)[:, None] & inside[None, :]
        place = r.to(tl.int64)[:, None] * channels + c[None, :]
        v = tl.load(x + place, mask=mask, other=0.0).to(tl.float32)
        g = tl.load(gradient + place, mask=mask, other=0.0).to(tl.float32)
        z = v
        if NORM:
            z = v * scale + shift
        if ADD:
            z += tl.load(add + place, mask=mask, other=0.0).to(tl.float32)
        g = g * slope(z, KIND)
        if ADD:
            tl.store(out + place, g.to(out.dtype.element_ty), mask=mask)
        if NORM:
            first += g
            second += tl.where(mask, g * (v - mean) * rstd, 0.0)
    if NORM:
        tl.store(partial + 2 * p * channels + c, tl.sum(first, axis=0), mask=inside)
        tl.store(partial + (2 * p + 1) * channels + c, tl.sum(second, axis=0), mask=inside)


@triton.jit
def _gather(partial, sums, channels, programs, P: tl.constexpr, B: tl.constexpr):
    """Add up the programs' sums: the gradients of bias and weight."""
    c = tl.program_id(0) * B + tl.arange(0, B)
    inside = c < channels
    p = tl.arange(0, P)
    mask = (p < programs)[:, None] & inside[None, :]
    place = 2 * p[:, None] * channels + c[None, :]
    first = tl.sum(tl.load(partial + place, mask=mask, other=0.0), axis=0)
    second = tl.sum(tl.load(partial + place + channels, mask=mask, other=0.0), axis=0)
    tl.store(sums + c, first, mask=inside)
    tl.store(sums + channels + c, second, mask=inside)


@triton.jit
def _input_gradient(
    x,
    kept,
    gradient,
    sums,
    out,
    rows,
    channels,
    KIND: tl.constexpr,
    R: tl.constexpr,
    B: tl.constexpr,
):
    """Scale (g - mean of g - xhat mean of g xhat) of a tile; KIND is `none` where g is given."""
    r = tl.program_id(0) * R + tl.arange(0, R)
    c = tl.program_id(1) * B + tl.arange(0, B)
    inside = c < channels
    mean = tl.load(kept + c, mask=inside, other=0.0)[None, :]
    rstd = tl.load(kept + channels + c, mask=inside, other=0.0)[None, :]
    scale = tl.load(kept + 2 * channels + c, mask=inside, other=0.0)[None, :]
    shift = tl.load(kept + 3 * channels + c, mask=inside, other=0.0)[None, :]
    first = tl.load(sums + c, mask=inside, other=0.0)[None, :] / rows
    second = tl.load(sums + channels + c, mask=inside, other=0.0)[None, :] / rows
    mask = (r < rows)[:, None] & inside[None, :]
    place = r.to(tl.int64)[:, None] * channels + c[None, :]
    v = tl.load(x + place, mask=mask, other=0.0).to(tl.float32)
    g = tl.load(gradient + place, mask=mask, other=0.0).to(tl.float32)
    g = g * slope(v * scale + shift, KIND)
    dx = scale * (g - first - (v - mean) * rstd * second)
    tl.store(out + place, dx.to(out.dtype.element_ty), mask=mask)


@dataclass(frozen=True, slots=True)
class _Shape:
    """How maps are cut into tiles and programs."""

    rows: int
    channels: int

    @classmethod
    def of(cls, x: Tensor) -> "_Shape":
        batch, channels, height, width = x.shape
        assert x.is_contiguous(memory_format=torch.channels_last), "maps are channels-last"
        return cls(batch * height * width, channels)

    @property
    def width(self) -> int:
        return min(64, triton.next_power_of_2(self.channels))

    @property
    def height(self) -> int:
        return _TILE // self.width

    @property
    def blocks(self) -> int:
        return triton.cdiv(self.channels, self.width)

    @property
    def per_program(self) -> int:
        wanted = triton.cdiv(self.rows * self.blocks, _PROGRAMS)
        return triton.cdiv(wanted, self.height) * self.height

    @property
    def programs(self) -> int:
        return triton.cdiv(self.rows, self.per_program)

    @property
    def tiles(self) -> tuple[int, int]:
        return triton.cdiv(self.rows, self.height), self.blocks

    @property
    def sums(self) -> tuple[int, int]:
        return self.programs, self.blocks


_FINISH = 8
"""Channels of a program that adds up sums."""


def norm_act(
    norm: nn.BatchNorm2d, x: Tensor, activation: nn.Module | None, add: Tensor | None
) -> Tensor:
    """activation(batch norm(x) + add), as torch would do it one by one.

    Args:
        norm: In training mode the batch's statistics are used, and its running ones move.
        x: (batch, channels, height, width), channels-last; float32, bfloat16 or float16.
        activation: One of the catalogue's, or None.
        add: Of the shape and layout of `x`, or None.
    """
    kind = activation_name(activation)
    if norm.training:
        return _NormAct.apply(x, norm.weight, norm.bias, add, norm, kind)
    assert norm.running_var is not None, "batch norms keep running statistics"
    assert norm.running_mean is not None, "both of them"
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * scale
    kept = torch.stack([scale, scale, scale, shift])  # the first two are not read
    return _applied(x, kept, add, kind)


def activate(activation: nn.Module, x: Tensor, add: Tensor) -> Tensor:
    """activation(x + add); arguments as in `norm_act`."""
    return _Activate.apply(x, add, activation_name(activation))


def _applied(x: Tensor, kept: Tensor | None, add: Tensor | None, kind: str) -> Tensor:
    shape = _Shape.of(x)
    out = torch.empty_like(x)
    _apply[shape.tiles](
        x,
        x if kept is None else kept,
        x if add is None else add,
        out,
        shape.rows,
        shape.channels,
        NORM=kept is not None,
        ADD=add is not None,
        KIND=kind,
        R=shape.height,
        B=shape.width,
    )
    return out


def _as_maps(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


class _NormAct(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        add: Tensor | None,
        norm: nn.BatchNorm2d,
        kind: str,
    ) -> Tensor:
        shape = _Shape.of(x)
        partial = torch.empty(2 * shape.programs, shape.channels, device=x.device)
        kept = torch.empty(4, shape.channels, device=x.device)
        _sums[shape.sums](
            x,
            partial,
            shape.rows,
            shape.channels,
            shape.per_program,
            R=shape.height,
            B=shape.width,
        )
        _finish[(triton.cdiv(shape.channels, _FINISH),)](
            x,
            partial,
            weight,
            bias,
            norm.running_mean,
            norm.running_var,
            kept,
            shape.rows,
            shape.channels,
            shape.programs,
            norm.eps,
            norm.momentum,
            P=triton.next_power_of_2(shape.programs),
            B=_FINISH,
        )
        out = _applied(x, kept, add, kind)
        ctx.save_for_backward(x, add, kept)
        ctx.kind = kind
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        x, add, kept = ctx.saved_tensors
        gradient = _as_maps(gradient)
        shape = _Shape.of(x)
        partial = torch.empty(2 * shape.programs, shape.channels, device=x.device)
        sums = torch.empty(2, shape.channels, device=x.device)
        before = gradient if add is None else torch.empty_like(x)
        _slopes[shape.sums](
            x,
            kept,
            x if add is None else add,
            gradient,
            before,
            partial,
            shape.rows,
            shape.channels,
            shape.per_program,
            NORM=True,
            ADD=add is not None,
            KIND=ctx.kind,
            R=shape.height,
            B=shape.width,
        )
        _gather[(triton.cdiv(shape.channels, _FINISH),)](
            partial,
            sums,
            shape.channels,
            shape.programs,
            P=triton.next_power_of_2(shape.programs),
            B=_FINISH,
        )
        out = torch.empty_like(x)
        _input_gradient[shape.tiles](
            x,
            kept,
            before,
            sums,
            out,
            shape.rows,
            shape.channels,
            KIND=ctx.kind if add is None else "none",
            R=shape.height,
            B=shape.width,
        )
        return out, sums[1], sums[0], None if add is None else before, None, None


class _Activate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, add: Tensor, kind: str) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x, add)
        ctx.kind = kind
        return _applied(x, None, add, kind)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        x, add = ctx.saved_tensors
        shape = _Shape.of(x)
        out = torch.empty_like(x)
        _slopes[shape.sums](
            x,
            x,
            add,
            _as_maps(gradient),
            out,
            x,
            shape.rows,
            shape.channels,
            shape.per_program,
            NORM=False,
            ADD=True,
            KIND=ctx.kind,
            R=shape.height,
            B=shape.width,
        )
        return out, out, None
