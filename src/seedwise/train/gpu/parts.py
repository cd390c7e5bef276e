"""A forward pass on the GPU: fused kernels where memory is the limit, cuDNN for convolutions."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from seedwise.models.blocks import SimpleSelfAttention
from seedwise.train.gpu import stem
from seedwise.train.gpu.attention import attention
from seedwise.train.gpu.convolution import convolution
from seedwise.train.gpu.norm import activate, norm_act
from seedwise.train.gpu.pools import pool

__all__ = ["GpuParts", "narrowed"]


def narrowed(model: nn.Module, kind: torch.dtype) -> dict[Tensor, Tensor]:
    """Copies of the weights of convolutions and linear layers in the precision of the products.

    They take the gradients instead of their originals, in that precision: what autocast does, but
    without a cast each way for each weight in each step.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    weights: list[Tensor] = [weight for layer in layers for weight in layer.parameters()]
    return {weight: weight.detach().to(kind).requires_grad_() for weight in weights}


class GpuParts:
    """`models.forward.Parts` on the GPU.

    Args:
        narrow: The narrow copies of `narrowed`; empty in float32.
    """

    def __init__(self, narrow: Mapping[Tensor, Tensor]) -> None:
        self._narrow = narrow

    def conv(self, layer: nn.Conv2d, x: Tensor) -> Tensor:
        """The convolution, by cuDNN or a kernel of ours."""
        weight = self._copy(layer.weight)
        if stem.fits(layer, x):
            return stem.stem(x, weight)
        return convolution(layer, x, weight)

    def norm(
        self, layer: nn.BatchNorm2d, x: Tensor, activation: nn.Module | None, add: Tensor | None
    ) -> Tensor:
        """Batch norm, addition and activation, fused."""
        return norm_act(layer, x, activation, add)

    def activate(self, activation: nn.Module, x: Tensor, add: Tensor) -> Tensor:
        """Addition and activation, fused."""
        return activate(activation, x, add)

    def attention(self, layer: SimpleSelfAttention, x: Tensor) -> Tensor:
        """The attention, in batched matrix products."""
        return attention(layer, x)

    def pool(self, layer: nn.MaxPool2d | nn.AvgPool2d, x: Tensor) -> Tensor:
        """The pooling, going over memory once."""
        return pool(layer, x)

    def head(self, linear: nn.Linear, x: Tensor) -> Tensor:
        """The linear layer of each channel's mean."""
        bias = None if linear.bias is None else self._copy(linear.bias)
        return functional.linear(x.mean((2, 3)), self._copy(linear.weight), bias)

    def _copy(self, weight: Tensor) -> Tensor:
        return self._narrow.get(weight, weight)
