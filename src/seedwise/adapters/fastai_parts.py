"""Parts that both fastai adapters share: batches as tensors, the metric, recording."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from os import PathLike
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from seedwise.adapters.evaluations import LOG, Evaluation, Evaluations, StudyRun
from seedwise.data import Data, Loader, choose_loader, draw
from seedwise.errors import ConfigError
from seedwise.records import VIEWS
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.shaped import Float, Float32, Int64
from seedwise.train import choose

__all__ = [
    "VALID_BATCH",
    "Batch",
    "Batches",
    "Chain",
    "Recording",
    "TrainBatches",
    "both",
    "smoothed_accuracy",
]

VALID_BATCH = 256
"""Validation images a batch; no result depends on it."""

Batch = tuple[Float32[Tensor, "batch 3 size size"], Int64[Tensor, " batch"]]


class Batches(Protocol):
    """Batches that can be iterated over again and again, and counted."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


class TrainBatches:
    """The training batches of a run: each full pass gives the next epoch.

    An epoch counts as done when its last batch has been taken: whoever only looks at the first
    ones leaves the run's order as it was.

    Args:
        setup: Its loader, batch size, image size, augmentation and epochs are used.
        seed: The run's seed: `order` and `augment`.
        data: Cached pixels with a split.
        device: Type of the device that the model is on, `cpu` or `cuda`.
        threads: Threads that make batches ahead of their use.

    Attributes:
        epoch: The epoch that comes next, from 0.
    """

    def __init__(self, setup: Setup, seed: Seed, data: Data, *, device: str, threads: int) -> None:
        self._setup, self._data, self._threads = setup, data, threads
        self._loader = _loader(setup, device)
        self._draws = draw(setup, seed, data)
        self.epoch = 0

    def __len__(self) -> int:
        return self._draws.examples.shape[1]

    def __iter__(self) -> Iterator[Batch]:
        setup = self._setup
        if self.epoch >= setup.epochs:
            raise ConfigError(
                f"all {setup.epochs} epochs of this setup have been trained; make new loaders "
                f"for another run, or with more epochs: setup.but(epochs={2 * setup.epochs})"
            )
        batches = self._loader.train(
            self._data, self._draws, self.epoch, size=setup.size, threads=self._threads
        )
        for images, targets in batches:
            yield _tensor(images), torch.from_numpy(targets)
        self.epoch += 1


