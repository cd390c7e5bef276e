"""What the passes of a fused batch norm compute, as Triton kernels; `norm` says in which order.

Maps are channels-last: rows are positions of images, columns channels. Sums are made by a fixed
number of programs, each over rows of its own, and added up in a fixed order, with no atomics, so
that they repeat bit for bit.
"""
# pyright: reportIndexIssue=false, reportArgumentType=false, reportPossiblyUnboundVariable=false
# constants of a Triton kernel are plain numbers there, and what is under a constant condition is
# unbound without it

import triton
import triton.language as tl

from seedwise.train.gpu.activations import activated, slope

__all__ = ["applied", "gathered", "input_gradients", "slopes", "statistics", "sums"]


@triton.jit
def sums(x, partial, rows, channels, per_program, R: tl.constexpr, B: tl.constexpr):
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
def applied(
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
def gathered(partial, sums, channels, programs, P: tl.constexpr, B: tl.constexpr):
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
def input_gradients(
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
