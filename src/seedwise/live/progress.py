"""The progress of a study: the sum of its events. Shows nothing."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from seedwise.live.ended import EndedRun
from seedwise.live.events import (
    Compared,
    DataProgress,
    EpochDone,
    Event,
    Logged,
    Looked,
    Planned,
    RunStarted,
    RunStored,
    StepsDone,
    over_tasks,
)
from seedwise.live.snapshot import EPOCHS_SHOWN, Interim, RunNow, SampleNow, SetupNow, Snapshot
from seedwise.records import EpochRecord, State
from seedwise.seeds import Seed
from seedwise.stats.moments import Moments

__all__ = ["Stored", "StudyProgress"]

Stored = Callable[[], Sequence[EndedRun]]
"""Gives the wanted runs that are in the study file."""

_A_PACE = 0.02
"""Share of a run that has to be done before a pace can be told."""


@dataclass(slots=True, kw_only=True)
class _SetupProgress:
    wanted: int | None = None
    done: int = 0
    diverged: int = 0
    failed: int = 0
    metrics: dict[str, Moments] = field(default_factory=lambda: defaultdict(Moments))

    def add(self, state: State, metrics: Mapping[str, float]) -> None:
        """Count a run that has ended, and its figures."""
        if state == "failed":
            self.failed += 1
            return
        self.done += 1
        self.diverged += state == "diverged"
        for name, value in metrics.items() if state == "finished" else ():
            self.metrics[name].add(value)

    def now(self, running: int) -> SetupNow:
        samples = {
            name: SampleNow(n=each.n, mean=each.mean, sd=each.sd if each.n > 1 else 0.0)
            for name, each in self.metrics.items()
        }
        return SetupNow(
            wanted=self.wanted,
            done=self.done,
            running=running,
            diverged=self.diverged,
            failed=self.failed,
            metrics=samples,
        )


@dataclass(slots=True, kw_only=True)
class _RunProgress:
    setup: str
    seed: Seed
    planned: int
    steps: int
    began: float
    task: str
    of_tasks: tuple[int, int]
    epoch: int = 0
    step: int = 0
    loss: float | None = None
    epochs: list[EpochRecord] = field(default_factory=list[EpochRecord])

    def now(self, now: float) -> RunNow:
        return RunNow(
            setup=self.setup,
            seed=str(self.seed),
            epochs_planned=self.planned,
            steps=self.steps,
            epoch=self.epoch,
            step=self.step,
            loss=self.loss,
            seconds=now - self.began,
            epochs=tuple(self.epochs[-EPOCHS_SHOWN:]),
            task=self.task,
            of_tasks=self.of_tasks,
        )


class StudyProgress:
    """The sum of the events so far. Times are given, so that a test can give its own.

    Args:
        stored: Gives the wanted runs that are in the study file; asked once it is planned.
    """

    def __init__(self, stored: Stored = tuple) -> None:
        self._stored = stored
        self._preparing: DataProgress | None = None
        self._setups = dict[str, _SetupProgress]()
        self._runs = dict[tuple[str, Seed], _RunProgress]()
        self._interims = dict[str, Interim]()
        self._wanted: int | None = 0
        self._stops = False
        self._tasks: tuple[str, ...] = ()
        self._metric: str | None = None
        self._better: Mapping[str, str] = {}
        self._missing = self._to_make = 0
        self._began: float | None = None
        self._first_run: float | None = None

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks of a suite; none where each run is one training."""
        return self._tasks

    def take(self, event: Event, now: float) -> None:
        """Add an event that came at `now`, in seconds of any clock."""
        if self._began is None:
            self._began = now
        match event:
            case DataProgress():
                self._preparing = event if event.done < event.total else None
            case Planned():
                self._plan(event)
            case Looked() | Compared():
                self._interims[event.interim.setup] = event.interim
            case RunStarted():
                self._start(event, now)
            case StepsDone() | EpochDone() | Logged():
                self._go_on(event)
            case RunStored():
                self._runs.pop((event.setup, event.seed), None)
                figures = over_tasks(event.metrics, self._tasks)
                self._setups[event.setup].add(event.state, figures)
                self._missing -= event.state != "failed"
            case _:
                self._preparing = None

    def _go_on(self, event: StepsDone | EpochDone | Logged) -> None:
        run = self._runs.get((event.setup, event.seed))
        if run is None:  # a late word of a run that was lost, and is made again
            return
        if isinstance(event, StepsDone):
            run.epoch, run.step, run.loss = event.epoch, event.step + 1, event.loss
        elif isinstance(event, Logged):
            run.epochs = [event.record]
        else:
            run.epochs.append(event.record)
            run.epoch, run.step, run.loss = int(event.record.epoch) + 1, 0, None

    def snapshot(self, now: float) -> Snapshot:
        """All of it, at `now` of the same clock."""
        runs = tuple(run.now(now) for run in self._runs.values())
        setups = {
            name: setup.now(sum(run.setup == name for run in runs))
            for name, setup in self._setups.items()
        }
        making, parts = self._preparing, sum(run.share for run in runs)
        return Snapshot(
            preparing=None if making is None else (making.what, making.done, making.total),
            setups=setups,
            runs=runs,
            interims=tuple(self._interims.values()),
            wanted=self._wanted,
            missing=self._missing,
            stops=self._stops,
            metric=self._metric,
            better=self._better,
            elapsed=0.0 if self._began is None else now - self._began,
            left=self._seconds_left(now, parts, self._runs_left()),
            left_at_most=self._seconds_left(now, parts, self._missing if self._wanted else None),
        )

    def _seconds_left(self, now: float, parts: float, runs: int | None) -> float | None:
        """Seconds until so many runs are stored, at the pace so far; None before there is one."""
        made = self._to_make - self._missing + parts
        if self._first_run is None or made < _A_PACE or runs is None:
            return None
        return (now - self._first_run) / made * max(0.0, runs - parts)

    def _runs_left(self) -> int | None:
        """Runs that are still to be stored; under a stopping rule those that it seems to need.

        None where a comparison has just begun, or seems to need no known number of pairs.
        """
        if not self._stops:
            return self._missing
        more = [each.more for each in self._interims.values() if each.state == "running"]
        known = [pairs for pairs in more if pairs is not None]
        if len(self._interims) < len(self._setups) - 1 or len(known) < len(more):
            return None
        return sum(known) + max(known, default=0)  # the baseline goes on for all of them

    def _plan(self, event: Planned) -> None:
        self._stops, self._wanted, self._tasks = event.stops, event.wanted, event.tasks
        self._metric, self._better = event.metric, event.better
        self._missing = self._to_make = event.missing
        each = None if event.stops or not event.wanted else event.wanted // len(event.setups)
        self._setups = {name: _SetupProgress(wanted=each) for name in event.setups}
        for run in self._stored():
            figures = over_tasks(run.metrics, self._tasks)
            self._setups[run.setup].add(run.state, figures)

    def _start(self, event: RunStarted, now: float) -> None:
        self._preparing = None
        if self._first_run is None:
            self._first_run = now
        key, (place, _) = (event.setup, event.seed), event.of_tasks
        before = self._runs.get(key) if place > 1 else None
        self._runs[key] = _RunProgress(
            setup=event.setup,
            seed=event.seed,
            planned=event.epochs,
            steps=event.steps,
            began=before.began if before else now,
            task=event.task,
            of_tasks=event.of_tasks,
        )
