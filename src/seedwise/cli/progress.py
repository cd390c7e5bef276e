"""How far a study is: what its events add up to. Shows nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from seedwise.records import EpochRecord, State
from seedwise.seeds import Seed
from seedwise.store import StoredRun
from seedwise.study.events import (
    DataProgress,
    EpochDone,
    Event,
    Looked,
    Planned,
    RunStarted,
    RunStored,
    StepsDone,
)

__all__ = ["Going", "Progress", "SetupState"]


@dataclass(slots=True, kw_only=True)
class SetupState:
    """The wanted runs of a setup; None where a stopping rule will say how many."""

    wanted: int | None = None
    done: int = 0
    running: int = 0
    diverged: int = 0
    failed: int = 0
    metrics: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def add(self, state: State, metrics: Mapping[str, float]) -> None:
        """Count a run that has ended, and its figures."""
        if state == "failed":
            self.failed += 1
            return
        self.done += 1
        self.diverged += state == "diverged"
        for name, value in metrics.items():
            self.metrics.setdefault(name, []).append(value)


@dataclass(slots=True, kw_only=True)
class Going:
    """A run under way."""

    setup: str
    seed: Seed
    planned: int
    steps: int
    epoch: int = 0
    step: int = 0
    loss: float | None = None
    epochs: list[EpochRecord] = field(default_factory=list[EpochRecord])

    @property
    def all_steps(self) -> int:
        """Steps of the whole run; 0 where nobody can say."""
        return self.planned * self.steps

    @property
    def done_steps(self) -> int:
        """Steps that are done."""
        return min(self.all_steps, self.epoch * self.steps + self.step)

    @property
    def share(self) -> float:
        """Share of the run that is done."""
        return self.done_steps / self.all_steps if self.all_steps else 0.0


class Progress:
    """What the events so far add up to. Times are given, so that a test can give its own."""

    def __init__(self, stored: Callable[[], Sequence[StoredRun]] = tuple) -> None:
        self._stored = stored
        self.data: DataProgress | None = None
        self.setups: dict[str, SetupState] = {}
        self.going: dict[tuple[str, Seed], Going] = {}
        self.looks: dict[str, Looked] = {}
        self.wanted = 0
        self.most: int | None = None
        self.stops = False
        self.missing = 0
        self._to_make = 0
        self._began: float | None = None
        self._first_run: float | None = None

    def take(self, event: Event, now: float) -> None:
        """Add an event that came at `now`, in seconds of any clock."""
        if self._began is None:
            self._began = now
        match event:
            case DataProgress():
                self.data = event if event.done < event.total else None
            case Planned():
                self._plan(event)
            case Looked():
                self.looks[event.setup] = event
            case RunStarted():
                self._start(event, now)
            case StepsDone():
                run = self.going[event.setup, event.seed]
                run.epoch, run.step, run.loss = event.epoch, event.step + 1, event.loss
            case EpochDone():
                run = self.going[event.setup, event.seed]
                run.epochs.append(event.record)
                run.epoch, run.step, run.loss = event.record.epoch + 1, 0, None
            case RunStored():
                self._store(event)
            case _:
                self.data = None

    def elapsed(self, now: float) -> float:
        """Seconds since the first event."""
        return 0.0 if self._began is None else now - self._began

    @property
    def share_done(self) -> float:
        """Share of all wanted runs that is done, parts of runs included."""
        if not self.wanted:
            return 1.0
        parts = sum(run.share for run in self.going.values())
        return min(1.0, (self.wanted - self.missing + parts) / self.wanted)

    def seconds_left(self, now: float) -> float | None:
        """Seconds until the last run ends, at the pace so far.

        None before there is a pace, and where a stopping rule decides which run is the last.
        """
        made = self._to_make - self.missing + sum(run.share for run in self.going.values())
        if self.stops or self._first_run is None or made < 0.02:
            return None
        return (now - self._first_run) / made * max(0.0, self._to_make - made)

    def _plan(self, event: Planned) -> None:
        self.stops, self.most = event.stops, event.wanted
        if not event.stops and event.wanted is not None:
            self.wanted, self.missing = event.wanted, event.missing
        each = None if event.stops else self.wanted // len(event.setups)
        self.setups = {name: SetupState(wanted=each) for name in event.setups}
        for run in self._stored():
            self.setups[run.setup].add(run.state, _figures(run))
        self._to_make = self.missing

    def _start(self, event: RunStarted, now: float) -> None:
        self.data = None
        if self._first_run is None:
            self._first_run = now
        self.going[event.setup, event.seed] = Going(
            setup=event.setup, seed=event.seed, planned=event.epochs, steps=event.steps
        )
        self._count_running()

    def _store(self, event: RunStored) -> None:
        self.going.pop((event.setup, event.seed), None)
        self.setups[event.setup].add(event.state, event.metrics)
        self.missing -= event.state != "failed"
        self._count_running()

    def _count_running(self) -> None:
        for name, state in self.setups.items():
            state.running = sum(run.setup == name for run in self.going.values())


def _figures(run: StoredRun) -> Mapping[str, float]:
    """The figures that a stored run had when it ended."""
    if run.state != "finished" or not run.epochs:
        return run.metrics
    last = run.epochs[-1]
    return {"accuracy": last.accuracy, "smoothed_accuracy": last.smoothed_accuracy}
