"""Two setups over several tasks: one difference in which each task counts the same.

The tasks are fixed and the seeds are the sample: all of it is about new seeds on these tasks. A
table has a row for each seed and a column for each task, NaN where there is no run; more is
better throughout. What one seed gives in several tasks may depend on one another, as it does where
one model is evaluated on all of them: seeds are the clusters of every standard error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.shaped import Bool, Float64
from seedwise.stats.intervals import Difference, student_difference

__all__ = [
    "FOR_STANDARDISED",
    "OVER",
    "Over",
    "WinTieLoss",
    "interquartile_mean",
    "performance_profile",
    "run_units",
    "suite_difference",
    "win_tie_loss",
]

TaskTable = Float64[ndarray, "seeds tasks"]

Over = Literal["mean", "standardised", "iqm"]
OVER: tuple[Over, ...] = ("mean", "standardised", "iqm")
"""Ways to put tasks together: the mean of their differences as they are; of the differences in
standard deviations of a run; the interquartile mean of all scores."""

FOR_STANDARDISED = 5
"""Runs of each setup in each task from which a standard deviation may be a unit: where there is no
difference, 8 to 10 % of studies with 3 pairs a task came out different, 4 to 6 % with 5."""

_NO_SPREAD = 1e-12
"""Standard deviations up to this are rounding."""

_RESAMPLES = 2000
"""The standard error of an interquartile mean is then known to 1.6 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WinTieLoss:
    """In how many tasks B's mean is better by more than a margin, within it, or worse."""

    wins: int
    ties: int
    losses: int


