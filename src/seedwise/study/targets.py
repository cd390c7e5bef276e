"""The targets of a study that has no dataset of seedwise's: what is kept of them, and checks."""

import hashlib
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from seedwise.data import Split
from seedwise.errors import DataError, StudyError
from seedwise.records import DatasetRecord, RunRecord
from seedwise.store import Store

__all__ = ["as_targets", "dataset_of", "keep_targets"]


def as_targets(targets: Any) -> Int64[ndarray, " examples"]:
    """Class numbers from 0, one for each example.

    Raises:
        DataError: They are something else.

    >>> as_targets([0, 2, 1]).dtype
    dtype('int64')
    """
    numbers = np.asarray(targets)
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
        store.set_dataset(dataset_of(record.targets, source=source))
    elif record.logits is not None and store.dataset() is None:
        raise StudyError(
            f"there are predictions for {store.path}, but no targets: return or record them with "
            "the predictions, or give them to the study: Study(path, targets=targets)"
        )


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
    """What stands for a dataset of which only the targets are known."""
    return hashlib.sha256(targets.astype("<i8").tobytes()).hexdigest()


def dataset_of(targets: Int64[ndarray, " examples"], *, source: str) -> DatasetRecord:
    """What can be said of a dataset of which only the targets are known."""
    return DatasetRecord(
        name=source,
        fingerprint=_fingerprint(targets),
        split=Split(name="shipped").to_json(),
        classes=tuple(str(i) for i in range(int(targets.max()) + 1)),
        names=tuple(f"example {i}" for i in range(len(targets))),
        targets=targets,
    )
