"""The interface of executors, which make the runs that they are given, and what they share."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from seedwise.cards import Card
from seedwise.errors import ConfigError
from seedwise.executors.job import Job, ran_out_of_memory
from seedwise.live.events import Notice, Watch
from seedwise.records import RunRecord
from seedwise.setups import Setup

if TYPE_CHECKING:
    from seedwise.train.machine import Machine

__all__ = [
    "DEVICES",
    "JOBS",
    "PACK",
    "TIME_LIMIT",
    "Executor",
    "Outcomes",
    "Place",
    "Setting",
    "Take",
    "Width",
    "check_limits",
    "made_beside",
    "narrower",
    "too_long",
]

Take = Callable[[], Job | None]
"""Gives the next job, or None when there is nothing to do now. It is asked only when a worker is
free, so that it may look at the runs that have ended before it decides; None is final once no run
is under way."""

Outcomes = Generator[tuple[Job, RunRecord]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The machine that makes a study's runs, and the meaning of `auto` in the study.

    Runs that `share` a device may go side by side in threads: all are made by captured steps.
    Other runs set torch's global switches, and functions of users' may use global generators.
    `cards` are the GPUs where each has a process of its own, with the runs of each.
    """

    device: str
    workers: int
    threads: int
    share: bool
    choices: Mapping[str, Any]
    cards: tuple[Card, ...] = ()


class Executor(Protocol):
    """Makes runs: a frozen value, which opens what it needs when it runs.

    Attributes:
        workers: Runs side by side; None chooses.
        here: Every run is made in the caller's thread, so that jobs may hold what no other process
            can load.
    """

    @property
    def workers(self) -> int | None: ...  # noqa: D102 - described above

    @property
    def here(self) -> bool: ...  # noqa: D102 - described above

    def choose(self, *, device: str, setups: Sequence[Setup], runs: int) -> "Machine":
        """Choose what so many runs of these setups use on this executor's machines."""
        ...

    def cards_for_functions(self, *, device: str, runs: int) -> tuple[Card, ...]:
        """The GPUs over which so many runs of the user's functions are spread; none chooses none.

        Each process sees its own. Without PyTorch nobody could say whether a function uses one.
        """
        ...

    def placed(self, place: Place) -> Self:
        """This executor with what it left open settled for a study."""
        ...

    def run(self, take: Take, watch: Watch) -> Outcomes:
        """Make the runs that `take` gives, and yield each as it ends, whatever became of it.

        `take` and `watch` are called in the caller's thread. Closing the generator ends what is
        under way, in seconds.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A key of the table [executor] of study.toml.

    It stands in the metadata of an executor's field, which it sets.

    Attributes:
        key: Its name in the table.
        kinds: The types that its value may have.
        allowed: Its values, in words.
    """

    key: str
    kinds: tuple[type, ...]
    allowed: str


JOBS = {"setting": Setting(key="jobs", kinds=(int,), allowed="a whole number, 1 or more")}
PACK = {
    "setting": Setting(
        key="pack", kinds=(int, str), allowed='"auto", or a whole number, 1 or more'
    )
}
DEVICES = {
    "setting": Setting(
        key="devices",
        kinds=(int, str, list),
        allowed='"auto", a number of GPUs, or a list of them, e.g. [0, 1]',
    )
}
TIME_LIMIT = {
    "setting": Setting(key="time_limit", kinds=(int, float), allowed="a number of seconds above 0")
}


class Width:
    """Number of runs side by side: half as many after one of them ran out of memory.

    A run that had no room beside others has not failed; it is made again. Alone, it has.

    >>> width, full = Width(4), RunRecord(state="failed", error="out of memory: at step 3")
    >>> width.was_too_much(full, beside=4), width.was_too_much(full, beside=4), width.now
    (True, True, 2)
    >>> width.was_too_much(full, beside=1)
    False
    """

    def __init__(self, most: int) -> None:
        self.now = most

    def was_too_much(self, record: RunRecord, *, beside: int) -> bool:
        """Tell whether a run is to be made again, with fewer side by side than it had."""
        if beside == 1 or not ran_out_of_memory(record):
            return False
        self.now = min(self.now, beside // 2)  # several that fell together count once
        return True


def narrower(job: Job, width: Width) -> Notice:
    """Word of a run that had no room beside others."""
    return Notice(
        text=f"{job.name} seed {job.seed} ran out of memory and is made again; from here on at "
        f"most {width.now} side by side"
    )


def made_beside(record: RunRecord, most: int) -> RunRecord:
    """The record, with how many runs at most were made side by side, itself included."""
    if most == 1 or not record.made_by:
        return record
    return replace(record, made_by={**record.made_by, "side_by_side": most})


_LONGEST = 1_000_000_000
"""Seconds; 30 years. Clocks and timers take no more than nine of them."""


def check_limits(workers: int | None, time_limit: float | None) -> None:
    """Refuse numbers that no executor can keep to.

    Raises:
        ConfigError: `workers` is below 1, or `time_limit` (seconds) not above 0.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"jobs must be 1 or more, got {workers}")
    if time_limit is not None and not 0 < time_limit <= _LONGEST:
        raise ConfigError(
            f"time_limit must be seconds above 0, at most {_LONGEST:,}, got {time_limit}"
        )


def too_long(seconds: float) -> RunRecord:
    """The record of a run that was ended because it took too long."""
    return RunRecord(
        state="failed",
        error=f"took longer than the time limit of {seconds:g} s, and was ended",
        seconds=seconds,
    )
