"""The data of a study: a dataset with its split, or the targets of users' functions."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from seedwise.comparison.study_runs import TASK
from seedwise.crops import CENTRE, crops_of_views
from seedwise.data import Split, default_split
from seedwise.errors import ConfigError, DataError, SeedwiseError, StudyError
from seedwise.executors.job import DataReference
from seedwise.executors.predictions import as_classes, pairs_of_classes
from seedwise.executors.tasks import SuiteTask
from seedwise.live.events import DataProgress, Watch
from seedwise.records import DatasetRecord, RunRecord, row_names
from seedwise.setups import BUILT_IN, Setup
from seedwise.shaped import Float16, Int64
from seedwise.store import Store
from seedwise.study.examples import check_called, keep_called

__all__ = ["References", "StudyData", "as_targets", "keep_targets"]

References = Mapping[tuple[str, int | None], DataReference]
"""Datasets by task (empty for a study of one) and size of cached pixels."""

_NO_CLASS = 0.2
"""Share of predictions that are of no class there is: of six pairs of four classes a third."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyData:
    """A study's data as given; what is None is as the study file remembers it, or usual.

    Attributes:
        dataset: Name of a known dataset, or a path.
        split: Which images validate.
        source: Where the dataset's folder or archive lies, if not in the cache.
        cache: Where downloads and decoded pixels are kept.
        targets: Class of each example that the user's own functions predict.
        called: Plural name of the examples; None if it was not given.
        tasks: The tasks of a suite; none for a study of one dataset.
        bank: A study whose runs of the baseline are used; None for none.
        crops: The crops of each validation image that the built-in training ends with.
    """

    dataset: str | None
    split: Split | None
    source: Path | None
    cache: Path | None
    targets: Int64[ndarray, " examples"] | None
    called: str | None = None
    tasks: tuple[SuiteTask, ...] = ()
    bank: Path | None = None
    crops: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.called is not None:
            check_called(self.called)
        if self.dataset is not None and self.targets is not None:
            raise ConfigError("give a study a dataset or targets, not both; a dataset has its own")
        if self.tasks and self.targets is not None:
            raise ConfigError(
                "targets are of one dataset, and each task has its own; return them with the "
                "predictions of each task"
            )

    def references(self, store: Store, setups: Iterable[Setup], tell: Watch) -> References:
        """A reference for each task and size of cached pixels, opened so that the cache is there.

        The study file takes the dataset, or the targets, and what examples are called.

        Raises:
            ConfigError: The built-in training has no dataset, or there are views to be made and
                no setup that it trains.
            StudyError: The study was made with other data.
        """
        keep_called(store, self.called)
        if self.targets is not None:
            store.set_dataset(_dataset_of(self.targets, source="given to the study"))
        trained = [setup for setup in setups if setup.train == BUILT_IN]
        self._check_views(trained)
        if not self.tasks:
            sizes = {setup.pixels for setup in trained}
            return {("", pixels): self._opened(store, pixels, tell) for pixels in sizes}
        return {
            (task.name, pixels): self._of_task(store, task, pixels, tell)
            for task in self.tasks
            for pixels in {task.applied(setup).pixels for setup in trained}
        }

    def _check_views(self, trained: Sequence[Setup]) -> None:
        """Refuse views that nothing would make."""
        if self.crops is None:
            return
        if self.tasks:
            raise ConfigError(
                "views are of the images of one dataset, and a study of tasks keeps metrics only; "
                "leave views or tasks out"
            )
        if not trained:
            raise ConfigError(
                "views are made by the built-in training, and no setup here is trained by it; a "
                "function returns predictions of its own views: (views, examples, classes)"
            )

    def _opened(self, store: Store, pixels: int | None, tell: Watch) -> DataReference:
        known = store.dataset()
        remembered = {"dataset": known.name, "split": known.split} if known else {}
        crops = self.crops or _crops_of(known)
        reference, record = self._read({}, remembered, pixels, tell, crops=crops)
        store.set_dataset(record)
        return reference

    def _of_task(
        self, store: Store, task: SuiteTask, pixels: int | None, tell: Watch
    ) -> DataReference:
        """The dataset of a task; where it names none, that of the study."""
        known = store.choice(f"{TASK}{task.name}")
        remembered = known if isinstance(known, dict) else {}
        try:
            reference, _ = self._read(task.data, remembered, pixels, tell)
        except SeedwiseError as error:
            raise ConfigError(f"tasks.{task.name}: {error}") from None
        return reference

    def _read(
        self,
        said: Mapping[str, Any],
        known: Mapping[str, Any],
        pixels: int | None,
        tell: Watch,
        *,
        crops: tuple[str, ...] = CENTRE,
    ) -> tuple[DataReference, DatasetRecord]:
        """A dataset as a task says it, else as this does, else as the study file has known it."""
        dataset = said.get("dataset") or self.dataset or known.get("dataset")
        if dataset is None:
            raise ConfigError(
                "the built-in training needs a dataset; give one, e.g. dataset='imagenette'"
            )
        split = Split.of(said["split"]) if "split" in said else self.split
        if split is None:
            split = Split.from_json(known["split"]) if known else default_split(dataset)
        source = said.get("source", self.source)
        reference = DataReference(
            dataset=dataset,
            split=split,
            source=None if source is None else Path(source),
            cache=self.cache,
            pixels=pixels,
            crops=crops,
            fingerprint=known.get("fingerprint"),
        )
        data = reference.open(
            lambda what, done, total: tell(DataProgress(what=what, done=done, total=total))
        )
        return replace(reference, fingerprint=data.fingerprint), data.record()


