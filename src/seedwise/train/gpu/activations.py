"""Activations and their slopes, for Triton kernels."""

import triton
import triton.language as tl
from torch import nn

from seedwise.errors import UnknownName
from seedwise.models.blocks import ACTIVATIONS

__all__ = ["activated", "activation_name", "slope"]

_NAMES = {kind: name for name, kind in ACTIVATIONS.items()}


def activation_name(activation: nn.Module | None) -> str:
    """Name of an activation in the kernels; `none` for None.

    Raises:
        UnknownName: It is none of the catalogue's.
    """
    if activation is None:
        return "none"
    if type(activation) not in _NAMES:
        raise UnknownName("activation", type(activation).__name__, ACTIVATIONS)
    return _NAMES[type(activation)]


@triton.jit
def _mish_terms(z):
    """With e = exp(z) and n = e (e + 2): e, d = 1 / (n + 2), and tanh(softplus(z)) = n d.

    e stops at exp(20), where n d is 1. By 2^x and the root's reciprocal, which are one instruction
    each: exp and a division take seven and ten, for the ranges that they look after, and a batch
    norm's passes are as short of instructions as of memory.
    """
    e = tl.exp2(tl.minimum(z, 20.0) * 1.4426950408889634)
    n = e * e + (e + e)
    root = tl.rsqrt(n + 2.0)
    d = root * root
    return e, d, n * d


@triton.jit
def activated(z, KIND: tl.constexpr):
    """The activation of a float32 tile."""
    if KIND == "mish":
        _, _, t = _mish_terms(z)
        z = z * t
    elif KIND == "relu":
        z = tl.where(z > 0, z, z * 0.0)
    elif KIND == "leaky_relu":
        z = tl.where(z > 0, z, z * 0.01)
    elif KIND == "silu":
        z = z / (1.0 + tl.exp(-z))
    elif KIND == "gelu":
        z = 0.5 * z * (1.0 + tl.erf(z * 0.7071067811865476))
    return z


@triton.jit
def slope(z, KIND: tl.constexpr):
    """The activation's derivative at a float32 tile."""
    if KIND == "mish":
        e, d, t = _mish_terms(z)
        a = e * d
        # beyond 20 the second term would be z e^-2z: nothing
        z = t + (tl.minimum(z, 20.0) * 4.0) * (a * (a + d))
    elif KIND == "relu":
        z = tl.where(z > 0, 1.0, 0.0)
    elif KIND == "leaky_relu":
        z = tl.where(z > 0, 1.0, 0.01)
    elif KIND == "silu":
        s = 1.0 / (1.0 + tl.exp(-z))
        z = s * (1.0 + z * (1.0 - s))
    elif KIND == "gelu":
        z = 0.5 * (1.0 + tl.erf(z * 0.7071067811865476)) + z * 0.3989422804014327 * tl.exp(
            -0.5 * z * z
        )
    else:
        z = z * 0.0 + 1.0
    return z
