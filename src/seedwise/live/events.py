"""Events of a study that runs, for watchers: a terminal, a log, a test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from seedwise.live.snapshot import Interim
from seedwise.records import EpochRecord, RunRecord, State
from seedwise.seeds import Seed
from seedwise.stats.decision import Decision

__all__ = [
    "Compared",
    "DataProgress",
    "Doubt",
    "EpochDone",
    "Event",
    "Finished",
    "Logged",
    "Looked",
    "Notice",
    "Planned",
    "RunStarted",
    "RunStored",
    "StepsDone",
    "Watch",
    "over_tasks",
]

_NO_END = 1_000_000
"""Runs of a study that has no cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataProgress:
    """A dataset is being made ready: `done` of `total` units of `what` (bytes, images) are."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The study's task: `wanted` runs in all, of which `stored` are there already.

    Under a stopping rule (`stops`) these are the most runs that it may take, or None without a
    cap. `seconds` is how long those to be made may take, by the runs that are stored; None where
    these do not tell. A run of a suite is a training on each of its `tasks`. `metric` is the one
    that was fixed to decide, if one was; `better` has the directions that are stated.
    """

    setups: tuple[str, ...]
    wanted: int | None
    stored: int
    stops: bool = False
    seconds: float | None = None
    tasks: tuple[str, ...] = ()
    metric: str | None = None
    better: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def missing(self) -> int:
        """Runs that are to be made, at most."""
        return _NO_END if self.wanted is None else self.wanted - self.stored


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run has begun; it will take `epochs` times `steps` steps (0 if unknown).

    In a suite each task of a run says so: its name, its place from 1, and how many there are.
    """

    setup: str
    seed: Seed
    epochs: int
    steps: int
    task: str = ""
    of_tasks: tuple[int, int] = (1, 1)


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
    """A run has finished an epoch, of a task in a suite, and its validation."""

    setup: str
    seed: Seed
    record: EpochRecord
    task: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A function of the user's has logged figures: all of this epoch so far."""

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

    @classmethod
    def of(cls, setup: str, seed: Seed, record: RunRecord, metrics: Mapping[str, float]) -> Self:
        """The event that says that a run is in the file, with its live figures."""
        return cls(
            setup=setup,
            seed=seed,
            state=record.state,
            seconds=record.seconds,
            metrics=metrics,
            error=record.error,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """The stopping rule has looked at one more pair of a candidate and the baseline."""

    setup: str
    decision: Decision
    interim: Interim


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One more pair of a candidate and the baseline is complete, in a study with fixed seeds."""

    interim: Interim


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Nothing is left to do: counts of the runs that this call stored, and of failed tries."""

    stored: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that a person should know and that stops nothing."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt(Notice):
    """A notice about the results themselves: without a watcher, it is a warning."""


Event = (
    DataProgress
    | Notice
    | Doubt
    | Planned
    | RunStarted
    | StepsDone
    | EpochDone
    | Logged
    | RunStored
    | Looked
    | Compared
    | Finished
)
Watch = Callable[[Event], None]


def over_tasks(figures: Mapping[str, float], tasks: Sequence[str]) -> Mapping[str, float]:
    """The figures of a suite's run in few: the mean over its tasks of each metric of all of them.

    Those of a study without tasks stay as they are, and so do those of a run that lacks a task.

    >>> over_tasks({"easy/acc": 0.9, "hard/acc": 0.5}, ["easy", "hard"])
    {'acc': 0.7}
    """
    if not tasks:
        return figures
    first = f"{tasks[0]}/"
    names = [name.removeprefix(first) for name in figures if name.startswith(first)]
    common = {
        name: [figures[f"{task}/{name}"] for task in tasks]
        for name in names
        if all(f"{task}/{name}" in figures for task in tasks)
    }
    return {name: sum(each) / len(tasks) for name, each in common.items()} or figures
