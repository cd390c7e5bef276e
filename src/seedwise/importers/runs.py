"""Runs as importers give them on, each with its setup, its seed and its metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seedwise.importers.completeness import FailedRun
from seedwise.seeds import Seed

__all__ = ["ReadRun", "RunsRead"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadRun:
    """A run as it was read.

    Attributes:
        setup: Name of its setup.
        seed: Its seed; where runs are numbered, its place among them.
        metrics: Its metrics by name; of a diverged run there may be none.
        seconds: Its wall time; 0 if unknown.
        diverged: Whether its state says that it diverged.
        where: The place of its first row.
        scores: The score of each example, by metric; empty where rows are not examples.
        examples: Names of the examples; empty likewise.
        groups: The group of each example; empty where there are none.
    """

    setup: str
    seed: Seed
    metrics: Mapping[str, float]
    seconds: float
    diverged: bool
    where: str
    scores: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])
    examples: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunsRead:
    """The runs of some places, and what was made of what lies there.

    Attributes:
        name: What messages call the places.
        runs: The runs that can be stored.
        numbered: Their seeds were not read: they are numbered, so that none are pairs.
        folds: How many folds of a cross-validation the runs are; None if they are none.
        taken: What was taken as what, in words.
        notes: What was made of numbers, and which are missing, in words.
        left_out: What was left out and why, in words.
        several: Whether the places are several logs, so that a run's place names its log.
        tasks: Names of the tasks; each has a metric "task/metric" of its own.
        failed: Runs without a result, as far as their seeds are known.
        called: What the examples are called, where the format leaves no doubt.
        better: Which value is better, by metric, as far as the logs say it.
        apart: Each run is told by its log, so that equal ones are not one run told twice.
    """

    name: str
    runs: tuple[ReadRun, ...]
    numbered: bool
    folds: int | None
    taken: tuple[str, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    several: bool = False
    tasks: tuple[str, ...] = ()
    failed: tuple[FailedRun, ...] = ()
    called: str | None = None
    better: Mapping[str, str] = field(default_factory=dict[str, str])
    apart: bool = False

    def at(self, where: str) -> str:
        """The place of a run, as a message begins with it."""
        return where if self.several else f"{self.name}, {where}"

    @property
    def setups(self) -> tuple[str, ...]:
        """The names of the setups."""
        return tuple(dict.fromkeys(run.setup for run in self.runs))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics."""
        return tuple(dict.fromkeys(name for run in self.runs for name in run.metrics))