def suite_difference(
    a: TaskTable,
    b: TaskTable,
    over: Over,
    *,
    paired: bool,
    confidence: float,
    rng: np.random.Generator,
) -> Difference:
    """B - A over all tasks, each of which counts the same whatever its number of runs.

    Args:
        a: Setup A's runs.
        b: Setup B's runs; paired, its rows are the same seeds.
        over: How tasks are put together.
        paired: Compare runs of the same seed; a run without its partner does not count.
        confidence: Coverage of the interval, in (0, 1).
        rng: Draws the resamples of the interquartile mean.

    Returns:
        The difference; `n_a` and `n_b` are the fewest runs (or pairs) that a task has. The
        interval is infinite where a task has one run of a setup, or nothing varies.

    Raises:
        DataError: A task has no run of a setup or no pair; or runs of a task do not vary, and
            their differences are to be standardised by that.
    """
    if paired:
        both = np.isfinite(a) & np.isfinite(b)
        a, b = np.where(both, a, np.nan), np.where(both, b, np.nan)
    fewest = [int(np.isfinite(each).sum(axis=0).min()) for each in (a, b)]
    if min(fewest) == 0:
        raise DataError("each task needs a run of each setup, and pairs where they are paired")
    parts, estimate = _PARTS[over](a, b, paired, rng)
    freedom = _freedom(parts)
    return student_difference(
        estimate,
        error=math.sqrt(sum(part.variance for part in parts)) if freedom else 0.0,
        freedom=freedom,
        confidence=confidence,
        runs=(fewest[0], fewest[1]),
        paired=paired,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _KnownVariance:
    """A variance, and the degrees of freedom with which it is known; 0 where it is not."""

    variance: float
    freedom: float


def _freedom(parts: Sequence[_KnownVariance]) -> float:
    """Welch's for the sum of independent variances; 0 where one is not known or all are 0."""
    total = sum(part.variance for part in parts)
    if total <= 0 or min(part.freedom for part in parts) <= 0:
        return 0.0
    return total**2 / sum(part.variance**2 / part.freedom for part in parts)


def _clustered(values: TaskTable) -> _KnownVariance:
    """The variance of the mean over tasks of each task's mean, with seeds as clusters.

    With c = 1 / (tasks sqrt(n (n - 1))), a seed's share is the sum over its tasks of c times its
    deviation from the task's mean, and the variance is the sum of the squared shares: Student's
    where every seed has every task, Welch's where no seed has two. The degrees of freedom are
    Satterthwaite's for that quadratic form, tasks taken as independent (Bell & McCaffrey, 2002).
    Tasks with two runs beside tasks with more leave 1, as in `welch_freedom`: by Satterthwaite's
    10 % of studies with 2 and 10 pairs came out different where there was no difference.
    """
    here = np.isfinite(values)
    runs = here.sum(axis=0)
    if runs.min() < 2:
        return _KnownVariance(variance=0.0, freedom=0.0)
    deviations = np.where(here, values - np.nanmean(values, axis=0), 0.0)
    deviations[:, np.nanstd(values, axis=0) <= _NO_SPREAD] = 0.0
    shares = deviations / np.sqrt(runs * (runs - 1.0)) / len(runs)
    variance = float((shares.sum(axis=1) ** 2).sum())
    fewest = float(runs.min() - 1)
    spread = (shares**2).sum(axis=0)  # of each task alone
    if runs.min() == 2 < runs.max() or not spread.any():
        return _KnownVariance(variance=variance, freedom=fewest)
    scaled = spread / (runs - 1)
    freedom = spread.sum() ** 2 / (scaled @ _overlap(here) @ scaled)
    return _KnownVariance(variance=variance, freedom=float(freedom))


def _overlap(here: Bool[ndarray, "seeds tasks"]) -> Float64[ndarray, "tasks tasks"]:
    """The trace of the product of two tasks' centring matrices: n - 1 where they share n seeds."""
    each = here.astype(float)
    shared, runs = each.T @ each, each.sum(axis=0)
    return shared - shared / runs - shared / runs[:, None] + shared**2 / np.outer(runs, runs)


def _mean(
    a: TaskTable, b: TaskTable, paired: bool, rng: np.random.Generator
) -> tuple[list[_KnownVariance], float]:
    estimate = float((np.nanmean(b, axis=0) - np.nanmean(a, axis=0)).mean())
    return [_clustered(b - a)] if paired else [_clustered(a), _clustered(b)], estimate


def _standardised(
    a: TaskTable, b: TaskTable, paired: bool, rng: np.random.Generator
) -> tuple[list[_KnownVariance], float]:
    """Differences in standard deviations of a run (Hedges' g).

    That these are estimated adds g^2 / (2 df) to each task's variance (Hedges, 1981).
    """
    runs = [np.isfinite(each).sum(axis=0) for each in (a, b)]
    if min(map(min, runs)) < FOR_STANDARDISED:
        raise DataError(
            f"a standardised difference takes {FOR_STANDARDISED} runs of each setup in each task "
            f"(pairs, where they are paired); the fewest are {min(map(min, runs))}: put tasks "
            "together by their mean"
        )
    freedom = runs[0] + runs[1] - 2.0
    scale = run_units(a, b)
    parts, estimate = _mean(a / scale, b / scale, paired, rng)
    sizes = (np.nanmean(b, axis=0) - np.nanmean(a, axis=0)) / scale
    known = float((sizes**2 / (2 * freedom)).sum()) / len(sizes) ** 2
    return [*parts, _KnownVariance(variance=known, freedom=float(freedom.sum()))], estimate


def run_units(a: TaskTable, b: TaskTable) -> Float64[ndarray, " tasks"]:
    """Standard deviation of a run in each task, over both setups: the unit of Hedges' g.

    It is infinite in a task where all runs of both are the same, as at a ceiling: there is no
    difference then in whatever unit.

    Raises:
        DataError: The runs of each setup do not vary in a task, and the setups differ there.
    """
    variances = [np.nanvar(each, axis=0, ddof=1) for each in (a, b)]
    spread = np.sqrt((variances[0] + variances[1]) / 2)
    same = spread <= _NO_SPREAD
    if (same & (np.abs(np.nanmean(b, axis=0) - np.nanmean(a, axis=0)) > _NO_SPREAD)).any():
        raise DataError(
            "runs of a task are all the same in each setup, and the setups differ there, so that "
            "its difference has no standardised size; put tasks together by their mean"
        )
    spread = np.where(same, np.inf, spread)
    runs = [np.isfinite(each).sum(axis=0) for each in (a, b)]
    return spread / _hedges(runs[0] + runs[1] - 2.0)


def _hedges(freedom: Float64[ndarray, " _"]) -> Float64[ndarray, " _"]:
    """Factor that takes the bias from a difference over its standard deviation."""
    return np.exp(
        scipy.special.gammaln(freedom / 2) - scipy.special.gammaln((freedom - 1) / 2)
    ) / np.sqrt(freedom / 2)


def _interquartile(
    a: TaskTable, b: TaskTable, paired: bool, rng: np.random.Generator
) -> tuple[list[_KnownVariance], float]:
    """The difference of the interquartile means, its error from resampled seeds.

    Deviations from a task's mean are widened by sqrt(n / (n - 1)) before they are resampled, or
    the errors of few runs would come out too small.
    """
    estimate = interquartile_mean(b) - interquartile_mean(a)
    of_a, of_b = _clustered(a), _clustered(b)
    if paired:
        counts = _counts(np.isfinite(b), rng)
        drawn = _resampled(b, counts) - _resampled(a, counts)
        freedom = _clustered(b - a).freedom
        return [_KnownVariance(variance=float(drawn.var(ddof=1)), freedom=freedom)], estimate
    return [
        _KnownVariance(
            variance=float(_resampled(each, _counts(np.isfinite(each), rng)).var(ddof=1)),
            freedom=part.freedom,
        )
        for each, part in ((a, of_a), (b, of_b))
    ], estimate


_PARTS = {"mean": _mean, "standardised": _standardised, "iqm": _interquartile}


def interquartile_mean(values: TaskTable) -> float:
    """The mean of the middle half of all runs, each task with the same weight.

    With the same number of runs in each task, a multiple of 4 in all, this is the interquartile
    mean of rliable.

    Source: Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical
    precipice".

    >>> interquartile_mean(np.array([[0.0, 4.0], [1.0, 100.0]]))
    2.5
    """
    here = np.isfinite(values)
    return float(_middle(values[here], (here / here.sum(axis=0))[here][None])[0])


def _middle(
    values: Float64[ndarray, " runs"], weights: Float64[ndarray, "draws runs"]
) -> Float64[ndarray, " draws"]:
    """The weighted mean between the quartiles, a run on a quartile counted in part."""
    order = np.argsort(values, kind="stable")
    weights = weights[:, order] / weights.sum(axis=1, keepdims=True)
    ends = np.cumsum(weights, axis=1)
    inside = np.clip(ends, 0.25, 0.75) - np.clip(ends - weights, 0.25, 0.75)
    return inside @ values[order] / 0.5


def _counts(
    here: Bool[ndarray, "seeds tasks"], rng: np.random.Generator
) -> Float64[ndarray, "draws seeds"]:
    """Number of draws of each seed; again where a task would be left without a run."""
    seeds = len(here)
    counts = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=_RESAMPLES)
    while (empty := ~((counts @ here) > 0).all(axis=1)).any():
        counts[empty] = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=int(empty.sum()))
    return counts.astype(float)


