"""What happens while a study runs, as values for whoever watches: a terminal, a log, a test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from seedwise.records import EpochRecord, State
from seedwise.seeds import Seed

__all__ = [
    "DataProgress",
    "EpochDone",
    "Event",
    "Finished",
    "Notice",
    "Planned",
    "RunStarted",
    "RunStored",
    "StepsDone",
    "Watch",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataProgress:
    """A dataset is being made ready: `done` of `total` units of `what` (bytes, images) are."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What the study is to do: `wanted` runs in all, of which `stored` are there already."""

    setups: tuple[str, ...]
    wanted: int
    stored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run has begun; it will take `epochs` times `steps` steps (0 where nobody can say)."""

    setup: str
    seed: Seed
    epochs: int
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsDone:
    """A run is at `step` of `steps` of its epoch (from 0), with fastai's smoothed loss."""

    setup: str
    seed: Seed
    epoch: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochDone:
    """A run has finished an epoch and its validation."""

    setup: str
    seed: Seed
    record: EpochRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStored:
    """A run is in the study file; `metrics` are its live figures, `error` says why it is bad."""

    setup: str
    seed: Seed
    state: State
    seconds: float
    metrics: Mapping[str, float]
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Nothing is left to do: counts of the runs that this call stored, and of failed tries."""

    stored: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that a person should know and that stops nothing."""

    text: str


Event = DataProgress | Notice | Planned | RunStarted | StepsDone | EpochDone | RunStored | Finished
Watch = Callable[[Event], None]
