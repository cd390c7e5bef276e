"""Runs that lie far from the rest of their setup, and how rare they may be without being seen.

A few runs that collapse make a mixture and no normal law: no t interval holds its mean, and 5 runs
of a setup that collapses with one seed in ten show no collapse in 59 % of studies.

A few runs are far where the gap between them and the other runs of their setup is many times the
standard deviation of all runs that are not far, of both setups: of three runs alone, two say
nothing of how much runs vary. Setups with spreads that differ three times raise few false alarms.
"""

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import scipy
from numpy import ndarray

from seedwise.shaped import Bool, Float64, Integer

__all__ = ["far_from_rest", "share_interval", "unseen_share"]

_FEW = 0.4
"""A larger share of a setup's runs is not a few."""

_LEAST_GAP = 8.0
"""In standard deviations. Of 10 runs of each setup, none of which collapsed, some are taken for
far in no study if they are normal, in 1 % if exponential, in 2 % if of Student's t with 3 degrees
of freedom and in 9 % if lognormal; benchmarks/records/2026-11-28-verdicts has other numbers."""

_CHANCE, _NORMAL = 3e-5, 8
"""With fewer degrees of freedom the gap that it takes is the quantile of Student's t with this
chance beyond it: 33 standard deviations at 3 and 18 at 4. From 8 on it is the least."""

_TRIED = 5
"""Of many gaps on a side only the widest are looked at."""

_HUGE = 1e100
"""Squares of larger values overflow."""

_DIGITS = 8
"""Values that are whole multiples of 10^-k, k up to this, are taken as rounded to that."""


def far_from_rest(
    a: Float64[ndarray, " runs_a"], b: Float64[ndarray, " runs_b"], *, grain: float = 0.0
) -> tuple[Bool[ndarray, " runs_a"], Bool[ndarray, " runs_b"]]:
    """The runs of two setups that lie far from the rest of their own setup, on either side.

    Args:
        a: A metric of setup A, one finite value a run.
        b: The same of setup B.
        grain: The least difference that two runs can have; 0 where it is not known.

    Returns:
        A mask for each setup; at most two of five runs of a setup are far.

    >>> far = far_from_rest(np.array([0.91, 0.92, 0.915]), np.array([0.93, 0.1, 0.92, 0.925]))
    >>> far[0].tolist(), far[1].tolist()
    ([False, False, False], [False, True, False, False])
    """
    a, b = (np.clip(each, -_HUGE, _HUGE) for each in (a, b))
    floor = max(grain, _grain(np.concatenate((a, b)))) / 2
    far = np.zeros(len(a), np.bool_), np.zeros(len(b), np.bool_)
    while True:
        found = _farthest(_Splits(a, far[0]), _Splits(b, far[1]), floor)
        if not any(map(len, found)):
            return far
        for mask, members in zip(far, found, strict=True):
            mask[members] = True


def share_interval(hits: float, runs: int, confidence: float) -> tuple[float, float]:
    """The interval of a chance, from how often it came up in independent runs.

    Source: Clopper & Pearson (1934).

    >>> [round(end, 3) for end in share_interval(2, 10, 0.95)]
    [0.025, 0.556]
    """
    tail = (1 - confidence) / 2
    inverse = scipy.special.betaincinv
    low = float(inverse(hits, runs - hits + 1, tail)) if hits > 0 else 0.0
    high = float(inverse(hits + 1, runs - hits, 1 - tail)) if hits < runs else 1.0
    return low, high


def unseen_share(runs: int, confidence: float) -> float:
    """The largest share of seeds that so many runs without a collapse do not exclude, one-sided.

    About 3 / runs at 95 %.

    >>> round(unseen_share(5, 0.95), 2), round(unseen_share(40, 0.95), 3)
    (0.45, 0.072)
    """
    return 1 - (1 - confidence) ** (1 / runs)


class _Splits:
    """The ways to take a few runs of a setup for far, from below, above or both; first none.

    Attributes:
        gaps: Between those and the other runs; infinite where none is taken.
        squares: Of the other runs about their mean, added up.
        freedom: Their degrees of freedom.
    """

    def __init__(self, values: Float64[ndarray, " runs"], far: Bool[ndarray, " runs"]) -> None:
        left = np.flatnonzero(~far)
        self._order = left[np.argsort(values[left], kind="stable")]
        ordered = values[self._order]
        most = max(int(_FEW * len(values)) - int(far.sum()), 0)
        below, above = np.diff(ordered)[:most], np.diff(ordered)[::-1][:most]
        ways = [
            (low, high)
            for low, high in product(*([0, *_widest(gaps)] for gaps in (below, above)))
            if low + high <= most
        ]
        ends = [np.array([math.inf, *gaps]) for gaps in (below, above)]
        self._rest = [slice(low, len(left) - high) for low, high in ways]
        self.gaps = np.array([min(ends[0][low], ends[1][high]) for low, high in ways])
        self.squares = np.array([np.square(_centred(ordered[each])).sum() for each in self._rest])
        self.freedom = np.array([max(len(ordered[each]) - 1, 0) for each in self._rest])

    def taken(self, place: int) -> Integer[ndarray, " _"]:
        """The runs that a split takes."""
        return np.setdiff1d(self._order, self._order[self._rest[place]])


def _farthest(a: _Splits, b: _Splits, floor: float) -> Sequence[Integer[ndarray, " _"]]:
    """The runs of each setup that stand out most; none where nothing does so enough."""
    freedom = a.freedom[:, None] + b.freedom
    spread = np.sqrt((a.squares[:, None] + b.squares) / np.maximum(freedom, 1))
    quantiles = scipy.special.stdtrit(np.clip(freedom, 1, _NORMAL), 1 - _CHANCE)
    needed = np.maximum(_LEAST_GAP, quantiles)
    gap = np.minimum(a.gaps[:, None], b.gaps)
    gap[0, 0] = 0.0
    excess = gap / (needed * np.maximum(spread, max(floor, 1e-12)))
    best = np.unravel_index(np.where(freedom > 0, excess, 0.0).argmax(), excess.shape)
    if excess[best] <= 1 or not freedom[best]:
        best = (0, 0)
    return a.taken(int(best[0])), b.taken(int(best[1]))


def _widest(gaps: Float64[ndarray, " _"]) -> Sequence[int]:
    """Number of runs beyond each of the widest gaps of one side."""
    return (np.argsort(-gaps, kind="stable")[:_TRIED] + 1).tolist()


def _centred(values: Float64[ndarray, " runs"]) -> Float64[ndarray, " runs"]:
    return values - values.mean() if len(values) else values


def _grain(values: Float64[ndarray, " runs"]) -> float:
    """Decimal step that the values are rounded to; 0 where they are not."""
    for digits in range(_DIGITS + 1):
        if (np.abs(values - np.round(values, digits)) <= 1e-12).all():
            return 10.0**-digits
    return 0.0
