"""Average ranks of setups over tasks: they are about new tasks of the kind, not about seeds."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.shaped import Float64

__all__ = ["FEWEST_TASKS", "Ranks", "average_ranks", "ranked"]

FEWEST_TASKS = 10
"""Tasks below which Friedman's test says little: Demšar asks for more than 10 of 5 setups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Setups ranked within each task, 1 for the best, and the ranks averaged.

    Attributes:
        ranks: The average rank of each setup.
        tasks: Number of tasks.
        chi_square: Friedman's statistic, corrected for ties.
        p_friedman: Its p-value, by the chi-square distribution.
        p_value: The p-value of Iman and Davenport's F, which errs less than Friedman's.
        critical: Two setups whose average ranks differ by more are different (Nemenyi).
        alpha: The error rate of all pairs together.
    """

    ranks: tuple[float, ...]
    tasks: int
    chi_square: float
    p_friedman: float
    p_value: float
    critical: float
    alpha: float


def ranked(scores: Float64[ndarray, "tasks setups"]) -> Float64[ndarray, "tasks setups"]:
    """The rank of each setup in each task, 1 for the largest; equal scores share their ranks."""
    above = (scores[:, None, :] > scores[:, :, None]).sum(axis=2)
    same = (scores[:, None, :] == scores[:, :, None]).sum(axis=2)
    return above + (same + 1) / 2


def average_ranks(scores: Float64[ndarray, "tasks setups"], *, alpha: float = 0.05) -> Ranks:
    """Friedman's test of setups over tasks, and Nemenyi's critical difference.

    Args:
        scores: The mean of each setup in each task; more is better.
        alpha: Error rate, in (0, 1).

    Raises:
        DataError: Fewer than two setups, or fewer than `FEWEST_TASKS` tasks.

    Source: Demšar (2006), "Statistical comparisons of classifiers over multiple data sets".
    """
    tasks, setups = scores.shape
    if setups < 2 or tasks < FEWEST_TASKS:
        raise DataError(
            f"ranks take two setups and {FEWEST_TASKS} tasks, got {setups} and {tasks}"
        )
    ranks = ranked(scores)
    means = ranks.mean(axis=0)
    between = tasks * ((means - (setups + 1) / 2) ** 2).sum()
    within = ((ranks - (setups + 1) / 2) ** 2).sum() / (tasks * (setups - 1))
    chi_square = float(between / within) if within else 0.0
    rest = tasks * (setups - 1) - chi_square
    p_value = 1.0 if not within else 0.0
    if within and rest > 1e-9:
        f = (tasks - 1) * chi_square / rest
        p_value = float(scipy.special.fdtrc(setups - 1, (setups - 1) * (tasks - 1), f))
    return Ranks(
        ranks=tuple(means.tolist()),
        tasks=tasks,
        chi_square=chi_square,
        p_friedman=float(scipy.special.chdtrc(setups - 1, chi_square)) if within else 1.0,
        p_value=p_value,
        critical=_quantile(setups, alpha) * math.sqrt(setups * (setups + 1) / (6 * tasks)),
        alpha=alpha,
    )


@cache
def _quantile(setups: int, alpha: float) -> float:
    """The quantile of the studentised range over the square root of 2."""
    from scipy.stats import studentized_range  # 0.7 s, and few suites have ten tasks

    return float(studentized_range.ppf(1 - alpha, setups, np.inf)) / math.sqrt(2)
