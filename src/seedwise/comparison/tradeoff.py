"""Cheaper without worse: a verdict on a cost and on the margin at once.

Both have to be shown, each at the full error rate: an intersection-union test, which errs no more
often than either (Berger, 1982). Several comparisons are corrected as they are anyway.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy import ndarray

from seedwise.comparison.measured import Measurements
from seedwise.comparison.result import ComparisonValues, Tradeoff
from seedwise.comparison.rule import Rule
from seedwise.comparison.study_runs import shared_rows
from seedwise.errors import ConfigError, UnknownName
from seedwise.shaped import Float64
from seedwise.stats.cheaper import Saving, saving_of
from seedwise.stats.multiplicity import Correction, adjusted
from seedwise.store import StoredRun

__all__ = ["Costs", "costs_of", "with_tradeoffs"]

SECONDS = "seconds"
"""The cost that runs have beside their metrics."""

Costs = Float64[ndarray, " runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Priced:
    """The finished runs of a setup whose cost is known."""

    setup: Measurements
    costs: Costs

    @property
    def known(self) -> list[int]:
        """Places of the runs that finished and say what they cost."""
        return [int(i) for i in np.flatnonzero(np.isfinite(self.costs) & ~self.setup.diverged)]


def costs_of(results: Sequence[StoredRun], cost: str) -> Costs:
    """Cost of each run of a setup; NaN for one that does not say it.

    Args:
        results: Finished and diverged runs.
        cost: `seconds`, or the name of a metric.

    Raises:
        UnknownName: No run has such a metric.
        ConfigError: The runs were recorded without their time.
    """
    named = any(cost in run.metrics for run in results)
    if cost == SECONDS and not named:
        costs = np.array([run.seconds or math.nan for run in results])
        if not np.isfinite(costs).any():
            raise ConfigError(
                f"the runs of {results[0].setup!r} have no time: record them with their seconds, "
                "or name a metric that says what they cost"
            )
        return costs
    if not named:
        raise UnknownName("cost", cost, {SECONDS, *(m for run in results for m in run.metrics)})
    return np.array([run.metrics.get(cost, math.nan) for run in results])


def with_tradeoffs(
    found: Sequence[ComparisonValues],
    pairs: Sequence[tuple[tuple[Measurements, Costs], tuple[Measurements, Costs]]],
    rule: Rule,
    correction: Correction,
) -> tuple[ComparisonValues, ...]:
    """Comparisons with the verdict on the rule's cost and its margin.

    Args:
        found: The comparisons of a family.
        pairs: Of each, setups A and B as they were measured, and what their runs cost.
        rule: How verdicts are reached, with a cost.
        correction: How p-values are corrected where there are several.
    """
    assert rule.cost is not None
    savings = [
        _saving(_Priced(setup=a, costs=x), _Priced(setup=b, costs=y), each.paired, rule)
        for each, ((a, x), (b, y)) in zip(found, pairs, strict=True)
    ]
    both = [
        max(saving.p_value, each.equivalence.p_not_worse if each.equivalence else 1.0)
        for each, saving in zip(found, savings, strict=True)
    ]
    family = found[0].family if found else None
    others = [1.0] * ((family.size if family else len(found)) - len(found))
    p_values = adjusted(np.array([*both, *others]), correction)
    return tuple(
        replace(
            each,
            tradeoff=Tradeoff(
                cost=rule.cost,
                saving=saving,
                p_value=float(p_value),
                shown=bool(p_value < rule.alpha) and each.shown_not_worse,
            ),
        )
        for each, saving, p_value in zip(found, savings, p_values[: len(found)], strict=True)
    )


def _saving(a: _Priced, b: _Priced, paired: bool, rule: Rule) -> Saving:
    rows_a, rows_b = a.known, b.known
    if paired:
        seeds = ([each.setup.seeds[row] for row in each.known] for each in (a, b))
        shared_a, shared_b = shared_rows(*seeds)
        rows_a, rows_b = [rows_a[i] for i in shared_a], [rows_b[i] for i in shared_b]
    if not (rows_a and rows_b):
        raise ConfigError(f"too few runs say what they cost under {rule.cost}")
    return saving_of(
        a.costs[rows_a],
        b.costs[rows_b],
        wanted=rule.saving or 0.0,
        paired=paired,
        alpha=rule.alpha,
    )
