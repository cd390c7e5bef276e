"""A study at one moment: all that a terminal shows, as a value that JSON can keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from seedwise.records import EpochRecord

__all__ = ["Interim", "InterimDifference", "RunNow", "SampleNow", "SetupNow", "Snapshot"]

InterimState = Literal["early", "running", "decided", "futile", "withheld", "cap"]

EPOCHS_SHOWN = 50
"""Epochs of a run under way that are kept for display: more than a terminal has lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleNow:
    """A metric over the finished runs of a setup so far; `sd` has ddof 1, and is 0 for one."""

    n: int
    mean: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupNow:
    """The wanted runs of a setup.

    Attributes:
        wanted: How many; None where a stopping rule will say.
        done: Finished and diverged ones.
        running: Under way.
        diverged: Those of `done` that diverged.
        failed: Tries that failed.
        metrics: The figures of the finished ones.
    """

    wanted: int | None
    done: int
    running: int
    diverged: int
    failed: int
    metrics: Mapping[str, SampleNow]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNow:
    """A run under way.

    Attributes:
        setup: Name of its setup.
        seed: Its seed, as text.
        epochs_planned: Epochs of the whole run; 0 if unknown.
        steps: Steps of an epoch; 0 likewise.
        epoch: The epoch that it is in, from 0.
        step: Steps of it that are done.
        loss: fastai's smoothed loss there; None if not given.
        seconds: Since it began.
        epochs: The figures after its last epochs; of a function, those that it logged last.
        task: The task that it is at, in a suite; all but `setup`, `seed` and `seconds` are of it.
        of_tasks: The place of that task, from 1, and their number.
    """

    setup: str
    seed: str
    epochs_planned: int
    steps: int
    epoch: int
    step: int
    loss: float | None
    seconds: float
    epochs: tuple[EpochRecord, ...]
    task: str = ""
    of_tasks: tuple[int, int] = (1, 1)

    @property
    def at_task(self) -> str:
        """The task that it is at, as words to follow its name; empty without tasks."""
        place, tasks = self.of_tasks
        return f", {self.task} ({place} of {tasks})" if self.task else ""

    @property
    def all_steps(self) -> int:
        """Steps of the run, or of its task; 0 if unknown."""
        return self.epochs_planned * self.steps

    @property
    def done_steps(self) -> int:
        """Steps that are done."""
        return min(self.all_steps, self.epoch * self.steps + self.step)

    @property
    def share(self) -> float:
        """Share of the run that is done, tasks taken as equally long; 0 if unknown."""
        place, tasks = self.of_tasks
        of_this = self.done_steps / self.all_steps if self.all_steps else 0.0
        return (place - 1 + of_this) / max(1, tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterimDifference:
    """Candidate less baseline under one metric; its interval is infinite where none is known."""

    metric: str
    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Interim:
    """A candidate against the baseline, as far as it is.

    Attributes:
        setup: The candidate.
        baseline: What it is compared with.
        pairs: Pairs of runs of one seed that went into it.
        most: The most that will: the rule's cap, or the seeds; None without an end.
        state: `early` with fixed seeds; else why the rule stopped, or `running`.
        verdict: What the rule says; `undecided` with fixed seeds.
        confidence: Of the intervals.
        margin: What counts as equivalent, a fraction of accuracy; None for no such claim.
        more: Pairs after which the rule would decide if means and spreads stayed as they are;
            None where it would not, and with fixed seeds.
        differences: Of one metric or two: the one that judges the sign comes first.
    """

    setup: str
    baseline: str
    pairs: int
    most: int | None
    state: InterimState
    verdict: str
    confidence: float
    margin: float | None
    more: int | None
    differences: tuple[InterimDifference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A study at one moment.

    Attributes:
        preparing: What is being made ready (bytes, images), with how much is done and in all.
        setups: The wanted runs by setup.
        runs: The runs under way.
        interims: The candidates against the baseline.
        wanted: Runs in all; under a stopping rule the most it may take, and None without a cap.
        missing: Those that are still to be made; under a stopping rule at most.
        stops: Whether a stopping rule says how many runs there will be.
        metric: The metric that was fixed to decide; None where the usual one does.
        better: The directions of metrics that are stated.
        elapsed: Seconds since this call began.
        left: Seconds until the last run ends, at the pace so far; None if unknown.
        left_at_most: The same if a stopping rule went on up to its cap.
    """

    preparing: tuple[str, int, int] | None
    setups: Mapping[str, SetupNow]
    runs: tuple[RunNow, ...]
    interims: tuple[Interim, ...]
    wanted: int | None
    missing: int
    stops: bool
    metric: str | None
    better: Mapping[str, str]
    elapsed: float
    left: float | None
    left_at_most: float | None

    @property
    def done(self) -> int:
        """Finished and diverged runs."""
        return sum(setup.done for setup in self.setups.values())

    @property
    def share_done(self) -> float:
        """Share of all wanted runs that is done, parts of runs included."""
        if not self.wanted:
            return 1.0
        parts = sum(run.share for run in self.runs)
        return min(1.0, (self.wanted - self.missing + parts) / self.wanted)
