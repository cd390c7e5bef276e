"""Figures that a training function logs by `seed.log(epoch=3, accuracy=0.7)`: checked and kept."""

import math
import os
import time
from collections.abc import Iterable, Mapping
from numbers import Real
from threading import Lock
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from seedwise.errors import DataError
from seedwise.executors.outcome import fraction, plain_number
from seedwise.figures import epoch_number
from seedwise.live.events import Logged, Watch
from seedwise.records import EpochRecord
from seedwise.seeds import Seed

__all__ = ["MOST_EPOCHS", "RunLog", "as_epochs"]

MOST_EPOCHS = 200
"""Epochs that are kept of a run: one in every three pixels of a chart. Whoever opens a study reads
them all: of 1,000 runs with two figures in 1 s of a busy core."""

_MOST_FIGURES = 50

_SECONDS_BETWEEN_WORDS = 0.2
"""As of the built-in training's steps: a terminal needs no more, and a pipe carries it."""

_LIKE = "seed.log(epoch=3, accuracy=0.7)"

_NONE: Mapping[Any, Any] = MappingProxyType({})


def as_epochs(given: Iterable[Mapping[str, Any]] | None) -> tuple[EpochRecord, ...]:
    """Figures after each epoch, as `seed.log` takes them, checked and thinned in the same way.

    Raises:
        DataError: They are none.
    """
    if given is not None and not isinstance(given, Iterable):
        raise DataError(f"epochs must be a list of figures by name, got {given!r:.40}")
    log = RunLog("", Seed.of(0), lambda event: None)
    for figures in given or ():
        log(figures)
    return log.epochs


class RunLog:
    """The log of one run, which is the listener of the seed that its function is given.

    A run that logs more than `MOST_EPOCHS` epochs keeps every second, fourth, eighth and so on,
    and the last: the same ones as other runs that log as often, so that their mean is a curve.

    Args:
        setup: Name of the run's setup.
        seed: Its seed.
        watch: Told what is logged, not too often.
    """

    def __init__(self, setup: str, seed: Seed, watch: Watch) -> None:
        self._setup, self._seed, self._watch = setup, seed, watch
        self._kept = list[EpochRecord]()
        self._epoch = -1.0
        self._figures = dict[str, float]()  # of the epoch that is logged now
        self._names = set[str]()
        self._count, self._stride = -1, 1
        self._told = -math.inf
        self._lock, self._process = Lock(), os.getpid()
        self.refused: DataError | None = None

    def __call__(self, given: Any, more: Mapping[str, Any] = _NONE) -> None:
        """Take figures of an epoch, some of them perhaps in a mapping.

        Raises:
            DataError: They are none.
        """
        if os.getpid() != self._process:  # a fork of this one, which must not write to its pipe
            return
        with self._lock:
            try:
                self._take(_by_name(given), more)
            except DataError as error:
                self.refused = error
                raise
            now = time.monotonic()
            if now - self._told < _SECONDS_BETWEEN_WORDS:
                return
            self._told = now
            event = Logged(setup=self._setup, seed=self._seed, record=self._last())
        self._watch(event)

    @property
    def epochs(self) -> tuple[EpochRecord, ...]:
        """The epochs that are kept, and the last."""
        return (*self._kept, self._last()) if self._count >= 0 else ()

    def _last(self) -> EpochRecord:
        return EpochRecord(epoch=self._epoch, figures=dict(self._figures))

    def _take(self, given: Mapping[Any, Any], more: Mapping[str, Any]) -> None:
        figures = {**given, **more}
        epoch = self._number_of_epoch(figures)
        if not figures:
            raise DataError(
                f"epoch {epoch_number(epoch)} was logged without a figure; log {_LIKE}"
            )
        figures = {name: _figure(name, value, epoch) for name, value in figures.items()}
        self._names |= figures.keys()
        if len(self._names) > _MOST_FIGURES:
            raise DataError(
                f"a run may log {_MOST_FIGURES} figures, and {list(figures)[-1]!r} is one more; "
                "log the same names after each epoch"
            )
        if epoch > self._epoch:
            self._begin(epoch)
        self._figures |= figures

    def _begin(self, epoch: float) -> None:
        """Go on to the next epoch; the one before is kept, if its place in the order says so."""
        if self._count >= 0 and self._count % self._stride == 0:
            self._kept.append(self._last())
        if len(self._kept) >= MOST_EPOCHS:
            self._kept = self._kept[::2]
            self._stride *= 2
        self._epoch, self._figures, self._count = epoch, {}, self._count + 1

    def _number_of_epoch(self, figures: dict[str, Any]) -> float:
        """Take the epoch out of what was logged, and check it."""
        if "epoch" not in figures:
            steps = "; of steps, epoch=step / steps" if "step" in figures else ""
            raise DataError(
                f"seed.log needs the epoch that the figures are of: {_LIKE}{steps}; got "
                f"{', '.join(map(repr, figures)) or 'nothing'}"
            )
        given = figures.pop("epoch")
        epoch = _as_number(given)
        if epoch is None or not 0 <= epoch < 2**53:
            raise DataError(f"epoch must be a number, 0 or more, got {_said(given)}")
        if epoch < self._epoch:
            before = epoch_number(self._epoch)
            raise DataError(
                f"epoch {epoch_number(epoch)} was logged after epoch {before}; log the epochs of "
                "a run in their order, and go on counting where one fit follows another"
            )
        return int(epoch) if epoch == int(epoch) else epoch


def _by_name(given: Any) -> Mapping[Any, Any]:
    if given is None:
        return _NONE
    if not isinstance(given, Mapping):
        raise DataError(f"figures and their epoch have names, {_LIKE}; got {_said(given)}")
    return cast("Mapping[Any, Any]", given)


def _figure(name: Any, value: Any, epoch: float) -> float:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise DataError(
            f"a figure needs a printable name, got {name!r} in epoch {epoch_number(epoch)}"
        )
    number = _as_number(value)
    if number is None:
        what = f"{name} of epoch {epoch_number(epoch)}"
        raise DataError(f"{what} must be a number, got {_said(value)}; log {_LIKE}")
    return fraction(name, number)


def _as_number(value: Any) -> float | None:
    """A number of whatever kind, an array or a tensor of one too; None for anything else."""
    found = plain_number(value)
    if isinstance(found, bool | np.bool_) or not isinstance(found, Real):
        return None
    try:
        return float(found)
    except OverflowError:
        return None


def _said(value: Any) -> str:
    shape = getattr(value, "shape", None)
    of = f" of shape {tuple(shape)}" if shape else ""
    return f"{type(value).__name__}{of}" if of else f"{value!r:.40}"
