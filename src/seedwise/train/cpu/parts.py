"""A forward pass on a CPU: compiled loops where memory is the limit, oneDNN for convolutions."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seedwise.models.blocks import SimpleSelfAttention
from seedwise.models.forward import forward
from seedwise.setups import Setup
from seedwise.train.cpu.attention import attention
from seedwise.train.cpu.norm import norm_act

__all__ = ["CpuParts", "FusedModel", "fits"]


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
