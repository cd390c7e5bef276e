"""Models by name, and their initial weights."""

from seedwise.models.initial import initial_values, initialise
from seedwise.models.xresnet import (
    MODELS,
    build,
    xresnet10_narrow,
    xresnet18,
    xresnet34,
    xresnet50,
)

__all__ = [
    "MODELS",
    "build",
    "initial_values",
    "initialise",
    "xresnet10_narrow",
    "xresnet18",
    "xresnet34",
    "xresnet50",
]
