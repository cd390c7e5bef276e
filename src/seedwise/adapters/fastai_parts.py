"""What the adapters of both fastai releases share: batches as tensors, the metric, recording."""

import time
from collections.abc import Iterator
from itertools import chain
from os import PathLike
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from seedwise.data import Data, Loader, choose_loader, draw
from seedwise.errors import ConfigError
from seedwise.records import VIEWS
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.study import record
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
    """Batches that can be gone through again and again, and counted."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


class TrainBatches:
    """The training batches of a run: the next epoch's, each time that they are gone through.

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
    """A fit that becomes a run of a study: its clock, and what was said of the validation images.

    Args:
        path: The study file; made if there is none.
        setup: Name of the setup in the study.
        seed: The run's seed.
    """

    def __init__(
        self, path: str | PathLike[str], *, setup: str, seed: int | tuple[int, int, int] | Seed
    ) -> None:
        self._path, self._setup, self._seed = path, setup, Seed.of(seed)
        self._started = time.perf_counter()
        self._logits: list[Tensor] = []
        self._targets: list[Tensor] = []

    def begin(self) -> None:
        """The fit begins."""
        self._started = time.perf_counter()
        self.forget()

    def forget(self) -> None:
        """Another validation begins: the last one is the run's."""
        self._logits, self._targets = [], []

    def add(self, logits: Tensor, targets: Tensor) -> None:
        """Keep a batch. Copies leave the device at the end, so that it need not wait."""
        self._logits.append(logits.detach().float())
        self._targets.append(targets)

    def store(self, views: int) -> None:
        """Put the run into the study, where all images came once for each view, in one order.

        Raises:
            ConfigError: Nothing was validated, or the views are not of the same images.
            RunExists: The study has a run of this setup and seed.
        """
        if not self._logits:
            raise ConfigError("no validation to record; give the Learner a validation loader")
        logits = np.asarray(torch.cat(self._logits).cpu())
        targets = np.asarray(torch.cat(self._targets).cpu()).reshape(views, -1)
        if not (targets == targets[0]).all():
            raise ConfigError(
                f"the {views} views do not show the same images in the same order; "
                "leave the validation loader as it was made"
            )
        record(
            self._path,
            setup=self._setup,
            seed=self._seed,
            predictions=logits.reshape(views, -1, logits.shape[-1]),
            targets=targets[0].astype(np.int64),
            seconds=time.perf_counter() - self._started,
        )


def _loader(setup: Setup, device: str) -> Loader:
    name = setup.loader if setup.loader != "auto" else choose(device=device).loader
    return choose_loader(name, device=device)


def _tensor(images: object) -> Float32[Tensor, "batch 3 size size"]:
    return torch.from_dlpack(images).permute(0, 3, 1, 2)
