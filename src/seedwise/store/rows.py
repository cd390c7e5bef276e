"""Records as rows of the study file, and back: JSON, and arrays as little-endian bytes."""

import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy import ndarray

from seedwise.errors import StudyError
from seedwise.records import DatasetRecord, EpochRecord, RunRecord
from seedwise.seeds import Seed
from seedwise.shaped import Float16
from seedwise.store.schema import checksum
from seedwise.store.shapes import columns, mapping, moment, number, seconds, texts, unpacked
from seedwise.store.stored import StoredRepeat, StoredRun

__all__ = [
    "as_json",
    "as_text",
    "body_columns",
    "dataset_from_row",
    "dataset_row",
    "epochs_from_json",
    "epochs_json",
    "head_columns",
    "kept",
    "logits_digest",
    "logits_from_row",
    "logits_row",
    "repeat_from_row",
    "run_from_row",
]

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
"""Made once: `json.dumps` makes one for each value, which takes three times as long."""


def as_json(value: Any) -> str:
    """Canonical JSON: keys sorted, no spaces; NaN and Infinity as Python writes them.

    >>> as_json({"b": 1.0, "a": [True, None]})
    '{"a":[true,null],"b":1.0}'
    """
    return _ENCODER.encode(value)


def as_text(message: str) -> str:
    """A message that SQLite can hold: halves of surrogate pairs, as odd file names have, escaped.

    >>> as_text(chr(0xDCE9) + ".jpg") == chr(92) + "udce9.jpg"
    True
    """
    return message.encode(errors="backslashreplace").decode()


def epochs_json(epochs: Sequence[EpochRecord]) -> str:
    """The figures of all epochs, figure by figure: a third of the size of one object an epoch.

    A figure that an epoch lacks is null there.
    """
    names = dict.fromkeys(name for each in epochs for name in each.figures)
    columns = {name: [each.figures.get(name) for each in epochs] for name in names}
    return as_json({**columns, "epoch": [each.epoch for each in epochs]})


def epochs_from_json(text: str) -> tuple[EpochRecord, ...]:
    """Read what `epochs_json` wrote."""
    found = columns(mapping(json.loads(text)), "epoch")
    epochs = list(map(_epoch, found.pop("epoch")))
    values = zip(*map(_figures, found.values()), strict=True) if found else [()] * len(epochs)
    return tuple(
        EpochRecord(
            epoch=epoch,
            figures={n: v for n, v in zip(found, row, strict=True) if v is not None},
        )
        for epoch, row in zip(epochs, values, strict=True)
    )


def _figures(column: list[Any]) -> list[float | None]:
    """One figure after each epoch; the usual column of floats is taken as it is."""
    if set(map(type, column)) == {float}:
        return column
    return [None if value is None else number(value) for value in column]


def _epoch(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < 2**63:
        raise ValueError(f"an epoch has the number {value!r}")
    return value


def kept(number: float) -> float:
    """A number as SQLite gives it back: it has no -0.0."""
    return float(number) + 0.0


def head_columns(record: RunRecord, ended_at: datetime) -> tuple[str, float, str]:
    """The columns `state`, `seconds` and `ended` of a run or of a repeat.

    Raises:
        StudyError: `ended_at` has no time zone.
    """
    if ended_at.tzinfo is None:
        raise StudyError(f"ended_at must have a time zone, got {ended_at}")
    return record.state, kept(record.seconds), ended_at.astimezone(UTC).isoformat()


def body_columns(record: RunRecord) -> tuple[str | None, str, str, str]:
    """The columns from `error` to `views` of a run or of a repeat."""
    return (
        None if record.error is None else as_text(record.error),
        as_json({**record.metrics, **dict.fromkeys(record.not_finite)}),
        epochs_json(record.epochs),
        as_json(record.views),
    )


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
    """Read what `dataset_row` wrote; the targets are read-only."""
    name, fingerprint, split, classes, _, names, targets = row
    return DatasetRecord(
        name=name,
        fingerprint=fingerprint,
        split=split,
        classes=texts(json.loads(classes)),
        names=texts(json.loads(unpacked(names))),
        targets=np.frombuffer(unpacked(targets), "<i8").astype(np.int64, copy=False),
    )


def run_from_row(
    run: int,
    row: Sequence[Any],
    setup: str,
    made_by: Mapping[str, Any],
    digest: tuple[int, ...] | None,
    scored: Mapping[str, tuple[object, ...]],
) -> StoredRun:
    """A run from its columns `init` to `views`, the digest of its logits, and what has scores."""
    init, order, augment, state, took, ended, _, error, metrics, epochs, views = row
    values = _metrics(metrics)
    return StoredRun(
        id=run,
        setup=setup,
        seed=Seed(init=init, order=order, augment=augment),
        state=state,
        seconds=seconds(took),
        epochs=epochs_from_json(epochs),
        metrics={name: value for name, value in values.items() if value is not None},
        views=texts(json.loads(views)),
        made_by=made_by,
        error=error,
        ended_at=moment(ended),
        digest=digest,
        not_finite=tuple(name for name, value in values.items() if value is None),
        scored=frozenset(scored),
        scored_digest=tuple(sorted(scored.items())) if scored else None,
    )


def _metrics(text: str) -> dict[str, float | None]:
    """Metrics by name; None for one that was not finite."""
    found = mapping(json.loads(text)).items()
    return {name: None if value is None else number(value) for name, value in found}


def repeat_from_row(repeat: int, row: Sequence[Any], made_by: Mapping[str, Any]) -> StoredRepeat:
    """A repeat from its columns `run` to `views`."""
    run, state, took, ended, _, error, metrics, epochs, views = row
    return StoredRepeat(
        id=repeat,
        run=run,
        state=state,
        seconds=seconds(took),
        epochs=epochs_from_json(epochs),
        metrics={name: value for name, value in _metrics(metrics).items() if value is not None},
        views=texts(json.loads(views)),
        made_by=made_by,
        error=error,
        ended_at=moment(ended),
    )


def logits_row(
    logits: Float16[ndarray, "views examples classes"],
) -> tuple[int, int, int, bytes]:
    """The columns of a run's logits: their shape and their bytes."""
    views, examples, classes = logits.shape
    return views, examples, classes, logits.astype("<f2").tobytes()


def logits_digest(logits: Float16[ndarray, "views examples classes"]) -> tuple[int, ...]:
    """Digest of logits, as `StoredRun.digest` has it."""
    *shape, data = logits_row(logits)
    return *shape, checksum(data)


def logits_from_row(row: tuple[Any, ...]) -> Float16[ndarray, "views examples classes"]:
    """Read what `logits_row` wrote; the array is read-only."""
    *shape, data = row
    if min(shape) < 1:
        raise ValueError(f"their shape is {tuple(shape)}")
    return np.frombuffer(data, "<f2").reshape(shape).astype(np.float16, copy=False)