def _resampled(
    values: TaskTable, counts: Float64[ndarray, "draws seeds"]
) -> Float64[ndarray, " draws"]:
    """The interquartile mean of each resample."""
    here = np.isfinite(values)
    runs = here.sum(axis=0)
    means = np.nanmean(values, axis=0)
    widened = means + (values - means) * np.sqrt(runs / np.maximum(runs - 1.0, 1.0))
    drawn = counts[:, :, None] * here
    weights = drawn / drawn.sum(axis=1, keepdims=True)
    return _middle(widened[here], weights[:, here])


def win_tie_loss(differences: Float64[ndarray, " tasks"], margin: float) -> WinTieLoss:
    """Count the tasks by their differences; a margin of 0 leaves ties to equal means.

    >>> win_tie_loss(np.array([0.02, 0.001, -0.03]), 0.01)
    WinTieLoss(wins=1, ties=1, losses=1)
    """
    wins, losses = int((differences > margin).sum()), int((differences < -margin).sum())
    return WinTieLoss(wins=wins, ties=len(differences) - wins - losses, losses=losses)


def performance_profile(
    values: TaskTable, at: Float64[ndarray, " scores"]
) -> Float64[ndarray, " scores"]:
    """The share of runs that score more than each of some scores, each task weighted the same.

    Source: Agarwal et al. (2021), equation 4: the run-score distribution.
    """
    here = np.isfinite(values)
    above = (values[..., None] > at) & here[..., None]
    return (above.sum(axis=0) / here.sum(axis=0)[:, None]).mean(axis=0)
