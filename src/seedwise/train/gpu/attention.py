"""Simple self-attention in six matrix products and two small kernels, forward and backward.

With X the (positions, channels) matrix of an image and M = gamma W / sigma: the output is
X + X (X'X M)'. Torch's own derivation takes 40 small operations, most of them on 64 x 64 matrices.
"""
# pyright: reportIndexIssue=false, reportArgumentType=false, reportCallIssue=false
# a Triton kernel is launched by an index, and its constants are plain numbers there

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from seedwise.models.blocks import SimpleSelfAttention

__all__ = ["attention"]

_MOST_CHANNELS = 128
"""The spectral kernel holds the whole weight in one program's registers."""


@triton.jit
def _normalised(weight, u, v, gamma, out, to_sigma, channels, MOVE: tl.constexpr, C: tl.constexpr):
    """The matrix gamma W / sigma, after one power iteration where MOVE. One program."""
    i = tl.arange(0, C)
    inside = i < channels
    mask = inside[:, None] & inside[None, :]
    w = tl.load(weight + i[:, None] * channels + i[None, :], mask=mask, other=0.0)
    left = tl.load(u + i, mask=inside, other=0.0)
    right = tl.load(v + i, mask=inside, other=0.0)
    if MOVE:
        right = tl.sum(w * left[:, None], axis=0)
        right = right / tl.maximum(tl.sqrt(tl.sum(right * right)), 1e-12)
        left = tl.sum(w * right[None, :], axis=1)
        left = left / tl.maximum(tl.sqrt(tl.sum(left * left)), 1e-12)
        tl.store(u + i, left, mask=inside)
        tl.store(v + i, right, mask=inside)
    sigma = tl.sum(left * tl.sum(w * right[None, :], axis=1))
    tl.store(to_sigma, sigma)
    m = w * (tl.load(gamma) / sigma)
    tl.store(out + i[:, None] * channels + i[None, :], m.to(out.dtype.element_ty), mask=mask)


@triton.jit
def _normalised_gradient(
    weight, u, v, gamma, sigma_in, gradient, to_weight, to_gamma, channels, C: tl.constexpr
):
    """From the gradient of gamma W / sigma to those of W (u and v held constant) and gamma."""
    i = tl.arange(0, C)
    inside = i < channels
    mask = inside[:, None] & inside[None, :]
    place = i[:, None] * channels + i[None, :]
    w = tl.load(weight + place, mask=mask, other=0.0)
    g = tl.load(gradient + place, mask=mask, other=0.0).to(tl.float32)
    left = tl.load(u + i, mask=inside, other=0.0)
    right = tl.load(v + i, mask=inside, other=0.0)
    sigma = tl.load(sigma_in)
    along = tl.sum(tl.sum(g * w, axis=1)) / sigma
    tl.store(to_gamma, along)
    dw = (tl.load(gamma) / sigma) * (g - along * left[:, None] * right[None, :])
    tl.store(to_weight + place, dw, mask=mask)


class _Matrix(torch.autograd.Function):
    """M = gamma W / sigma of an attention's weight."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        weight: Tensor,
        gamma: Tensor,
        u: Tensor,
        v: Tensor,
        move: bool,
        kind: torch.dtype,
    ) -> Tensor:
        channels = len(u)
        out = torch.empty(channels, channels, dtype=kind, device=weight.device)
        sigma = torch.empty(1, device=weight.device)
        _normalised[(1,)](
            weight,
            u,
            v,
            gamma,
            out,
            sigma,
            channels,
            MOVE=move,
            C=triton.next_power_of_2(channels),
            num_warps=8,
        )
        ctx.save_for_backward(weight, gamma, u, v, sigma)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        # u and v are the layer's buffers: nothing moves them between a step's two halves
        weight, gamma, u, v, sigma = ctx.saved_tensors
        to_weight, to_gamma = torch.empty_like(weight), torch.empty_like(gamma)
        _normalised_gradient[(1,)](
            weight,
            u,
            v,
            gamma,
            sigma,
            gradient.contiguous(),
            to_weight,
            to_gamma,
            len(u),
            C=triton.next_power_of_2(len(u)),
            num_warps=8,
        )
        return to_weight, to_gamma, None, None, None, None


class _Mixed(torch.autograd.Function):
    """X + X (X'X M)' for each image's X."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, m: Tensor) -> Tensor:  # type: ignore[override]
        gram = x.transpose(1, 2) @ x
        mixing = gram @ m
        ctx.save_for_backward(x, m, gram, mixing)
        return torch.baddbmm(x, x, mixing.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        x, m, gram, mixing = ctx.saved_tensors
        to_mixing = gradient.transpose(1, 2) @ x
        to_gram = to_mixing @ m.t()
        to_m = gram.flatten(0, 1).t() @ to_mixing.flatten(0, 1)
        to_x = torch.baddbmm(gradient, gradient, mixing)
        return torch.baddbmm(to_x, x, to_gram + to_gram.transpose(1, 2)), to_m


def attention(layer: SimpleSelfAttention, x: Tensor) -> Tensor:
    """The layer's output; in training mode its spectral vectors move.

    Args:
        layer: Its parameters are float32.
        x: (batch, channels, height, width), channels-last; float32, bfloat16 or float16.
    """
    conv, channels = layer.conv, x.shape[1]
    if channels <= _MOST_CHANNELS:
        m = _Matrix.apply(
            conv.weight_orig, layer.gamma, conv.weight_u, conv.weight_v, layer.training, x.dtype
        )
    else:
        m = (layer.gamma * conv.matrix()).to(x.dtype)
    positions = x.permute(0, 2, 3, 1).flatten(1, 2)
    mixed = _Mixed.apply(positions, m)
    return mixed.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)
