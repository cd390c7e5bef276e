"""Models by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import nn

from seedwise.errors import UnknownName
from seedwise.models.xresnet import (
    xresnet10_narrow,
    xresnet18,
    xresnet18_fastai_stem,
    xresnet34,
    xresnet50,
)

__all__ = ["MODELS", "build"]

MODELS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {
        "xresnet10-narrow": xresnet10_narrow,
        "xresnet18": xresnet18,
        "xresnet18-fastai-stem": xresnet18_fastai_stem,
        "xresnet34": xresnet34,
        "xresnet50": xresnet50,
    }
)
"""By name, what builds a model from the number of classes, self-attention and activation."""


def build(name: str, *, classes: int, self_attention: bool, activation: str) -> nn.Module:
    """A new model; its weights are undefined until `initialise`.

    Args:
        name: One of `MODELS`.
        classes: Outputs of the last layer.
        self_attention: Simple self-attention after the last block of the first stage.
        activation: Name of the activation function, as in a setup.

    Returns:
        From normalised images, float (batch, 3, size, size), to logits (batch, classes).

    Raises:
        UnknownName: There is no such model or activation.
    """
    if name not in MODELS:
        raise UnknownName("model", name, MODELS)
    return MODELS[name](classes, self_attention, activation)