def _crops_of(known: DatasetRecord | None) -> tuple[str, ...]:
    """The crops that a study's file says; the centre where it says nothing."""
    if known is None:
        return CENTRE
    crops = crops_of_views(known.views)
    if crops is None:
        raise StudyError(f"this seedwise makes no such views: {', '.join(known.views)}")
    return crops


def as_targets(targets: Any) -> Int64[ndarray, " examples"]:
    """Class numbers from 0, one for each example; from labels, in their order.

    Raises:
        DataError: They are something else.

    >>> as_targets([0, 2, 1]).dtype
    dtype('int64')
    """
    numbers = as_classes(targets)
    if (
        numbers.ndim != 1
        or numbers.dtype.kind not in "iu"
        or not len(numbers)
        or numbers.min() < 0
    ):
        raise DataError(
            "targets must be class numbers from 0, one for each example, got "
            f"{numbers.dtype} {numbers.shape}"
        )
    return numbers.astype(np.int64)


def keep_targets(store: Store, record: RunRecord, *, source: str) -> None:
    """Make sure that a study has the targets of a run's predictions, and that they fit.

    Args:
        store: The study file.
        record: The run; its targets are kept if it has some.
        source: Where they come from, in words.

    Raises:
        StudyError: The study has other targets, or none and none came with the predictions.
    """
    if record.targets is not None:
        _check_targets(store, record.targets, source)
        store.set_dataset(_dataset_of(record.targets, source=source))
    elif record.logits is not None and store.dataset() is None:
        raise StudyError(
            f"there are predictions for {store.path}, but no targets: return or record them with "
            "the predictions, or give them to the study: Study(path, targets=targets)"
        )
    elif record.logits is not None and (known := store.dataset()) is not None:
        _check_columns(record.logits, known.targets)


def _check_columns(
    logits: Float16[ndarray, "views examples columns"], targets: Int64[ndarray, " examples"]
) -> None:
    """Refuse decisions between pairs of classes where only the stored logits are known.

    They are as many as pairs, and their largest often is of a column that no class has.
    """
    classes, columns = int(targets.max()) + 1, logits.shape[-1]
    if classes < 4 or columns != classes * (classes - 1) // 2:
        return
    if (logits.argmax(axis=-1) >= classes).mean() > _NO_CLASS:
        raise StudyError(pairs_of_classes(columns, classes))


def _check_targets(store: Store, targets: Int64[ndarray, " examples"], source: str) -> None:
    """Say in what targets differ from those that other runs had; a dataset is not looked at."""
    known = store.dataset()
    if known is None or known.fingerprint != _fingerprint(known.targets):
        return
    if len(targets) != len(known.targets):
        fault = f"{len(targets)} targets {source}, and {store.path} has {len(known.targets)}"
    elif differ := int((targets != known.targets).sum()):
        fault = f"{differ} of {len(targets)} targets {source} are others than in {store.path}"
    else:
        return
    raise StudyError(f"{fault}; every run must predict the same examples in the same order")


def _fingerprint(targets: Int64[ndarray, " examples"]) -> str:
    """The fingerprint of a dataset of which only the targets are known."""
    return hashlib.sha256(targets.astype("<i8").tobytes()).hexdigest()


def _dataset_of(targets: Int64[ndarray, " examples"], *, source: str) -> DatasetRecord:
    """The record of a dataset of which only the targets are known."""
    return DatasetRecord(
        name=source,
        fingerprint=_fingerprint(targets),
        split=Split(name="shipped").to_json(),
        classes=tuple(str(i) for i in range(int(targets.max()) + 1)),
        names=row_names(len(targets)),
        targets=targets,
    )
