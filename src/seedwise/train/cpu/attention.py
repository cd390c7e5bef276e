"""Simple self-attention on rows of pixels, as channels_last has them: nothing is copied.

Row p of what is added is G x_p, with G = (X'X) M for an image's (pixels, channels) matrix X and
M = gamma W / sigma. The products over pixels are done in the images' dtype, those of channels x
channels matrices in float32.
"""

from typing import Any

import torch
from torch import Tensor

from seedwise.models.blocks import SimpleSelfAttention
from seedwise.models.rows import in_rows

__all__ = ["attention"]


def attention(layer: SimpleSelfAttention, x: Tensor) -> Tensor:
    """The layer's output, of the dtype of `x`."""
    return x + _Added.apply(x, layer.gamma * layer.conv.matrix())


class _Added(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor) -> Tensor:  # type: ignore[override]
        x = _rows(in_rows(images))
        own = torch.bmm(x.transpose(1, 2), x).to(weight.dtype)
        with torch.autocast("cpu", enabled=False):  # it would multiply these in bfloat16 too
            mixing = (own @ weight).to(x.dtype)
        ctx.save_for_backward(x, weight, own, mixing)
        return _as_images(torch.bmm(x, mixing.transpose(1, 2)), images)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        x, weight, own, mixing = ctx.saved_tensors
        given = _rows(in_rows(gradient))
        to_mixing = torch.bmm(given.transpose(1, 2), x).to(weight.dtype)
        to_own = to_mixing @ weight.t()
        both = (to_own + to_own.transpose(1, 2)).to(x.dtype)
        to_x = torch.baddbmm(torch.bmm(given, mixing), x, both)
        return _as_images(to_x, gradient), (own.transpose(1, 2) @ to_mixing).sum(0)


def _rows(images: Tensor) -> Tensor:
    """(batch, channels, height, width) in channels_last as (batch, pixels, channels)."""
    return images.permute(0, 2, 3, 1).flatten(1, 2)


def _as_images(rows: Tensor, like: Tensor) -> Tensor:
    batch, channels, height, width = like.shape
    return rows.view(batch, height, width, channels).permute(0, 3, 1, 2)
