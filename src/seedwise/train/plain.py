"""The plain engine: torch operations one by one on any device, and some of them fused on a CPU."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from seedwise.data import Data, choose_loader, draw
from seedwise.models import build, initialise
from seedwise.optim import build as build_update
from seedwise.optim import flat_cos
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.shaped import Float, Float16, Int64
from seedwise.train.cpu.parts import FusedModel
from seedwise.train.evaluate import validation_logits
from seedwise.train.steps import LossScale, train_step

__all__ = ["PlainEngine"]

_VALID_BATCH = 256
_LOOK_EVERY = {"cpu": 1, "cuda": 25}
"""Steps between two looks at the loss. Reading it on a GPU waits for the GPU."""


class PlainEngine:
    """A run on its way, on any device.

    Args:
        setup: What to train.
        seed: The run's seed.
        data: Cached pixels with a split.
        device: Where the model is.
        threads: Threads that make batches beside a GPU; on a CPU batches are made between steps.
        fused: Whether the forward pass is made of the CPU's fused parts.
    """

    def __init__(
        self,
        setup: Setup,
        seed: Seed,
        data: Data,
        *,
        device: torch.device,
        threads: int,
        fused: bool,
    ) -> None:
        self.kernels = "numba" if fused else "torch"
        model = build(
            setup.model,
            classes=len(data.classes),
            self_attention=setup.self_attention,
            activation=setup.activation,
        )
        initialise(model, seed.init)
        self._setup, self._data, self._device = setup, data, device
        self._draws = draw(setup, seed, data)
        self._loader = choose_loader(setup.loader, device=device.type)
        model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._model = FusedModel(model) if fused else model
        self._update = build_update(setup, model)
        self._scaler = LossScale() if setup.precision == "fp16" else None
        self._threads = threads if device.type == "cuda" else 0
        self.steps = self._draws.examples.shape[1]

    def train_epoch(self, epoch: int, look: Callable[[int, list[float]], None]) -> None:
        """Take the steps of an epoch; `look` is told of the losses since it was last."""
        setup, unread = self._setup, list[Tensor]()
        batches = self._loader.train(
            self._data, self._draws, epoch, size=setup.size, threads=self._threads
        )
        for step, (images, targets) in enumerate(batches):
            loss = train_step(
                self._model,
                self._update,
                self._images(images),
                self._targets(targets),
                lr=self._rate(epoch * self.steps + step),
                label_smoothing=setup.label_smoothing,
                precision=setup.precision,
                scaler=self._scaler,
            )
            unread.append(loss)
            if len(unread) == _LOOK_EVERY[self._device.type] or step == self.steps - 1:
                look(step, torch.stack(unread).tolist())
                unread = []

    def validate(self, crops: Sequence[str]) -> Float16[ndarray, "views examples classes"]:
        """Logits of some crops of every validation image, each as it is and mirrored."""
        return np.concatenate([self._logits_of(crop) for crop in crops])

    def _logits_of(self, crop: str) -> Float16[ndarray, "two examples classes"]:
        batches = self._loader.valid(
            self._data,
            size=self._setup.size,
            batch_size=_VALID_BATCH,
            threads=self._threads,
            crop=crop,
        )
        return validation_logits(
            self._model, map(self._images, batches), precision=self._setup.precision
        )

    def _rate(self, step: int) -> float:
        setup = self._setup
        total = setup.epochs * self.steps
        return flat_cos(step, total, setup.lr, flat=setup.flat, form=setup.schedule_form)

    def _images(self, images: Any) -> Float[Tensor, "batch channels height width"]:
        return torch.from_dlpack(images).permute(0, 3, 1, 2).to(self._device, non_blocking=True)

    def _targets(self, targets: Int64[ndarray, " batch"]) -> Int64[Tensor, " batch"]:
        return torch.from_numpy(targets).to(self._device, non_blocking=True)
