"""Two setups over the tasks of a suite: the difference, with and without runs that were lost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy import ndarray

from seedwise.comparison.collapse import FarRuns
from seedwise.comparison.measured import Measurements
from seedwise.comparison.result import ComparisonValues
from seedwise.comparison.rule import Rule
from seedwise.comparison.study_runs import shared_rows
from seedwise.errors import DataError
from seedwise.shaped import Float64
from seedwise.stats.intervals import Difference
from seedwise.stats.suites import Over, TaskTable, suite_difference

__all__ = ["OverTasks"]

_SEED = 0
"""Of the resamples of an interquartile mean: the same runs give the same verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTasks:
    """A pair of setups over all tasks, before anything is corrected.

    Attributes:
        higher: Whether a higher value is better.
        paired: Whether runs of one seed were compared.
        difference: The advantage of B: turned so that more is better.
        without: The same without runs that diverged or collapsed; None where there are none, or
            nothing is left without them.
        lost: Whether there are such runs.
        uncounted: Whether some of them have no value, as a diverged run has none.
        more_lost: Whether B lost a larger share of its runs than A.
        advantages: Advantage of B in each task, by the means.
    """

    higher: bool
    paired: bool
    difference: Difference
    without: Difference | None
    lost: bool
    uncounted: bool
    more_lost: bool
    advantages: Float64[ndarray, " tasks"]

    @classmethod
    def of(
        cls,
        pair: tuple[str, str],
        tasks: Mapping[str, ComparisonValues],
        measured: Mapping[str, Mapping[str, Measurements]],
        rule: Rule,
    ) -> "OverTasks":
        """Put the tasks of a pair of setups together.

        Args:
            pair: Names of the setups.
            tasks: Their comparison in each task.
            measured: The runs of each setup by task.
            rule: The way of doing it, and the confidence.
        """
        first = next(iter(tasks.values()))
        higher = first.deciding.higher_is_better
        paired = all(each.paired for each in tasks.values())
        names = [each.deciding.metric for each in tasks.values()]
        setups = [[measured[task][name] for task in tasks] for name in pair]
        far = [[each.far_a for each in tasks.values()], [each.far_b for each in tasks.values()]]
        tables = [_table(each, names, higher) for each in setups]
        kept = [
            _without(table, each, some)
            for table, each, some in zip(tables, setups, far, strict=True)
        ]
        shares = [float(np.mean([each.diverged.mean() for each in some])) for some in setups]
        lost = bool(sum(shares)) or any(each.seeds for some in far for each in some)
        rows = shared_rows(setups[0][0].seeds, setups[1][0].seeds) if paired else None

        def over(a: TaskTable, b: TaskTable) -> Difference:
            if rows is not None:
                a, b = a[rows[0]], b[rows[1]]
            return suite_difference(
                a,
                b,
                cast("Over", rule.over),
                paired=paired,
                confidence=rule.confidence,
                rng=np.random.default_rng(_SEED),
            )

        return cls(
            higher=higher,
            paired=paired,
            difference=over(*tables),
            without=_or_none(over, kept) if lost else None,
            lost=lost,
            uncounted=any(
                np.isnan(each.metrics[name].values[each.diverged]).any()
                for some in setups
                for each, name in zip(some, names, strict=True)
            ),
            more_lost=shares[1] >= shares[0],
            advantages=np.array([each.deciding.advantage for each in tasks.values()]),
        )

    @property
    def turned(self) -> Difference:
        """B - A in the metric's own direction."""
        found = self.difference
        if self.higher:
            return found
        return replace(found, estimate=-found.estimate, low=-found.high, high=-found.low)


def _or_none(
    over: Callable[[TaskTable, TaskTable], Difference], kept: Sequence[TaskTable]
) -> Difference | None:
    try:
        return over(kept[0], kept[1])
    except DataError:
        return None


def _table(tasks: Sequence[Measurements], names: Sequence[str], higher: bool) -> TaskTable:
    """A setup's runs, a row a seed and a column a task, turned so that more is better."""
    columns = [each.metrics[name].values for each, name in zip(tasks, names, strict=True)]
    return np.stack(columns, axis=1) * (1 if higher else -1)


def _without(table: TaskTable, tasks: Sequence[Measurements], far: Sequence[FarRuns]) -> TaskTable:
    """The table without runs that diverged, and those far from the rest of their task."""
    kept = table.copy()
    for column, (each, some) in enumerate(zip(tasks, far, strict=True)):
        gone = set(some.seeds)
        rows = each.diverged | np.array([seed in gone for seed in each.seeds])
        kept[rows, column] = np.nan
    return kept
