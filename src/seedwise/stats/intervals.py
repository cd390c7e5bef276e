"""Differences of two setups' metrics, with intervals that speak of new seeds on these images."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import stats

from seedwise.errors import DataError

__all__ = ["Difference", "Sample", "paired_difference", "unpaired_difference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A metric over the runs of one setup.

    Attributes:
        n: Number of runs.
        mean: Their mean; NaN for none.
        sd: Standard deviation with ddof 1; NaN below two runs.
        sd0: Standard deviation with ddof 0, as the notebook's; NaN for no run.
    """

    n: int
    mean: float
    sd: float
    sd0: float

    @classmethod
    def of(cls, values: Float[ndarray, " runs"]) -> "Sample":
        """What can be said of some values.

        >>> Sample.of(np.array([0.25, 0.75]))
        Sample(n=2, mean=0.5, sd=0.3535533905932738, sd0=0.25)
        """
        n = len(values)
        return cls(
            n=n,
            mean=float(values.mean()) if n else math.nan,
            sd=float(values.std(ddof=1)) if n > 1 else math.nan,
            sd0=float(values.std()) if n else math.nan,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An estimated difference B - A, in the units of the metric.

    Attributes:
        estimate: Difference of the means.
        low: Lower end of the interval; -inf where there are too few runs for one.
        high: Upper end; inf likewise.
        p_value: Two-sided, for no difference; 1 where there are too few runs.
        confidence: Coverage of the interval.
        n_a: Runs of A that went into it.
        n_b: Runs of B.
        paired: Whether runs of the same seed were compared.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    confidence: float
    n_a: int
    n_b: int
    paired: bool


def paired_difference(
    a: Float[ndarray, " seeds"], b: Float[ndarray, " seeds"], *, confidence: float = 0.95
) -> Difference:
    """Student's t interval for the mean of `b - a` over seeds that both setups ran.

    It takes the differences as independent and roughly normal, and speaks of new seeds on these
    images, not of new images.

    Args:
        a: Metric of setup A, one value a seed.
        b: Metric of setup B for the same seeds in the same order.
        confidence: Coverage, in (0, 1).

    Returns:
        The difference; with one pair, or differences that are all equal, the interval is infinite:
        neither tells how much a difference varies.

    Raises:
        DataError: Different or no seeds, or a value that is not finite.

    >>> d = paired_difference(np.array([0.93, 0.94, 0.92]), np.array([0.94, 0.95, 0.94]))
    >>> f"{d.estimate:.4f} [{d.low:.4f}, {d.high:.4f}] p={d.p_value:.3f}"
    '0.0133 [-0.0010, 0.0277] p=0.057'
    """
    if a.shape != b.shape or a.ndim != 1:
        raise DataError(f"a and b must hold the same seeds; got shapes {a.shape} and {b.shape}")
    _check(a, b, confidence)
    difference = b - a
    n, spread = len(a), float(difference.std(ddof=1)) if len(a) > 1 else 0.0
    # Differences of equal runs differ by rounding only; that is no spread.
    if spread <= 1e-12:
        return _unknown(a, b, confidence, paired=True)
    error = spread / math.sqrt(n)
    return _interval(a, b, error, n - 1, confidence, paired=True)


def unpaired_difference(
    a: Float[ndarray, " runs_a"], b: Float[ndarray, " runs_b"], *, confidence: float = 0.95
) -> Difference:
    """Welch's t interval for the difference of the means of unrelated runs.

    Args:
        a: Metric of setup A, one value a run.
        b: Metric of setup B.
        confidence: Coverage, in (0, 1).

    Returns:
        The difference; the interval is infinite where a setup has one run, or no spread at all.

    Raises:
        DataError: No runs, or a value that is not finite.

    Source: Welch (1947); Satterthwaite's degrees of freedom.
    """
    _check(a, b, confidence)
    if min(len(a), len(b)) < 2:
        return _unknown(a, b, confidence, paired=False)
    parts = np.array([values.var(ddof=1) / len(values) for values in (a, b)])
    if parts.sum() <= 1e-24:
        return _unknown(a, b, confidence, paired=False)
    freedom = float(parts.sum() ** 2 / (parts**2 / np.array([len(a) - 1, len(b) - 1])).sum())
    return _interval(a, b, math.sqrt(parts.sum()), freedom, confidence, paired=False)


def _check(a: Float[ndarray, " _"], b: Float[ndarray, " _"], confidence: float) -> None:
    if not 0 < confidence < 1:
        raise DataError(f"confidence must be between 0 and 1, got {confidence}")
    if min(len(a), len(b)) == 0:
        raise DataError(f"both setups need at least one run, got {len(a)} and {len(b)}")
    for values in (a, b):
        if not np.isfinite(values).all():
            raise DataError("a metric is not finite; score diverged runs before comparing")


def _interval(
    a: Float[ndarray, " _"],
    b: Float[ndarray, " _"],
    error: float,
    freedom: float,
    confidence: float,
    *,
    paired: bool,
) -> Difference:
    estimate = float(b.mean() - a.mean())
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return Difference(
        estimate=estimate,
        low=estimate - half,
        high=estimate + half,
        p_value=float(2 * stats.t.sf(abs(estimate) / error, freedom)),
        confidence=confidence,
        n_a=len(a),
        n_b=len(b),
        paired=paired,
    )


def _unknown(
    a: Float[ndarray, " _"], b: Float[ndarray, " _"], confidence: float, *, paired: bool
) -> Difference:
    return Difference(
        estimate=float(b.mean() - a.mean()),
        low=-math.inf,
        high=math.inf,
        p_value=1.0,
        confidence=confidence,
        n_a=len(a),
        n_b=len(b),
        paired=paired,
    )
