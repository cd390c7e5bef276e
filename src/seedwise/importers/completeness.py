"""Runs that failed, end early, or lack what others have: said, kept as failed, or left out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seedwise.errors import DataError
from seedwise.importers.columns import Columns
from seedwise.importers.counting import end_of
from seedwise.importers.grouping import RunRows, seed_of
from seedwise.importers.logs import LogRow
from seedwise.importers.names import STATES, column_of, listed
from seedwise.importers.table import LogTable
from seedwise.seeds import Seed

__all__ = [
    "FailedRun",
    "as_long_as_the_longest",
    "ends_note",
    "failed_runs",
    "has_failed",
    "lacking",
]

_FAILED = frozenset(
    (
        *("failed", "fail", "failure", "crashed", "crash", "killed", "error", "errored"),
        *("oom", "out_of_memory", "node_fail", "timeout"),
    )
)
"""Words of trackers and schedulers for a run that ended without a result."""

_BIASED = "if that is because of how it went, the comparison is biased"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRun:
    """A run that ended without a result.

    Attributes:
        setup: Name of its setup.
        seed: Its seed.
        error: What is known of why.
    """

    setup: str
    seed: Seed
    error: str


def has_failed(state: str) -> bool:
    """True if a state says that a run ended without a result."""
    return state.lower() in _FAILED


def failed_runs(
    table: LogTable, rows: Iterable[LogRow], columns: Columns, without: Iterable[RunRows]
) -> tuple[FailedRun, ...]:
    """Find the runs that failed, as far as a table has their seeds.

    Args:
        table: The table.
        rows: Its rows whose state says that the run failed.
        columns: Which column is what.
        without: Runs that have no metric.
    """
    if not columns.seed or columns.fold or columns.task:
        return ()
    found = {
        (run.setup, run.seed): FailedRun(setup=run.setup, seed=run.seed, error="it has no metric")
        for run in without
    }
    state = column_of(table.columns, STATES)
    for row in rows:
        try:
            setup, seed = row[columns.setup], seed_of(table, row, columns, 0)
        except DataError:
            continue  # it crashed before its logger knew the seed
        if state is not None and setup.isprintable():
            error = f"its {state} is {row[state]}"
            found.setdefault((setup, seed), FailedRun(setup=setup, seed=seed, error=error))
    return tuple(found.values())


def as_long_as_the_longest(
    runs: Sequence[RunRows], columns: Columns
) -> tuple[list[RunRows], list[str]]:
    """The runs that go as far as the longest, and the messages about the others."""
    ends = [_end(run, columns) for run in runs]
    longest = max((end for end in ends if end is not None), default=None)
    left = [
        f"{run.where}: {run.setup} with seed {run.seed} ends at {columns.progress[0]} {end:g} of "
        f"{longest:g}; {_BIASED}"
        for run, end in zip(runs, ends, strict=True)
        if end is not None and end != longest
    ]
    return [run for run, end in zip(runs, ends, strict=True) if end in (None, longest)], left


def ends_note(runs: Sequence[RunRows], columns: Columns) -> list[str]:
    """Note on runs that end at different epochs or steps."""
    ends = {run: end for run in runs if (end := _end(run, columns)) is not None}
    if len(set(ends.values())) < 2:
        return []
    first = min(ends, key=lambda run: ends[run])
    return [
        f"runs end at {columns.progress[0]} {ends[first]:g} to {max(ends.values()):g}; the first "
        f"to end is {first.setup} with seed {first.seed} ({first.where}): was it cut off? "
        "--skip-incomplete leaves such runs out"
    ]


def lacking(metrics: Sequence[Mapping[str, float]]) -> list[str]:
    """Metrics that most runs have and some lack, in words; empty if there are none."""
    times = Counter(name for each in metrics for name in each)
    usual = {name for name, number in times.items() if 2 * number > len(metrics)}
    return [
        f"has no {listed(sorted(usual - set(each)))}" if usual - set(each) else ""
        for each in metrics
    ]


def _end(run: RunRows, columns: Columns) -> float | None:
    return end_of([row for some in run.rows.values() for row in some], columns.progress)
