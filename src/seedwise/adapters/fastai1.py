"""fastai 1 (1.0.61, the notebook's): its Learner trained from our pixels, with our metric.

    bunch = data_bunch(setup, seed, data)
    learner = Learner(bunch, model, metrics=[accuracy, smoothed_accuracy], callback_fns=...)
    fit_flat_cos(learner, 5, 4e-3)

It needs an environment of its own: fastai 2 has the same name, and its setuptools is old.
"""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
# where types are checked there is fastai 2

from collections.abc import Iterator
from os import PathLike
from typing import Any

import torch
from torch.utils.data import IterableDataset

from seedwise.adapters.fastai_parts import Batch, Batches, Recording, both, smoothed_accuracy
from seedwise.data import Data
from seedwise.errors import MissingPackage
from seedwise.records import VIEWS
from seedwise.seeds import Seed
from seedwise.setups import Setup

try:
    from fastai.basic_data import DataBunch
    from fastai.basic_train import Learner, LearnerCallback
    from fastai.callback import annealing_cos
    from fastai.callbacks.general_sched import GeneralScheduler, TrainingPhase
    from fastai.torch_core import defaults
except ModuleNotFoundError as error:
    raise MissingPackage(str(error.name), "seedwise.adapters.fastai1", extra="fastai1") from None

__all__ = ["RecordRun", "data_bunch", "fit_flat_cos", "flat_cos_scheduler", "smoothed_accuracy"]


def data_bunch(
    setup: Setup,
    seed: int | tuple[int, int, int] | Seed,
    data: Data,
    *,
    device: str | torch.device | None = None,
    threads: int = 0,
    path: str | PathLike[str] = ".",
) -> Any:
    """The batches of one run as a DataBunch of fastai 1; see `adapters.fastai.data_loaders`.

    Args:
        setup: Its loader, batch size, image size, augmentation and epochs are used.
        seed: The run's seed; `init` is not used.
        data: Cached pixels with a split.
        device: Where batches are put; None takes fastai's default, a GPU where there is one.
        threads: Threads that make batches ahead of the training.
        path: Where a Learner saves models.

    Raises:
        MissingPackage: The setup's loader needs a package that is not installed.
        DataError: There are fewer training images than a batch holds.
    """
    place = torch.device(defaults.device if device is None else device)
    train, valid = both(setup, seed, data, device=place.type, threads=threads)
    loaders = (
        # pinned memory, fastai's default, is refused for batches that are on a GPU already
        torch.utils.data.DataLoader(images, batch_size=None, pin_memory=False)
        for images in (
            _BatchDataset(train, data.classes, 1),
            _BatchDataset(valid, data.classes, len(VIEWS)),
        )
    )
    return DataBunch(*loaders, device=place, path=path, collate_fn=_whole, no_check=True)


class _BatchDataset(IterableDataset[Batch]):
    """A dataset as fastai knows one; its items are batches."""

    def __init__(self, batches: Batches, classes: tuple[str, ...], views: int) -> None:
        self.batches, self.classes, self.c, self.views = batches, classes, len(classes), views

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


def _whole(batch: Batch) -> Batch:
    """Batches come whole: there is nothing to put together."""
    return batch


def flat_cos_scheduler(learner: Any, epochs: int, lr: float, *, flat: float = 0.72) -> Any:
    """The notebook's schedule as a callback of fastai 1: flat, then a cosine down to 0.

    The same rates as `seedwise.optim.flat_cos(form="v1")`.
    """
    steps = epochs * len(learner.data.train_dl)
    phases = [
        TrainingPhase(flat * steps).schedule_hp("lr", lr),
        TrainingPhase((1 - flat) * steps).schedule_hp("lr", lr, anneal=annealing_cos),
    ]
    return GeneralScheduler(learner, phases)


def fit_flat_cos(
    learner: Any, epochs: int, lr: float, *, flat: float = 0.72, wd: float | None = None
) -> None:
    """Fit as the notebook's helper of this name did.

    Args:
        learner: A Learner of fastai 1.
        epochs: Passes over the training images.
        lr: Learning rate of the flat phase.
        flat: Share of the steps in the flat phase, in [0, 1).
        wd: Weight decay; None takes the Learner's.
    """
    scheduler = flat_cos_scheduler(learner, epochs, lr, flat=flat)
    learner.fit(epochs, lr, wd=wd, callbacks=[scheduler])


class RecordRun(LearnerCallback):
    """Records a fit as a run of a study when the fit ends: the model that fastai keeps.

    As of `adapters.fastai.RecordRun`; `SaveModelCallback` keeps the best by `every="improvement"`.
    It is given to a Learner by `callback_fns=partial(RecordRun, path=..., setup=..., seed=...)`.

    Args:
        learner: The Learner.
        path: The study file; made if there is none.
        setup: Name of the setup in the study.
        seed: The run's seed; give the one that the batches and the weights were made from.

    Raises:
        RunExists: When the fit begins: the study has a run of this setup and seed.
        StudyError: When the fit begins: the file is not a study, or seedwise trains this setup.
    """

    def __init__(
        self,
        learner: Learner,
        path: str | PathLike[str],
        *,
        setup: str,
        seed: int | tuple[int, int, int] | Seed,
    ) -> None:
        before = getattr(learner, "record_run", None)  # of the Learner's fit before, if of any
        super().__init__(learner)
        recording = Recording(path, setup=setup, seed=seed)
        known = None if before is None else before._recording
        self._recording = known if known is not None and known.is_for(recording) else recording
        self._best: float | None = None

    def on_train_begin(self, **_: Any) -> None:
        """Start the clock, if this is a fit."""
        self._recording.begin()

    def on_epoch_begin(self, **_: Any) -> None:
        """Look whether the model of the epoch before was kept: its saver may come after this."""
        self._settle()

    def on_batch_begin(self, train: bool, **_: Any) -> None:
        """A batch of training or of validation."""
        if train:
            if not self._recording.trains:
                self._best = self._best_so_far()
            self._recording.train()
        elif not self._recording.validates:
            self._recording.validate()

    def on_batch_end(self, last_output: Any, last_target: Any, train: bool, **_: Any) -> None:
        """Keep what the model said of a validation batch."""
        if not train:
            self._recording.add(last_output, last_target)

    def on_epoch_end(
        self, epoch: int = 0, smooth_loss: Any = None, last_metrics: Any = None, **_: Any
    ) -> None:
        """Keep the epoch's validation and its figures."""
        self._recording.validated(epoch=epoch)
        names = ["valid_loss", *(_name(metric) for metric in self.learn.metrics)]
        figures = dict(zip(names, last_metrics or (), strict=False))
        self._recording.ended({"train_loss": smooth_loss, **figures})

    def on_train_end(self, exception: Any = False, skip_validate: bool = False, **_: Any) -> None:
        """Record the run. A search for a learning rate validates nothing and is not a run."""
        self._settle()
        if not (exception or skip_validate):
            self._recording.store(getattr(self.learn.data.valid_ds, "views", 1))

    def _settle(self) -> None:
        """Note whether the model of the last epoch is kept."""
        best = self._best_so_far()
        if best is not None and best != self._best:
            self._best = best
            self._recording.keep(self.learn.save_model_callback.monitor)

    def _best_so_far(self) -> float | None:
        saver = getattr(self.learn, "save_model_callback", None)
        if saver is None or saver.every != "improvement" or not hasattr(saver, "best"):
            return None
        return float(saver.best)


def _name(metric: Any) -> str:
    """The name by which fastai shows a metric."""
    return getattr(metric, "name", None) or getattr(metric, "__name__", type(metric).__name__)
