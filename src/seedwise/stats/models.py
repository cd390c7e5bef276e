"""Two models compared on the examples that both were scored on: one run of each, no seeds.

The examples are the random sample here. It says nothing about how much training anew would change.
"""

import math
from dataclasses import replace

import numpy as np
import scipy
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.shaped import Float
from seedwise.stats.groups import Groups
from seedwise.stats.intervals import Difference, student_difference

__all__ = ["difference_of_models"]

_STEPS = 60
"""Halvings of an interval of 1: to the last bit of a float64."""


def difference_of_models(
    a: Float[ndarray, " examples"],
    b: Float[ndarray, " examples"],
    *,
    groups: Groups | None = None,
    confidence: float = 0.95,
) -> Difference:
    """The mean of `b - a` with an interval for new examples of the same kind.

    Scores of 0 and 1 have McNemar's exact p-value and Tango's score interval, which is made to
    hold 0 where the test shows nothing. Other scores have Student's t over the differences. Where
    most examples tie, its p-value is at least the smallest that a test of sign flips can have of
    those that do not, 2^(1 - k) of k: a few grades that all happen to rise show nothing, as few
    answers that turn right do not. Where examples come in groups, t is of the groups
    (`Groups.tables`), whatever the scores.

    Args:
        a: Score of each example by the one model.
        b: The same by the other, in the same order.
        groups: The groups of the examples; None where they have none.
        confidence: Coverage, in (0, 1).

    Returns:
        The difference; its interval is infinite for one example or one group, and for
        differences other than 0 that are all equal.

    Raises:
        DataError: They are of different examples, or not finite.

    Source: McNemar (1947), exact as a binomial test of the examples on which the two differ;
    Tango (1998), "Equivalence test and confidence interval for the difference in proportions for
    the paired-sample design".

    >>> a, b = np.array([1] * 60 + [0] * 40), np.array([1] * 56 + [0] * 4 + [1] * 15 + [0] * 25)
    >>> found = difference_of_models(a, b)
    >>> f"{found.estimate:.2f} [{found.low:.3f}, {found.high:.3f}] p={found.p_value:.4f}"
    '0.11 [0.027, 0.201] p=0.0192'
    """
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise DataError(f"a and b must score the same examples; got {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise DataError("a score is not finite")
    if groups is None and np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all():
        return _right_or_wrong(a, b, confidence)
    difference = np.subtract(b, a, dtype=np.float64)
    mean, freedom = float(difference.mean()), len(a) - 1.0
    if groups is not None:
        difference, freedom = groups.tables(difference[None])[0], groups.freedom
    spread = float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    found = student_difference(
        mean,
        error=spread / math.sqrt(len(difference)) if spread > 1e-12 * abs(mean) else 0.0,
        freedom=freedom,
        confidence=confidence,
        runs=(1, 1),
        paired=False,
        population="new images, these models",
    )
    return found if groups is not None else _not_by_few(found, difference)


def _not_by_few(found: Difference, differences: Float[ndarray, " examples"]) -> Difference:
    """Student's difference, which shows nothing where few examples differ and most tie."""
    apart = int(np.count_nonzero(differences))
    smallest = 2.0 ** (1 - apart)
    if not apart or 2 * apart >= len(differences) or smallest <= found.p_value:
        return found
    low, high = found.low, found.high
    if smallest >= 1 - found.confidence:
        low, high = min(low, 0.0), max(high, 0.0)
    return replace(found, p_value=smallest, low=low, high=high)


def _right_or_wrong(
    a: Float[ndarray, " examples"], b: Float[ndarray, " examples"], confidence: float
) -> Difference:
    n, won, lost = len(a), int((b > a).sum()), int((b < a).sum())
    p = (
        min(1.0, 2 * float(scipy.special.bdtr(min(won, lost), won + lost, 0.5)))
        if won + lost
        else 1.0
    )
    low, high = (_tango(won, lost, n, confidence, side) for side in (-1, 1))
    if p >= 1 - confidence:
        low, high = min(low, 0.0), max(high, 0.0)
    z = float(scipy.special.ndtri((1 + confidence) / 2))
    return Difference(
        estimate=(won - lost) / n,
        error=(high - low) / (2 * z),
        freedom=float(n - 1) or 1.0,
        low=low,
        high=high,
        p_value=p,
        confidence=confidence,
        n_a=1,
        n_b=1,
        paired=False,
        population="new images, these models",
    )


def _tango(won: int, lost: int, n: int, confidence: float, side: int) -> float:
    """An end of Tango's interval: the difference at which his score statistic is z."""
    z = float(scipy.special.ndtri((1 + confidence) / 2))
    low, high = ((won - lost) / n, 1.0) if side > 0 else (-1.0, (won - lost) / n)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _score(won, lost, n, middle) > -side * z:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _score(won: int, lost: int, n: int, delta: float) -> float:
    """Tango's statistic of a difference of `delta`; it falls as delta rises."""
    b = -won - lost + (2 * n - won + lost) * delta
    c = -lost * delta * (1 - delta)
    q = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    excess = won - lost - n * delta
    if variance <= 0:
        return math.copysign(math.inf, excess) if excess else 0.0
    return excess / math.sqrt(variance)
