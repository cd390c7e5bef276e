"""The built-in training: setup, seed and data in, a RunRecord out."""

import math
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from numpy import ndarray

from seedwise.crops import CENTRE, view_names
from seedwise.data import Data
from seedwise.records import VIEWS, EpochRecord, Progress, RunRecord
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.shaped import Float16
from seedwise.train.beside import is_captured
from seedwise.train.evaluate import figures
from seedwise.train.machine import describe, prepared

__all__ = ["SmoothedLoss", "engine_for", "train"]


class Engine(Protocol):
    """A run on its way: what takes its steps. Engines differ in speed and in rounding."""

    kernels: str
    steps: int

    def train_epoch(self, epoch: int, look: Callable[[int, list[float]], None]) -> None:
        """Take the steps of an epoch; now and then tell `look` the last step and the losses."""

    def validate(self, crops: Sequence[str]) -> Float16[ndarray, "views examples classes"]:
        """Logits of some crops of every validation image, each as it is and mirrored.

        The first is the centre; the others are the first so many of the data's crops.
        """
        ...


class _Diverged(Exception):
    """The loss, or a logit, is no longer a finite number: a result, not a fault."""


class SmoothedLoss:
    """fastai's `train_loss`: a moving average of the loss with factor 0.98, debiased.

    >>> loss = SmoothedLoss()
    >>> loss.add([2.0]), round(loss.add([1.0]), 6)
    (2.0, 1.494949)
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
        A finished run with the logits of the last epoch, of all views that the data ask for, or a
        diverged one without logits. The figures of epochs are of the notebook's two views.
    """
    started = time.perf_counter()
    place = torch.device(device)
    epochs: list[EpochRecord] = []
    logits, error = None, None
    with engine_for(setup, seed, data, place, threads) as engine:
        smoothed = SmoothedLoss()
        try:
            for epoch in range(setup.epochs):
                record, logits = _epoch(engine, epoch, setup, data, smoothed, progress)
                epochs.append(record)
                if progress is not None:
                    progress.epoch(record)
        except _Diverged as failure:
            logits, error = None, str(failure)
        made_by = {**describe(place), "kernels": engine.kernels}
    return RunRecord(
        state="finished" if error is None else "diverged",
        logits=logits,
        views=() if logits is None else view_names(data.crops),
        epochs=tuple(epochs),
        seconds=time.perf_counter() - started,
        made_by=made_by,
        error=error,
    )


@contextmanager
def engine_for(
    setup: Setup, seed: Seed, data: Data, device: torch.device, threads: int
) -> Generator[Engine]:
    """The fastest engine that this run can have here."""
    if device.type == "cuda" and is_captured(setup):
        from seedwise.train.gpu import garage  # needs triton

        with garage.borrowed(setup, seed, data, device) as engine:
            yield engine
        return
    from seedwise.train.cpu import parts  # loads numba
    from seedwise.train.plain import PlainEngine

    with prepared(threads=threads, deterministic=bool(setup.deterministic)):
        fused = parts.fits(setup, device)
        yield PlainEngine(setup, seed, data, device=device, threads=threads, fused=fused)


def _epoch(
    engine: Engine,
    epoch: int,
    setup: Setup,
    data: Data,
    smoothed: SmoothedLoss,
    progress: Progress | None,
) -> tuple[EpochRecord, Float16[ndarray, "views examples classes"]]:
    """All steps of an epoch, then its validation."""
    started = time.perf_counter()
    train_loss = math.nan

    def look(step: int, losses: list[float]) -> None:
        nonlocal train_loss
        _check_losses(losses, epoch, step)
        train_loss = smoothed.add(losses)
        if progress is not None:
            progress.step(epoch=epoch, step=step, steps=engine.steps, loss=train_loss)

    engine.train_epoch(epoch, look)
    last = epoch == setup.epochs - 1
    logits = engine.validate(data.crops if last else CENTRE)
    if not np.isfinite(logits).all():
        raise _Diverged(f"a validation logit was not finite after epoch {epoch}")
    targets = data.targets[data.valid]
    valid_loss, accuracy, smoothed_accuracy = figures(
        logits[: len(VIEWS)], targets, label_smoothing=setup.label_smoothing
    )
    record = EpochRecord(
        epoch=epoch,
        figures={
            "train_loss": train_loss,
            "valid_loss": valid_loss,
            "accuracy": accuracy,
            "smoothed_accuracy": smoothed_accuracy,
            "seconds": time.perf_counter() - started,
        },
    )
    return record, logits


def _check_losses(losses: list[float], epoch: int, last_step: int) -> None:
    for place, loss in enumerate(losses, start=last_step - len(losses) + 1):
        if not math.isfinite(loss):
            raise _Diverged(f"the loss was {loss} at step {place} of epoch {epoch}")
