"""Records as rows of the study file, and back: JSON, and arrays as little-endian bytes."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import numpy as np
from jaxtyping import Float16
from numpy import ndarray

from seedwise.records import DatasetRecord, EpochRecord
from seedwise.seeds import Seed
from seedwise.store.stored import StoredRun

__all__ = [
    "as_json",
    "as_text",
    "dataset_from_row",
    "dataset_row",
    "epochs_from_json",
    "epochs_json",
    "logits_from_row",
    "logits_row",
    "run_from_row",
]

_EPOCH_FIELDS = tuple(field.name for field in fields(EpochRecord))


def as_json(value: Any) -> str:
    """Canonical JSON: keys sorted, no spaces; NaN and Infinity as Python writes them.

    >>> as_json({"b": 1.0, "a": [True, None]})
    '{"a":[true,null],"b":1.0}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def as_text(message: str) -> str:
    """A message that SQLite can hold: halves of surrogate pairs, as odd file names have, escaped.

    >>> as_text(chr(0xDCE9) + ".jpg") == chr(92) + "udce9.jpg"
    True
    """
    return message.encode(errors="backslashreplace").decode()


def epochs_json(epochs: Sequence[EpochRecord]) -> str:
    """The figures of all epochs, field by field: a third of the size of one object an epoch."""
    columns = {name: [getattr(epoch, name) for epoch in epochs] for name in _EPOCH_FIELDS}
    return as_json(columns)


def epochs_from_json(text: str) -> tuple[EpochRecord, ...]:
    """What `epochs_json` wrote."""
    columns: dict[str, list[Any]] = json.loads(text)
    rows = zip(*columns.values(), strict=True)
    return tuple(EpochRecord(**dict(zip(columns, row, strict=True))) for row in rows)


def dataset_row(record: DatasetRecord) -> tuple[str | int | bytes, ...]:
    """The columns of a dataset, from `name` to `targets`."""
    return (
        record.name,
        record.fingerprint,
        record.split,
        as_json(record.classes),
        len(record.targets),
        zlib.compress(as_json(record.names).encode()),
        zlib.compress(np.asarray(record.targets).astype("<i8").tobytes()),
    )


def dataset_from_row(row: tuple[Any, ...]) -> DatasetRecord:
    """What `dataset_row` wrote; the targets are read-only."""
    name, fingerprint, split, classes, _, names, targets = row
    return DatasetRecord(
        name=name,
        fingerprint=fingerprint,
        split=split,
        classes=tuple(json.loads(classes)),
        names=tuple(json.loads(zlib.decompress(names))),
        targets=np.frombuffer(zlib.decompress(targets), "<i8").astype(np.int64, copy=False),
    )


def run_from_row(
    run: int, row: Sequence[Any], setup: str, made_by: Mapping[str, Any]
) -> StoredRun:
    """A run from its columns `init` to `views`."""
    init, order, augment, state, seconds, ended, _, error, metrics, epochs, views = row
    return StoredRun(
        id=run,
        setup=setup,
        seed=Seed(init=init, order=order, augment=augment),
        state=state,
        seconds=seconds,
        epochs=epochs_from_json(epochs),
        metrics=json.loads(metrics),
        views=tuple(json.loads(views)),
        made_by=made_by,
        error=error,
        ended_at=datetime.fromisoformat(ended),
    )


def logits_row(
    logits: Float16[ndarray, "views examples classes"],
) -> tuple[int, int, int, bytes]:
    """The columns of a run's logits: their shape and their bytes."""
    views, examples, classes = logits.shape
    return views, examples, classes, logits.astype("<f2").tobytes()


def logits_from_row(row: tuple[Any, ...]) -> Float16[ndarray, "views examples classes"]:
    """What `logits_row` wrote; the array is read-only."""
    *shape, data = row
    return np.frombuffer(data, "<f2").reshape(shape).astype(np.float16, copy=False)
