"""Initial weights, each tensor drawn from its own stream: keyed by seed, name and shape."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from seedwise.models.blocks import ResBlock, SimpleSelfAttention, SpectralConv1d
from seedwise.seeds import stream, word

__all__ = ["initialise"]


def initialise(model: nn.Module, seed: int) -> None:
    """Draw all weights of a model, in place.

    Convolutions and the linear layer are normal with variance 2 / fan_in (He et al., 2015), batch
    norms 1 and 0, the last one of a block's convolutions 0 and 0, biases 0, the attention's gamma
    0 and its spectral vectors random of length 1: what the notebook's `init_cnn` left behind. The
    draws are made in float32 on the host: a model has the same weights on every device, and
    another layer leaves these ones alone.

    Args:
        model: A model of this catalogue, or any other of the same kinds of layers.
        seed: The run's `init` seed.
    """
    with torch.no_grad():
        for path, module in model.named_modules():
            match module:
                case nn.modules.conv._ConvNd() | nn.Linear():
                    _draw_normal(module.weight, seed, f"{path}.weight")
                    if module.bias is not None:
                        module.bias.zero_()
                case SpectralConv1d():
                    _draw_normal(module.weight_orig, seed, f"{path}.weight_orig")
                    _draw_direction(module.weight_u, seed, f"{path}.weight_u")
                    _draw_direction(module.weight_v, seed, f"{path}.weight_v")
                case nn.modules.batchnorm._BatchNorm():
                    module.weight.fill_(1)
                    module.bias.zero_()
                case SimpleSelfAttention():
                    module.gamma.zero_()
                case _:
                    pass
        for module in model.modules():
            if isinstance(module, ResBlock):
                module.last_norm.weight.zero_()


def _draw_normal(weight: Tensor, seed: int, name: str) -> None:
    fan_in = math.prod(weight.shape[1:])
    weight.copy_(_normals(weight, seed, name) * math.sqrt(2 / fan_in))


def _draw_direction(vector: Tensor, seed: int, name: str) -> None:
    drawn = _normals(vector, seed, name)
    vector.copy_(drawn / drawn.norm())


def _normals(tensor: Tensor, seed: int, name: str) -> Tensor:
    generator = stream(seed, "init", word(name), word(str(tuple(tensor.shape))))
    return torch.from_numpy(generator.standard_normal(tensor.shape, dtype=np.float32))