class ViewBatches:
    """One view of the validation images, in order; arguments as of `TrainBatches`."""

    def __init__(
        self, setup: Setup, data: Data, *, device: str, threads: int, mirrored: bool
    ) -> None:
        self._setup, self._data, self._threads = setup, data, threads
        self._loader = _loader(setup, device)
        self._mirrored = mirrored

    def __len__(self) -> int:
        return -(-len(self._data.valid) // VALID_BATCH)

    def __iter__(self) -> Iterator[Batch]:
        data = self._data
        batches = self._loader.valid(
            data,
            size=self._setup.size,
            batch_size=VALID_BATCH,
            threads=self._threads,
            mirrored=self._mirrored,
        )
        for number, images in enumerate(batches):
            examples = data.valid[number * VALID_BATCH :][:VALID_BATCH]
            yield _tensor(images), torch.from_numpy(data.targets[examples])


class Chain:
    """Loaders one after the other, as the notebook chained its two validation loaders."""

    def __init__(self, *loaders: Batches) -> None:
        self.loaders = loaders

    def __len__(self) -> int:
        return sum(map(len, self.loaders))

    def __iter__(self) -> Iterator[Batch]:
        return chain.from_iterable(self.loaders)


def both(
    setup: Setup, seed: int | tuple[int, int, int] | Seed, data: Data, *, device: str, threads: int
) -> tuple[TrainBatches, Chain]:
    """Training batches, and validation batches: all images as they are, then all mirrored."""
    train = TrainBatches(setup, Seed.of(seed), data, device=device, threads=threads)
    views = (
        ViewBatches(setup, data, device=device, threads=threads, mirrored=view == "mirrored")
        for view in VIEWS
    )
    return train, Chain(*views)


def smoothed_accuracy(
    logits: Float[Tensor, "batch classes"], targets: Int64[Tensor, " batch"], beta: float = 3.0
) -> Float[Tensor, ""]:
    """Mean of softmax(beta * logits) at the target, in [0, 1]: the notebook's soft-argmax.

    The same figure as `seedwise.stats.smoothed_accuracy`, as a metric for a Learner.
    """
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return torch.softmax(beta * wide, dim=-1).gather(-1, targets.unsqueeze(-1)).mean()


class Recording:
    """A fit of a Learner that becomes a run of a study.

    Only the validation that follows an epoch of training is one of the run: a Learner also
    validates by itself, predicts, and looks for a learning rate.

    Args:
        path: The study file; made if there is none.
        setup: Name of the setup in the study.
        seed: The run's seed.

    Attributes:
        trains: Whether the fit has trained anything yet.
        validates: Whether the validation of an epoch is under way.
    """

    def __init__(
        self, path: str | PathLike[str], *, setup: str, seed: int | tuple[int, int, int] | Seed
    ) -> None:
        self._run = StudyRun(path, setup=setup, seed=seed)
        self._evaluations = Evaluations()
        self._forget()
        self.begin()

    def is_for(self, other: "Recording") -> bool:
        """True if another would become the same run of the same study."""
        return self._run == other._run

    def begin(self, *, goes_on: bool = False) -> None:
        """A fit may begin; `goes_on` where it and the fit before are one training."""
        if not goes_on:
            self._evaluations.begin()
        self.trains = self._due = self.validates = False
        self._pending: Evaluation | None = None

    def train(self) -> None:
        """A step or an epoch of training begins.

        Raises:
            RunExists: The study has a run of this setup and seed.
            StudyError: The file is not a study, or seedwise trains this setup.
        """
        if not self.trains:
            self._run.check()
        self.trains = self._due = True

    def validate(self) -> None:
        """A validation begins, perhaps the epoch's."""
        self.validates, self._due = self._due, False
        if self.validates:
            self._forget()

    def add(self, logits: Any, targets: Any) -> None:
        """Keep a batch of the epoch's validation.

        Copies leave the device at the end, so that it need not wait. Anything but class scores of
        examples, say of pixels, is not kept: a validation of it may not fit the device.
        """
        if not self.validates:
            return
        self._batches += 1
        if not _may_be_classes(logits, targets):
            self._of_classes = False
        elif self._of_classes:
            self._logits.append(logits.detach().float())
            self._targets.append(targets)

    def validated(self, *, epoch: int) -> None:
        """The epoch's validation has ended, if it is that which did; `epoch` counts from 0."""
        if not self.validates:
            return
        self.validates = False
        if not self._batches:  # an empty validation loader
            return
        holds = self._of_classes and bool(self._logits)
        self._pending = Evaluation(
            step=epoch,
            when=f"epoch {epoch + 1}",
            predictions=torch.cat(self._logits) if holds else None,
            targets=torch.cat(self._targets) if holds else None,
        )
        self._forget()

    def ended(self, metrics: Mapping[str, Any]) -> bool:
        """The epoch has ended, with these figures; False where that was told or none was one."""
        if self._pending is None:
            return False
        known = {name: float(value) for name, value in metrics.items() if value is not None}
        self._evaluations.add(replace(self._pending, metrics=known))
        self._pending = None
        return True

    def keep(self, monitor: str) -> None:
        """A SaveModelCallback keeps the model that was validated last, for this figure."""
        self._evaluations.keep(f"kept by SaveModelCallback for its {monitor}")

    def store(self, views: int) -> None:
        """Put the run into the study, where all images came once for each view, in one order."""
        if not self.trains:
            return
        chosen = self._evaluations.chosen
        if chosen is not None:
            self._evaluations.tell_choice(str(self._run))
            chosen = _in_views(chosen, views)
        self._run.store(chosen, seconds=self._evaluations.seconds, rule=self._evaluations.rule)

    def _forget(self) -> None:
        self._logits: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._of_classes, self._batches = True, 0


def _may_be_classes(logits: Any, targets: Any) -> bool:
    return (
        isinstance(logits, Tensor)
        and isinstance(targets, Tensor)
        and logits.ndim == 2
        and targets.ndim == 1
        and not targets.is_floating_point()
    )


def _in_views(evaluation: Evaluation, views: int) -> Evaluation:
    """The evaluation with its predictions as (views, examples, classes), on the host."""
    logits, targets = evaluation.predictions, evaluation.targets
    if logits is None:
        return evaluation
    targets = np.asarray(targets.cpu())
    if (
        len(targets) % views
        or not (targets.reshape(views, -1) == targets[: len(targets) // views]).all()
    ):
        LOG.warning(
            "the %s views do not show the same images in the same order, so the predictions are "
            "left out; leave the validation loader as it was made",
            views,
        )
        return replace(evaluation, predictions=None, targets=None)
    logits = np.asarray(logits.cpu()).reshape(views, -1, logits.shape[-1])
    return replace(
        evaluation,
        predictions=logits if views > 1 else logits[0],
        targets=targets[: len(targets) // views],
    )


def _loader(setup: Setup, device: str) -> Loader:
    name = setup.loader if setup.loader != "auto" else choose(device=device).loader
    return choose_loader(name, device=device)


def _tensor(images: object) -> Float32[Tensor, "batch 3 size size"]:
    return torch.from_dlpack(images).permute(0, 3, 1, 2)
