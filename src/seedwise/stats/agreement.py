"""How alike two setups' runs are: correlation, churn, the chance that one beats the other."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64, Integer
from numpy import ndarray
from scipy.special import gammaln, ndtri, stdtrit

__all__ = [
    "ChanceOfBetter",
    "Correlation",
    "chance_of_better",
    "churn_between",
    "churn_within",
    "correlation",
    "fisher_exact",
    "groups",
    "pairs_alike",
]

_ENOUGH_RUNS = 20
"""Below this, a 95 % Brunner-Munzel interval covers 62 to 93 % (n = 5): none is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Pearson's correlation of a metric over seeds that both setups ran.

    Attributes:
        estimate: r; NaN below three pairs, or where a setup's runs are all equal.
        low: Lower end of its interval; -1 below four pairs.
        high: Upper end; 1 below four pairs.
        pairs: Number of seeds.
        confidence: Coverage of the interval.
    """

    estimate: float
    low: float
    high: float
    pairs: int
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceOfBetter:
    """The chance that a run of B is better than a run of A, a tie counted as half.

    Attributes:
        estimate: The share of all pairs of a run of A and a run of B that B wins.
        low: Lower end of its interval; NaN where none is given.
        high: Upper end; NaN likewise.
        apart: Whether every run of one setup beats every run of the other: the interval's formula
            has no answer then.
        confidence: Coverage of the interval.
    """

    estimate: float
    low: float
    high: float
    apart: bool
    confidence: float


def correlation(
    a: Float[ndarray, " seeds"], b: Float[ndarray, " seeds"], *, confidence: float
) -> Correlation:
    """Pearson's r with Fisher's interval, which takes the pairs as bivariate normal.

    Args:
        a: Metric of setup A, one value a seed.
        b: Metric of setup B for the same seeds.
        confidence: Coverage, in (0, 1).

    Source: Fisher (1921): artanh(r) has standard error 1/sqrt(n - 3).
    """
    n = len(a)
    if n < 3 or min(a.std(), b.std()) <= 1e-12:
        return Correlation(estimate=math.nan, low=-1.0, high=1.0, pairs=n, confidence=confidence)
    r = float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1))
    low, high = -1.0, 1.0
    if n > 3 and abs(r) < 1:
        half = float(ndtri((1 + confidence) / 2)) / math.sqrt(n - 3)
        low, high = (math.tanh(math.atanh(r) + sign * half) for sign in (-1, 1))
    return Correlation(estimate=r, low=low, high=high, pairs=n, confidence=confidence)


def chance_of_better(
    a: Float[ndarray, " runs_a"],
    b: Float[ndarray, " runs_b"],
    *,
    paired: bool,
    confidence: float,
) -> ChanceOfBetter:
    """Brunner and Munzel's estimate of P(B > A) + P(B = A)/2.

    It speaks of a run of B and an unrelated run of A, also where the seeds are shared; sharing
    them changes the interval, not the estimate.

    Args:
        a: Metric of setup A, higher better, one value a run.
        b: Metric of setup B; in the order of the same seeds where paired.
        paired: Whether the seeds are shared.
        confidence: Coverage, in (0, 1).

    Returns:
        The estimate; its interval from 20 runs of each setup on, cut off at 0 and 1.

    Source: Brunner & Munzel (2000); paired: Munzel (1999), the variance of the differences of
    placements.
    """
    wins = (b[:, None] > a).astype(np.float64) + 0.5 * (b[:, None] == a)
    estimate = float(wins.mean())
    below_b, above_a = wins.mean(axis=1), wins.mean(axis=0)
    low = high = math.nan
    apart = estimate in (0.0, 1.0)
    if min(len(a), len(b)) >= _ENOUGH_RUNS and not apart:
        if paired:
            parts = np.array([(below_b + above_a).var(ddof=1) / len(a)])
            freedom = len(a) - 1.0
        else:
            parts = np.array([above_a.var(ddof=1) / len(a), below_b.var(ddof=1) / len(b)])
            freedom = float(parts.sum() ** 2 / (parts**2 / [len(a) - 1, len(b) - 1]).sum())
        half = float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(parts.sum())
        low, high = max(0.0, estimate - half), min(1.0, estimate + half)
    return ChanceOfBetter(
        estimate=estimate, low=low, high=high, apart=apart, confidence=confidence
    )


def churn_between(
    a: Integer[ndarray, "seeds predictions"], b: Integer[ndarray, "seeds predictions"]
) -> float:
    """The mean share of predictions that differ between runs of the same seed; NaN for none.

    Args:
        a: Predicted class of each prediction in each run of A.
        b: The same for B, with the same seeds in the same order.
    """
    return float((a != b).mean()) if a.size else math.nan


def churn_within(predicted: Integer[ndarray, "runs predictions"]) -> float:
    """The mean share of predictions that differ between two runs of one setup; NaN below two."""
    return float(1 - pairs_alike(predicted).mean())


def pairs_alike(predicted: Integer[ndarray, "runs predictions"]) -> Float64[ndarray, " _"]:
    """The share of pairs of different runs that predict the same class; NaN below two runs.

    Counted by class, so that 1,000 runs take no million comparisons.

    Args:
        predicted: The class that each run predicts.

    Returns:
        One for each prediction, in [0, 1].
    """
    runs, predictions = predicted.shape
    if runs < 2:
        return np.full(predictions, math.nan)
    place, _, votes = groups(predicted)
    same = np.bincount(place, votes * (votes - 1.0), minlength=predictions)
    return same / (runs * (runs - 1))


def groups(
    predicted: Integer[ndarray, "runs predictions"],
) -> tuple[Int64[ndarray, " _"], Integer[ndarray, " _"], Int64[ndarray, " _"]]:
    """The classes that runs predict, and how often.

    In memory this takes the size of what is given, however many classes there are: a table of
    50,000 images by 1,000 classes took 400 MB.

    Returns:
        Place of the prediction, class, and number of runs; a row for each class that some run
        predicts, by place and class.
    """
    ordered = np.sort(predicted.T, axis=1)
    begins = np.ones(ordered.shape, bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    starts = np.flatnonzero(begins)
    sizes = np.diff(starts, append=ordered.size)
    return starts // max(1, len(predicted)), ordered.reshape(-1)[starts], sizes


def fisher_exact(hits_a: int, runs_a: int, hits_b: int, runs_b: int) -> float:
    """Two-sided p-value for the same rate in two groups, from Fisher's exact test.

    Args:
        hits_a: How many of A's runs it happened to.
        runs_a: A's runs.
        hits_b: How many of B's runs it happened to.
        runs_b: B's runs.

    Returns:
        The chance, with both rows and columns given, of a table no more likely than this one.

    >>> round(fisher_exact(0, 10, 4, 10), 4)
    0.0867
    """
    hits = hits_a + hits_b
    possible = np.arange(max(0, hits - runs_a), min(hits, runs_b) + 1)
    weights = np.exp(
        _log_choose(runs_a, hits - possible)
        + _log_choose(runs_b, possible)
        - _log_choose(runs_a + runs_b, np.array(hits))
    )
    observed = weights[possible == hits_b][0]
    return float(min(1.0, weights[weights <= observed * (1 + 1e-9)].sum()))


def _log_choose(n: int, k: Integer[ndarray, " _"]) -> Float64[ndarray, " _"]:
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
