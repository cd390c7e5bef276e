"""Runs that end early, or lack what others have: said, or left out if that is asked for."""

from collections import Counter
from collections.abc import Mapping, Sequence

from seedwise.importers.columns import Columns
from seedwise.importers.counting import end_of
from seedwise.importers.grouping import RunRows
from seedwise.importers.names import listed

__all__ = ["as_long_as_the_longest", "ends_note", "lacking"]

_BIASED = "if that is because of how it went, the comparison is biased"


def as_long_as_the_longest(
    runs: Sequence[RunRows], columns: Columns
) -> tuple[list[RunRows], list[str]]:
    """The runs that go as far as the longest, and what is said of the others."""
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
