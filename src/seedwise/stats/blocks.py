"""Logits in the form in which they are scored: class by class, in blocks, on all cores.

A run is turned class by class, so that what is done over the classes of a prediction runs along
memory, and the runs are shared among threads, in each of which numpy works without Python's lock.
Rows of ten classes in one thread took two to three times as long.

A run of many predictions of many classes is taken in blocks of examples, which stay in a core's
cache and are shared among the threads in place of runs.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from typing import Literal, TypeVar, final, overload

import numpy as np
from numpy import ndarray

from seedwise.cores import cores
from seedwise.errors import DataError, UnknownName
from seedwise.shaped import Float, Float32, Int64

__all__ = [
    "VIEW_CHOICES",
    "Blocks",
    "ClassColumns",
    "Logits",
    "LogitsBlock",
    "Scores",
    "Targets",
    "Views",
    "check_logits",
    "class_by_class",
    "mapped",
    "spread",
]

Views = Literal["separate", "averaged", "original"] | int
"""Views that count: each as an example, their averaged logits, the first alone, or each of the
first so many."""

VIEW_CHOICES: tuple[str, ...] = ("separate", "averaged", "original")

Logits = Float[ndarray, "*runs examples classes"]
Targets = Int64[ndarray, " examples"]

ClassColumns = Float32[ndarray, "classes views examples"]
Scores = Float32[ndarray, "views examples"]
LogitsBlock = tuple[ClassColumns, Targets]
_Result = TypeVar("_Result")
_Part = TypeVar("_Part")

_FEW = 8
"""Below this many runs, threads cost more than they save."""

_BLOCK = 2**19
"""Logits of a block: 2 MB in float32. A run of 5,000 predictions of 10 classes is one block."""


@final
class Blocks(Sequence[LogitsBlock]):
    """A run's logits in blocks of examples, each turned class by class when it is asked for."""

    def __init__(self, run: Logits, targets: Targets, views: Views) -> None:
        run = run[None] if run.ndim == 2 else run
        self._run = run[: 1 if views == "original" else views if isinstance(views, int) else None]
        self._targets = targets
        self._views: Views = views
        each = max(1, _BLOCK // (self._run.shape[0] * self._run.shape[2]))
        self._starts = range(0, max(1, len(targets)), each)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, place: int) -> LogitsBlock: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[LogitsBlock]: ...
    def __getitem__(self, place: int | slice) -> LogitsBlock | Sequence[LogitsBlock]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        start = self._starts[place]
        some = slice(start, start + self._starts.step)
        return _columns(self._run[:, some], self._views), self._targets[some]


def _columns(run: Logits, views: Views) -> ClassColumns:
    """Logits class by class, in float32."""
    columns = np.ascontiguousarray(np.moveaxis(run, -1, 0)).astype(np.float32, copy=False)
    if not np.isfinite(columns).all():
        raise DataError("a logit is not finite; a run with such logits has diverged")
    return columns.mean(axis=1, keepdims=True) if views == "averaged" else columns


def mapped(work: Callable[[_Part], _Result], parts: Sequence[_Part]) -> Iterable[_Result]:
    """Do something with each part of a run, in their order."""
    if len(parts) < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(min(cores(), len(parts))) as pool:
        return list(pool.map(work, parts))


def spread(work: Callable[[Logits], _Result], runs: Logits) -> list[_Result]:
    """Do something with each run, on all cores where there are many."""
    if len(runs) < _FEW:
        return [work(run) for run in runs]
    workers = min(cores(), len(runs))
    ends = np.linspace(0, len(runs), workers + 1).astype(int)
    parts = [runs[start:end] for start, end in pairwise(ends)]  # a call a run costs a fifth more
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda part: [work(run) for run in part], parts)
        return list(chain.from_iterable(found))


def class_by_class(logits: Logits) -> Logits:
    """The same logits in float32, laid out class by class in each run.

    What scores them under several metrics turns and widens them once with it; it takes twice the
    memory of float16.
    """
    turned = np.ascontiguousarray(np.moveaxis(logits, -1, -3))
    return np.moveaxis(turned.astype(np.float32), -3, -1)


def check_logits(logits: Logits, targets: Targets, views: Views) -> None:
    """Refuse logits that do not belong to the targets, and a choice of views that is none."""
    if logits.ndim not in (2, 3, 4) or logits.shape[-2] != len(targets):
        raise DataError(
            f"logits of shape {logits.shape} do not belong to {len(targets)} targets; they are "
            "(views, examples, classes), with runs before them if there are several"
        )
    there = logits.shape[-3] if logits.ndim > 2 else 1
    if views not in (*VIEW_CHOICES, *range(1, there + 1)):
        raise UnknownName("views", str(views), (*VIEW_CHOICES, f"1 to {there}"))
