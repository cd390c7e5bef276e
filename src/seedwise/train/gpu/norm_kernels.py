"""Passes of a fused batch norm, as Triton kernels; `norm` has their order.

Maps are channels-last: rows are positions of images, columns channels. Sums are made by a fixed
number of programs, each over rows of its own, and added up in a fixed order, with no atomics, so
that they repeat bit for bit.
"""
# pyright: reportIndexIssue=false, reportArgumentType=false, reportPossiblyUnboundVariable=false
# pyright: reportGeneralTypeIssues=false
# constants of a Triton kernel are plain numbers there, what is under a constant condition is
# unbound without it, and its ranges are no iterators

import triton
import triton.language as tl

from seedwise.train.gpu.activations import activated, slope

__all__ = [
    "applied",
    "gathered",
    "input_gradients",
    "settled",
    "slopes",
    "statistics",
    "sums",
]


_STAGES = tl.constexpr(3)
"""Tiles on their way at a time. Left to itself the compiler loads a tile where it is used: so
`slopes` of the largest maps took 32.5 us on an H200, with three tiles on their way 24.2."""


@triton.jit
def sums(x, partial, rows, channels, per_program, R: tl.constexpr, B: tl.constexpr):
    """Of each channel: the sums of x - k and of its square, k being the channel's first value."""
    p = tl.program_id(0)
    c = tl.program_id(1) * B + tl.arange(0, B)
    inside = c < channels
    k = tl.load(x + c, mask=inside, other=0.0).to(tl.float32)
    first = tl.zeros((R, B), tl.float32)
    second = tl.zeros((R, B), tl.float32)
    for start in tl.range(0, per_program, R, num_stages=_STAGES):
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
def statistics(
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
def settled(weight, bias, running_mean, running_var, kept, channels, eps, B: tl.constexpr):
    """Scale and shift by the running statistics; what else there is of `kept` is not read."""
    c = tl.program_id(0) * B + tl.arange(0, B)
    inside = c < channels
    var = tl.load(running_var + c, mask=inside, other=0.0)
    scale = tl.load(weight + c, mask=inside, other=0.0) / tl.sqrt(var + eps)
    mean = tl.load(running_mean + c, mask=inside, other=0.0)
    shift = tl.load(bias + c, mask=inside, other=0.0) - mean * scale
    tl.store(kept + 2 * channels + c, scale, mask=inside)
    tl.store(kept + 3 * channels + c, shift, mask=inside)


@triton.jit
def applied(
    x,
    kept,
    add,
    out,
    rows,
    channels,
    per_program,
    NORM: tl.constexpr,
    ADD: tl.constexpr,
    KIND: tl.constexpr,
    R: tl.constexpr,
    B: tl.constexpr,
):
    """activation(x * scale + shift + add)."""
    p = tl.program_id(0)
    c = tl.program_id(1) * B + tl.arange(0, B)
    inside = c < channels
    if NORM:
        scale = tl.load(kept + 2 * channels + c, mask=inside, other=0.0)[None, :]
        shift = tl.load(kept + 3 * channels + c, mask=inside, other=0.0)[None, :]
    for start in tl.range(0, per_program, R, num_stages=_STAGES):
        r = p * per_program + start + tl.arange(0, R)
        mask = (r < rows)[:, None] & inside[None, :]
        place = r.to(tl.int64)[:, None] * channels + c[None, :]
        z = tl.load(x + place, mask=mask, other=0.0).to(tl.float32)
        if NORM:
            z = z * scale + shift
        if ADD:
            z += tl.load(add + place, mask=mask, other=0.0).to(tl.float32)
        tl.store(out + place, activated(z, KIND).to(out.dtype.element_ty), mask=mask)


@triton.jit
def slopes(
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
        middle = mean * rstd
    first = tl.zeros((R, B), tl.float32)
    second = tl.zeros((R, B), tl.float32)
    for start in tl.range(0, per_program, R, num_stages=_STAGES):
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
            second += g * (v * rstd - middle)  # 0 outside, as g is
    if NORM:
        tl.store(partial + 2 * p * channels + c, tl.sum(first, axis=0), mask=inside)
        tl.store(partial + (2 * p + 1) * channels + c, tl.sum(second, axis=0), mask=inside)


@triton.jit
def gathered(
    partial, kept, sums, line, rows, channels, programs, P: tl.constexpr, B: tl.constexpr
):
    """Add up the programs' sums: the gradients of bias and weight.

    Also, of each channel, the line by which `input_gradients` goes from x and g to x's gradient.
    """
    c = tl.program_id(0) * B + tl.arange(0, B)
    inside = c < channels
    p = tl.arange(0, P)
    mask = (p < programs)[:, None] & inside[None, :]
    place = 2 * p[:, None] * channels + c[None, :]
    first = tl.sum(tl.load(partial + place, mask=mask, other=0.0), axis=0)
    second = tl.sum(tl.load(partial + place + channels, mask=mask, other=0.0), axis=0)
    tl.store(sums + c, first, mask=inside)
    tl.store(sums + channels + c, second, mask=inside)
    mean = tl.load(kept + c, mask=inside, other=0.0)
    rstd = tl.load(kept + channels + c, mask=inside, other=0.0)
    scale = tl.load(kept + 2 * channels + c, mask=inside, other=0.0)
    along = scale * rstd * (second / rows)
    tl.store(line + c, along, mask=inside)
    tl.store(line + channels + c, along * mean - scale * (first / rows), mask=inside)


@triton.jit
def input_gradients(
    x,
    kept,
    gradient,
    line,
    out,
    rows,
    channels,
    per_program,
    KIND: tl.constexpr,
    R: tl.constexpr,
    B: tl.constexpr,
):
    """Scale (g - mean of g - xhat mean of g xhat); KIND is `none` where g is given."""
    p = tl.program_id(0)
    c = tl.program_id(1) * B + tl.arange(0, B)
    inside = c < channels
    scale = tl.load(kept + 2 * channels + c, mask=inside, other=0.0)[None, :]
    shift = tl.load(kept + 3 * channels + c, mask=inside, other=0.0)[None, :]
    along = tl.load(line + c, mask=inside, other=0.0)[None, :]
    offset = tl.load(line + channels + c, mask=inside, other=0.0)[None, :]
    for start in tl.range(0, per_program, R, num_stages=_STAGES):
        r = p * per_program + start + tl.arange(0, R)
        mask = (r < rows)[:, None] & inside[None, :]
        place = r.to(tl.int64)[:, None] * channels + c[None, :]
        v = tl.load(x + place, mask=mask, other=0.0).to(tl.float32)
        g = tl.load(gradient + place, mask=mask, other=0.0).to(tl.float32)
        g = g * slope(v * scale + shift, KIND)
        dx = scale * g + (offset - along * v)
        tl.store(out + place, dx.to(out.dtype.element_ty), mask=mask)
