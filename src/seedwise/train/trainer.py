"""The built-in training: setup, seed and data in, a RunRecord out."""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from numpy import ndarray
from torch import Tensor, nn

from seedwise.data import Data, Draws, draw, train_batches, valid_batches
from seedwise.models import build, initialise
from seedwise.optim import Update, flat_cos
from seedwise.optim import build as build_update
from seedwise.records import VIEWS, EpochRecord, Progress, RunRecord
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.train.evaluate import figures, validation_logits
from seedwise.train.machine import describe, prepared
from seedwise.train.steps import LossScale, train_step

__all__ = ["SmoothedLoss", "train"]

_VALID_BATCH = 256
_LOOK_EVERY = {"cpu": 1, "cuda": 25}
"""Steps between two looks at the loss. Reading it on a GPU waits for the GPU."""


class _Diverged(Exception):
    """The loss, or a logit, is no longer a finite number: a result, not a fault."""


class SmoothedLoss:
    """fastai's `train_loss`: a moving average of the loss with factor 0.98, debiased.

    >>> loss = SmoothedLoss()
    >>> loss.add([2.0]), loss.add([1.0])
    (2.0, 1.494949494949495)
    """

    _FACTOR = 0.98

    def __init__(self) -> None:
        self._average, self._count = 0.0, 0

    def add(self, losses: list[float]) -> float:
        """Take in the losses of more steps; returns the average after them."""
        for loss in losses:
            self._average = self._FACTOR * self._average + (1 - self._FACTOR) * loss
        self._count += len(losses)
        return self._average / (1 - self._FACTOR**self._count)


def train(
    setup: Setup,
    seed: Seed,
    data: Data,
    *,
    device: str = "cpu",
    threads: int = 1,
    progress: Progress | None = None,
) -> RunRecord:
    """Train one setup with one seed and validate after each epoch.

    A pure function of its first three arguments on one machine, with one set of versions and one
    number of threads: on a CPU it repeats bit for bit. What is random is drawn before training.

    Args:
        setup: What to train, without `auto` in it.
        seed: The run's seed.
        data: Cached pixels with a split.
        device: `cpu` or `cuda`.
        threads: Threads of the arithmetic on a CPU; beside a GPU, threads that make batches.
        progress: Told of every look at the loss and of every epoch.

    Returns:
        A finished run with the logits of the last epoch, or a diverged one without logits.
    """
    started = time.perf_counter()
    epochs: list[EpochRecord] = []
    logits, error = None, None
    with prepared(threads=threads, deterministic=bool(setup.deterministic)):
        training = _Training.begin(setup, seed, data, device=torch.device(device), threads=threads)
        try:
            for epoch in range(setup.epochs):
                record, logits = training.epoch(epoch, progress)
                epochs.append(record)
                if progress is not None:
                    progress.epoch(record)
        except _Diverged as failure:
            logits, error = None, str(failure)
        made_by = describe(training.device)
    return RunRecord(
        state="finished" if error is None else "diverged",
        logits=logits,
        views=() if logits is None else VIEWS,
        epochs=tuple(epochs),
        seconds=time.perf_counter() - started,
        made_by=made_by,
        error=error,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Training:
    """A run on its way: everything that `train` has built before its first step."""

    setup: Setup
    data: Data
    draws: Draws
    model: nn.Module
    update: Update
    scaler: LossScale | None
    smoothed: SmoothedLoss
    device: torch.device
    threads: int

    @classmethod
    def begin(
        cls, setup: Setup, seed: Seed, data: Data, *, device: torch.device, threads: int
    ) -> "_Training":
        model = build(
            setup.model,
            classes=len(data.classes),
            self_attention=setup.self_attention,
            activation=setup.activation,
        )
        initialise(model, seed.init)
        model = model.to(device, memory_format=torch.channels_last)
        return cls(
            setup=setup,
            data=data,
            draws=draw(setup, seed, data),
            model=model,
            update=build_update(setup, model),
            scaler=LossScale() if setup.precision == "fp16" else None,
            smoothed=SmoothedLoss(),
            device=device,
            threads=threads if device.type == "cuda" else 0,
        )

    def epoch(self, epoch: int, progress: Progress | None) -> tuple[EpochRecord, ndarray]:
        """All steps of an epoch, then its validation."""
        started = time.perf_counter()
        train_loss = self._steps(epoch, progress)
        logits = self._validate(epoch)
        targets = self.data.targets[self.data.valid]
        valid_loss, accuracy, smoothed = figures(
            logits, targets, label_smoothing=self.setup.label_smoothing
        )
        record = EpochRecord(
            epoch=epoch,
            train_loss=train_loss,
            valid_loss=valid_loss,
            accuracy=accuracy,
            smoothed_accuracy=smoothed,
            seconds=time.perf_counter() - started,
        )
        return record, logits

    def _steps(self, epoch: int, progress: Progress | None) -> float:
        setup, steps = self.setup, self.draws.examples.shape[1]
        look_every = _LOOK_EVERY[self.device.type]
        average, unread = math.nan, list[Tensor]()
        batches = train_batches(
            self.data, self.draws, epoch, size=setup.size, threads=self.threads
        )
        for step, (images, targets) in enumerate(batches):
            loss = train_step(
                self.model,
                self.update,
                self._images(images),
                self._targets(targets),
                lr=flat_cos(
                    epoch * steps + step,
                    setup.epochs * steps,
                    setup.lr,
                    flat=setup.flat,
                    form=setup.schedule_form,
                ),
                label_smoothing=setup.label_smoothing,
                precision=setup.precision,
                scaler=self.scaler,
            )
            unread.append(loss)
            if len(unread) == look_every or step == steps - 1:
                average = self._read(unread, epoch, step)
                unread = []
                if progress is not None:
                    progress.step(epoch=epoch, step=step, steps=steps, loss=average)
        return average

    def _read(self, losses: list[Tensor], epoch: int, step: int) -> float:
        values = torch.stack(losses).tolist()
        if not all(map(math.isfinite, values)):
            first = next(i for i, value in enumerate(values) if not math.isfinite(value))
            at = step - len(values) + 1 + first
            raise _Diverged(f"the loss was {values[first]} at step {at} of epoch {epoch}")
        return self.smoothed.add(values)

    def _validate(self, epoch: int) -> ndarray:
        batches = valid_batches(
            self.data, size=self.setup.size, batch_size=_VALID_BATCH, threads=self.threads
        )
        logits = validation_logits(
            self.model, map(self._images, batches), precision=self.setup.precision
        )
        if not np.isfinite(logits).all():
            raise _Diverged(f"a validation logit was not finite after epoch {epoch}")
        return logits

    def _images(
        self, images: Float32[ndarray, "batch height width channels"]
    ) -> Float[Tensor, "batch channels height width"]:
        return torch.from_numpy(images).permute(0, 3, 1, 2).to(self.device, non_blocking=True)

    def _targets(self, targets: Int64[ndarray, " batch"]) -> Int64[Tensor, " batch"]:
        return torch.from_numpy(targets).to(self.device, non_blocking=True)
