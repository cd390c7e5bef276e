"""A forward pass on a CPU: compiled loops where memory is the limit, oneDNN for convolutions."""

from typing import Any

import torch
from torch import Tensor, nn

from seedwise.models.blocks import SimpleSelfAttention
from seedwise.models.forward import forward
from seedwise.models.rows import in_rows
from seedwise.setups import Setup
from seedwise.shaped import Float
from seedwise.train.cpu.norm import norm_act

__all__ = ["CpuParts", "FusedModel", "attention", "fits"]


def fits(setup: Setup, device: torch.device) -> bool:
    """True if these parts can make a run; else the model makes it as it is."""
    return device.type == "cpu" and setup.precision != "fp16"


class CpuParts:
    """`models.forward.Parts` on a CPU, for a model in channels_last.

    Convolutions and pooling are torch's: at 180 to 280 GFLOP/s in bf16 on one core of a Zen 4
    EPYC the former are as fast as its matrix products (206), and a pooling of our own took as
    long as torch's (24 ms).
    """

    def conv(self, layer: nn.Conv2d, x: Tensor) -> Tensor:
        """The convolution, by oneDNN."""
        return layer(x)

    def norm(
        self, layer: nn.BatchNorm2d, x: Tensor, activation: nn.Module | None, add: Tensor | None
    ) -> Tensor:
        """Batch norm, addition and activation, fused."""
        return norm_act(layer, x, activation, add)

    def activate(self, activation: nn.Module, x: Tensor, add: Tensor) -> Tensor:
        """The activation of the sum; only the block with attention has it."""
        return activation(x + add)

    def attention(self, layer: SimpleSelfAttention, x: Tensor) -> Tensor:
        """The attention, in batched matrix products."""
        return attention(layer, x)

    def pool(self, layer: nn.MaxPool2d | nn.AvgPool2d, x: Tensor) -> Tensor:
        """Torch's own pooling."""
        return layer(x)

    def head(self, linear: nn.Linear, x: Tensor) -> Tensor:
        """The linear layer of each channel's mean."""
        return linear(x.mean((2, 3)))


class FusedModel(nn.Module):
    """A model of the catalogue whose forward pass is made of `CpuParts`.

    Args:
        model: In channels_last; its parameters and buffers stay its own.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model, self._parts = model, CpuParts()

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits, as of the model."""
        return forward(self._model, images, self._parts)


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
