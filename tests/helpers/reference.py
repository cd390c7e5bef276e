"""The reference figures, and the known weights that models are filled with to meet them."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

GOLDEN = Path(__file__).parents[1] / "golden"
SHARED = Path(__file__).parents[3] / "shared"
DTYPES = {"64": torch.float64, "32": torch.float32}


@lru_cache
def golden(name: str) -> Any:
    """A golden file: npz as a dict of arrays, json as it is."""
    path = GOLDEN / name
    if path.suffix == ".json":
        return json.loads(path.read_text())
    with np.load(path) as arrays:
        return dict(arrays)


def roles(attention: bool) -> list[dict[str, Any]]:
    return golden("model_params.json")[f"sa{int(attention)}"]["params"]


def fill(model: nn.Module, *, attention: bool, kind: str = "full", gamma: float = 1e-3) -> None:
    """Known weights, buffers and spectral vectors; `init` leaves norms and biases at 1 and 0."""
    parameters = dict(model.named_parameters())
    buffers = dict(model.named_buffers())
    with torch.no_grad():
        for index, entry in enumerate(roles(attention)):
            parameters[entry["name"]].copy_(_values(index, entry, kind, gamma))
        for j, name in enumerate(golden("model_params.json")[f"sa{int(attention)}"]["bn_order"]):
            rng = np.random.RandomState(5000 + j)
            size = buffers[f"{name}.running_mean"].numel()
            mean, var = 0.1 * rng.randn(size), 1 + 0.5 * rng.rand(size)
            if kind == "full":
                buffers[f"{name}.running_mean"].copy_(torch.from_numpy(mean))
                buffers[f"{name}.running_var"].copy_(torch.from_numpy(var))
        for name, buffer in buffers.items():
            if name.endswith("weight_u"):
                rng = np.random.RandomState(10_000)
                u, v = rng.randn(buffer.numel()), rng.randn(buffer.numel())
                buffer.copy_(torch.from_numpy(u / np.linalg.norm(u)))
                buffers[name[:-1] + "v"].copy_(torch.from_numpy(v / np.linalg.norm(v)))


def _values(index: int, entry: dict[str, Any], kind: str, gamma: float) -> torch.Tensor:
    shape, role = tuple(entry["shape"]), entry["role"]
    z = torch.from_numpy(np.random.RandomState(1000 + index).randn(*shape))
    if role in ("conv_weight", "sa_conv_weight", "linear_weight"):
        return z * np.sqrt(2 / np.prod(shape[1:]))
    if role == "sa_gamma":
        return torch.full(shape, gamma if kind == "full" else 0.0, dtype=torch.float64)
    if role.startswith("bn_weight"):
        start = 0.0 if role == "bn_weight_zero" else 1.0
        return 1 + 0.1 * z if kind == "full" else torch.full(shape, start)
    return 0.1 * z if kind == "full" else torch.zeros(shape)
