"""The word of a study that runs to others, in a small file beside it.

`STUDY.live` is JSON, written by the process that makes the runs when a run begins or ends, and
once a second while it trains; it is replaced whole, and removed at the end. Whoever watches from
another machine reads it instead of the study, whose log another machine must not read.

Nothing depends on it: where it cannot be written, the study goes on silently.
"""

import json
import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from seedwise.live.claim import beside
from seedwise.live.events import (
    Compared,
    DataProgress,
    EpochDone,
    Event,
    Logged,
    Looked,
    RunStored,
    StepsDone,
    Watch,
)
from seedwise.live.progress import Stored, StudyProgress
from seedwise.live.snapshot import Snapshot
from seedwise.locks import Holder
from seedwise.outputs import create, open_plain

__all__ = ["Told", "publishing", "told"]

_SECONDS_BETWEEN_WRITES = 1.0
_MOST = 2**53
"""Whole numbers beyond this count nothing of ours, and do not fit a float."""

_MOST_BYTES = 16_000_000
"""More than that is nothing that we wrote: 64 runs with 50 epochs each are 0.5 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The last word of the process that makes the runs.

    Attributes:
        holder: The process, and since when it makes them.
        at: When it said so: UTC, ISO 8601, by its own clock.
        snapshot: How far the study was.
    """

    holder: Holder
    at: str
    snapshot: Snapshot


def told(study: Path) -> Told | None:
    """Read the last word; None where there is none, or none that can be read."""
    try:
        with os.fdopen(open_plain(beside(study, ".live"), os.O_RDONLY), "rb") as file:
            data = json.loads(file.read(_MOST_BYTES))
        said = _decoded(Told, data)
        if datetime.fromisoformat(said.at).tzinfo is None:
            return None
    except (OSError, ValueError, RecursionError):
        return None
    return said


@contextmanager
def publishing(study: Path, stored: Stored, tell: Watch) -> Generator[Watch]:
    """Tell others how far a study is, as long as this is open.

    Args:
        study: The study file, which this process has claimed.
        stored: Gives its wanted runs that are stored.
        tell: Is told each event too.

    Yields:
        What is to be told the events.
    """
    publisher = _Publisher(study, stored)

    def both(event: Event) -> None:
        publisher.take(event)
        tell(event)

    try:
        yield both
    finally:
        publisher.end()


class _Publisher:
    def __init__(self, study: Path, stored: Stored) -> None:
        self._file, self._draft = beside(study, ".live"), beside(study, ".live.tmp")
        self._holder, self._progress = Holder.this(), StudyProgress(stored)
        self._written = 0.0

    def take(self, event: Event) -> None:
        now = time.monotonic()
        self._progress.take(event, now)
        due = now - self._written >= _SECONDS_BETWEEN_WRITES
        # What comes often can wait, and so can what comes between two runs. While a run is under
        # way nothing can that changes the study: nothing else may happen for an hour.
        if isinstance(event, DataProgress | StepsDone | EpochDone | Logged) and not due:
            return
        snapshot = self._progress.snapshot(now)
        between = isinstance(event, RunStored | Looked | Compared) and not snapshot.runs
        if due or not between:
            self._written = now
            self._write(snapshot)

    def end(self) -> None:
        for file in (self._draft, self._file):
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def _write(self, snapshot: Snapshot) -> None:
        at = datetime.now(UTC).isoformat()
        said = asdict(Told(holder=self._holder, at=at, snapshot=snapshot))
        # A full disk, a folder that may not be written, a figure that JSON has no word for.
        with suppress(OSError, TypeError, ValueError):
            self._draft.unlink(missing_ok=True)  # a link or a pipe, too, that is put there
            with os.fdopen(create(self._draft), "w", encoding="utf-8") as file:
                file.write(json.dumps(said))
            self._draft.replace(self._file)


def _decoded(kind: Any, value: Any) -> Any:
    """A value of a type that the classes above are made of, from what JSON gave back.

    Raises:
        ValueError: It is none of that type.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _decoded_fields(kind, value)
    if origin is UnionType:
        (some,) = (part for part in parts if part is not NoneType)
        return None if value is None else _decoded(some, value)
    if origin is tuple and type(value) is list:
        kinds = [parts[0]] * len(value) if parts[1:] == (...,) else parts
        return tuple(_decoded(k, each) for k, each in zip(kinds, value, strict=True))
    if origin is Mapping and type(value) is dict:
        return {key: _decoded(parts[1], each) for key, each in value.items()}
    if origin is Literal and value in parts:
        return value
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind is int and type(value) is int and abs(value) <= _MOST:
        return value
    if kind in (bool, str) and type(value) is kind:
        return value
    raise ValueError(f"expected {kind}, got {value!r}")


def _decoded_fields(kind: Any, value: Any) -> Any:
    hints = _hints(kind)
    if type(value) is not dict or value.keys() != hints.keys():
        raise ValueError(f"expected {kind}, got {value!r}")
    return kind(**{name: _decoded(hints[name], value[name]) for name in hints})


@lru_cache
def _hints(kind: Any) -> Mapping[str, Any]:
    """The types of a class's fields."""
    found = get_type_hints(kind)
    return {field.name: found[field.name] for field in fields(kind)}
