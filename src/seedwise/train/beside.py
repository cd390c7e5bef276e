"""Runs side by side on one GPU: which can be, how many are worth it, and how many have room."""

import importlib.util
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from seedwise.models import build
from seedwise.setups import BUILT_IN, Setup

__all__ = ["MOST", "captured_bytes", "is_captured", "side_by_side"]

MOST = 6
"""Images/s of 1, 2, 4 and 6 runs of `page-v1` side by side on an H200: 25,209, 30,926, 33,125 and
33,365 (benchmarks/records/2026-11-24-gpu-engine). More were not tried: 6 gained 1 % over 4."""

_FOR_MODELS = 0.5
"""Of the free memory; the other half is for pixels, which stay on the device up to that size."""

_WIDTHS = {"bf16": 2, "fp16": 2, "float32": 4}

_CLASSES = 1000
"""Nobody has opened the dataset yet; the last layer is a small part of any model here."""

_BYTES_A_PARAMETER = 32
"""Weight, its copy in 16 bits, gradient, two moments, slow weight, and room for the update."""


def is_captured(setup: Setup) -> bool:
    """True if a GPU makes this setup's runs by captured steps, and so several in one process.

    Every other run sets torch's global switches, which threads would share.

    Args:
        setup: Without `auto` in it.
    """
    known = setup.train == BUILT_IN and setup.optimizer == "ranger" and setup.loader == "cache"
    return known and importlib.util.find_spec("triton") is not None


def side_by_side(setups: Sequence[Setup], *, free: int, runs: int) -> int:
    """Number of runs to make side by side on a GPU, whatever setups they are of.

    Args:
        setups: The study's setups, without `auto` in them; all are captured.
        free: Free memory of the GPU, bytes.
        runs: How many runs are wanted.

    Returns:
        1 or more; at most `MOST`, and no more than there are runs and than have room.
    """
    largest = max(captured_bytes(setup) for setup in setups)
    return max(1, min(MOST, runs, int(_FOR_MODELS * free / largest)))


def captured_bytes(setup: Setup) -> int:
    """An upper bound for the memory that one captured model of a setup holds.

    What each layer makes of a batch counts twice, as itself and as its gradient, as if nothing
    were freed on the way; a capture frees much of it.
    """
    made, parameters = _numbers(setup.model, setup.self_attention, setup.size)
    batch = made * setup.batch_size * _WIDTHS[setup.precision]
    return 2 * batch + parameters * _BYTES_A_PARAMETER


@lru_cache
def _numbers(name: str, self_attention: bool, size: int) -> tuple[int, int]:
    """Count the numbers that a model makes of one image, itself included, and those it learns.

    An image goes through the layers: shapes alone would do, but torch's meta device loads sympy.
    ReLU stands for every activation, as none changes a shape and the first Mish on a CPU loads
    numba's compiled loops.
    """
    model = build(name, classes=_CLASSES, self_attention=self_attention, activation="relu").eval()
    images = torch.zeros(1, 3, size, size)
    made = images.numel()

    def count(layer: nn.Module, given: object, out: Tensor) -> None:
        nonlocal made
        made += out.numel()

    for layer in model.modules():
        if not list(layer.children()):
            layer.register_forward_hook(count)
    with torch.no_grad():
        model(images)
    return made, sum(parameter.numel() for parameter in model.parameters())
