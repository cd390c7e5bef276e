"""The runs of a study as trackers take them."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

from seedwise.comparison import run_table
from seedwise.comparison.study_runs import StudyRuns
from seedwise.records import State
from seedwise.seeds import STREAMS

__all__ = ["TrackedRun", "tracked_runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRun:
    """One run.

    Attributes:
        setup: Name of its setup.
        state: `finished` or `diverged`.
        config: Setup, seed and its streams.
        metrics: Every metric of a finished run, by name.
        epochs: The figures after each epoch, by name.
        seconds: Wall time.
    """

    setup: str
    state: State
    config: Mapping[str, Any]
    metrics: Mapping[str, float]
    epochs: tuple[Mapping[str, float], ...]
    seconds: float


def tracked_runs(path: str | PathLike[str]) -> tuple[TrackedRun, ...]:
    """The results of a study, in the order in which they were stored; failed tries are none."""
    with StudyRuns.open(path) as study:
        table, runs = run_table(study), study.all
    names = table.columns[table.columns.index("ended_at") + 1 : -1]  # the metrics
    found = list[TrackedRun]()
    for row, run in zip(table.rows, runs, strict=True):
        if run.state == "failed":
            continue
        values = dict(zip(table.columns, row, strict=True))
        streams = {name: getattr(run.seed, name) for name in STREAMS}
        found.append(
            TrackedRun(
                setup=run.setup,
                state=run.state,
                config={"setup": run.setup, "seed": str(run.seed), **streams},
                metrics={name: values[name] for name in names if values[name] is not None},
                epochs=tuple({"epoch": each.epoch, **each.figures} for each in run.epochs),
                seconds=run.seconds,
            )
        )
    return tuple(found)
