"""Initial weights, each tensor drawn from its own stream: keyed by seed, name and shape."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from seedwise.models.blocks import ResBlock, SimpleSelfAttention, SpectralConv1d
from seedwise.seeds import stream, word

__all__ = ["initial_values", "initialise"]


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
    state = dict(model.named_parameters()) | dict(model.named_buffers())
    with torch.no_grad():
        for name, value in initial_values(model, seed):
            state[name].copy_(value)


def initial_values(model: nn.Module, seed: int) -> Iterator[tuple[str, Tensor]]:
    """Name and value of each weight that `initialise` sets; the model is left as it is.

    Args:
        model: As there; its own weights say shapes alone.
        seed: The run's `init` seed.
    """
    last = {id(block.last_norm) for block in model.modules() if isinstance(block, ResBlock)}
    for path, module in model.named_modules():
        match module:
            case nn.modules.conv._ConvNd() | nn.Linear():
                yield f"{path}.weight", _normal(module.weight, seed, f"{path}.weight")
                if module.bias is not None:
                    yield f"{path}.bias", torch.zeros(module.bias.shape)
            case SpectralConv1d():
                name = f"{path}.weight_orig"
                yield name, _normal(module.weight_orig, seed, name)
                for name in (f"{path}.weight_u", f"{path}.weight_v"):
                    yield name, _direction(module.weight_u, seed, name)
            case nn.modules.batchnorm._BatchNorm():
                one = torch.zeros if id(module) in last else torch.ones
                yield f"{path}.weight", one(module.weight.shape)
                yield f"{path}.bias", torch.zeros(module.bias.shape)
            case SimpleSelfAttention():
                yield f"{path}.gamma", torch.zeros(module.gamma.shape)
            case _:
                pass


def _normal(weight: Tensor, seed: int, name: str) -> Tensor:
    fan_in = math.prod(weight.shape[1:])
    return _normals(weight, seed, name) * math.sqrt(2 / fan_in)


def _direction(vector: Tensor, seed: int, name: str) -> Tensor:
    drawn = _normals(vector, seed, name)
    return drawn / drawn.norm()


def _normals(tensor: Tensor, seed: int, name: str) -> Tensor:
    generator = stream(seed, "init", word(name), word(str(tuple(tensor.shape))))
    return torch.from_numpy(generator.standard_normal(tensor.shape, dtype=np.float32))
