"""fastai 2: its Learner trained from our pixels, scored by our metric, recorded in a study.

    loaders = data_loaders(setup, seed, data)
    learner = Learner(loaders, model, metrics=[accuracy, smoothed_accuracy], cbs=RecordRun(...))

Batches are those of the built-in training, crop for crop: runs of a Learner and of seedwise with
the same seed make a pair.
"""

import inspect
from collections.abc import Generator
from dataclasses import dataclass
from os import PathLike
from typing import Any

import torch

from seedwise.adapters.fastai_parts import (
    VALID_BATCH,
    Batches,
    Recording,
    both,
    smoothed_accuracy,
)
from seedwise.data import Data
from seedwise.errors import MissingPackage
from seedwise.records import VIEWS
from seedwise.seeds import Seed
from seedwise.setups import Setup

try:
    from fastai.callback.core import Callback
    from fastai.callback.schedule import Learner
    from fastai.callback.tracker import SaveModelCallback
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader
    from fastai.torch_core import default_device
except ModuleNotFoundError as error:
    raise MissingPackage(str(error.name), "seedwise.adapters.fastai", extra="fastai") from None

__all__ = ["RecordRun", "data_loaders", "smoothed_accuracy"]


def data_loaders(
    setup: Setup,
    seed: int | tuple[int, int, int] | Seed,
    data: Data,
    *,
    device: str | torch.device | None = None,
    threads: int = 0,
) -> DataLoaders:
    """The batches of one run as fastai's DataLoaders.

    Each full pass over the training loader gives the next epoch, for
    `setup.epochs` epochs. The validation loader gives every image as it is and then every image
    mirrored, as the notebook's did, so that a metric counts each view as an example.

    Args:
        setup: Its loader, batch size, image size, augmentation and epochs are used; the model, the
            optimizer and the schedule are the Learner's.
        seed: The run's seed; `init` is not used.
        data: Cached pixels with a split.
        device: Where batches are put; None takes fastai's default, a GPU where there is one.
        threads: Threads that make batches ahead of the training; 0 makes each when it is asked
            for.

    Raises:
        MissingPackage: The setup's loader needs a package that is not installed.
        DataError: There are fewer training images than a batch holds.
    """
    place = torch.device(default_device() if device is None else device)
    train, valid = both(setup, seed, data, device=place.type, threads=threads)
    steps = len(train)
    sets = (
        _CountedImages(train, steps * setup.batch_size, setup.batch_size, data.classes, 1),
        _CountedImages(valid, len(VIEWS) * len(data.valid), VALID_BATCH, data.classes, len(VIEWS)),
    )
    loaders = (_WholeBatches(images, bs=images.batch_size, indexed=True) for images in sets)
    return DataLoaders(*loaders, device=place)


@dataclass(frozen=True, slots=True)
class _CountedImages:
    """A dataset as fastai knows one: it counts images, and names their classes."""

    batches: Batches
    count: int
    batch_size: int
    vocab: tuple[str, ...]
    views: int

    def __len__(self) -> int:
        return self.count

    @property
    def c(self) -> int:
        """Number of classes, by fastai's name for it."""
        return len(self.vocab)


class _WholeBatches(DataLoader):
    """A loader of fastai's whose batches come whole, in an order of their own."""

    def __len__(self) -> int:
        return len(self.dataset.batches)

    def create_batches(self, samps: Any) -> Generator[Any]:
        yield from self.dataset.batches


class RecordRun(Callback):
    """Records a fit as a run of a study when the fit ends: the model that fastai keeps.

    That is the best one with a `SaveModelCallback`, which loads it again at the end; else the
    last. With loaders of `data_loaders` both views are recorded; with a Learner's own loaders the
    one that they show. Where the predictions are not class scores, only the metrics are recorded.

    Searches for a learning rate, `validate` and `get_preds` are not runs, and both fits of
    `fine_tune` are one. A Learner's fits after the recorded one are not recorded; to say which
    fit is the run, give this to the fit: `learner.fit(5, cbs=RecordRun(...))`.

    Args:
        path: The study file; made if there is none.
        setup: Name of the setup in the study.
        seed: The run's seed; give the one that the loaders and the weights were made from.

    Raises:
        RunExists: When the fit begins: the study has a run of this setup and seed.
        StudyError: When the fit begins: the file is not a study, or seedwise trains this setup.
    """

    order = 70  # after the Recorder, the SaveModelCallback and what turns half precision back

    def __init__(
        self, path: str | PathLike[str], *, setup: str, seed: int | tuple[int, int, int] | Seed
    ) -> None:
        self._recording = Recording(path, setup=setup, seed=seed)
        self._tuning = 0  # which call of fine_tune its first fit was of

    def before_fit(self) -> None:
        """Start the clock; a search for a learning rate is not a run."""
        self.run = not hasattr(self.learn, "lr_finder")
        call = _call_of(Learner.fine_tune)  # pyright: ignore[reportAttributeAccessIssue]
        second = call != 0 and call == self._tuning
        self._recording.begin(goes_on=second)
        self._tuning = 0 if second else call

    def before_train(self) -> None:
        """An epoch of training begins."""
        self._recording.train()

    def before_validate(self) -> None:
        """Forget the validation before."""
        self._recording.validate()

    def after_batch(self) -> None:
        """Keep what the model said of a validation batch."""
        if not self.training and self.yb:
            self._recording.add(self.pred, self.yb[0])

    def after_validate(self) -> None:
        """Keep the epoch's validation."""
        self._recording.validated(epoch=self.epoch)

    def after_epoch(self) -> None:
        """Keep the figures of the epoch, and note whether its model is kept."""
        names, values = self.recorder.metric_names[1:], self.recorder.values
        metrics = dict(zip(names, values[-1], strict=False)) if values else {}
        if not self._recording.ended(metrics):
            return
        for saver in self.learn.cbs:  # pyright: ignore[reportAttributeAccessIssue]
            if _keeps(saver) and saver.new_best:
                self._recording.keep(saver.monitor)

    def after_fit(self) -> None:
        """Record the run."""
        self.after_epoch()  # a callback that ends the fit in its own after_epoch goes before
        if not self._tuning:
            self._recording.store(getattr(self.dls.valid, "views", 1))


def _keeps(callback: Callback) -> bool:
    """True if a callback loads the best model again when the fit has ended."""
    is_saver = isinstance(callback, SaveModelCallback)
    return is_saver and not (callback.every_epoch or callback.at_end)


def _call_of(function: Any) -> int:
    """A number for the call of a function that runs just now; 0 where it does not run."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not function.__code__:
        frame = frame.f_back
    return 0 if frame is None else id(frame)
