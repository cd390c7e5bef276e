"""Comparison of metrics by the runs that they need to see a difference."""

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.shaped import Float, Float64
from seedwise.stats.variance import Estimate

__all__ = ["FEWEST_PAIRS", "Signal", "signal"]

FEWEST_PAIRS = 3
"""With two pairs the jackknife has one degree of freedom too few to leave a spread."""

_Squares = Float64[ndarray, " draws"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Signal of the difference of two setups under a metric.

    Attributes:
        difference: Mean of B - A over the pairs, in the units of the metric.
        sd_paired: Standard deviation of the paired differences.
        sd_unpaired: That of the difference of two unrelated runs: sqrt(var_a + var_b).
        correlation: Of the paired runs; NaN where a setup's runs are all equal.
        saved_paired: How many times fewer runs this metric needs than unpaired accuracy does, for
            the same power on the observed difference, runs compared in pairs.
        saved_unpaired: The same, runs compared unpaired.
    """

    difference: float
    sd_paired: float
    sd_unpaired: float
    correlation: float
    saved_paired: Estimate
    saved_unpaired: Estimate


def signal(
    a: Float[ndarray, " pairs"],
    b: Float[ndarray, " pairs"],
    *,
    accuracy_a: Float[ndarray, " pairs"],
    accuracy_b: Float[ndarray, " pairs"],
    confidence: float = 0.95,
) -> Signal:
    """Signal-to-noise of a metric's difference against that of unpaired accuracy.

    The number of runs that a t test needs goes with (sd / difference)^2, so the factor saved is
    (difference / sd)^2 of the metric over (difference / sd)^2 of accuracy with
    sd^2 = var_a + var_b. It leaves out what degrees of freedom cost below some ten runs, and it
    speaks of the observed difference: one that is mostly luck makes a metric look good, which the
    interval tells.

    The interval is Student's t on the logarithm with the jackknife over pairs (metric and
    accuracy leave the same pair out). Measured coverage of a stated 0.95 on normal runs: 0.95 to
    0.98 at 5 to 40 pairs; the percentile bootstrap had 0.89 to 0.97.

    Args:
        a: The metric of setup A, one value a seed.
        b: The metric of setup B for the same seeds in the same order.
        accuracy_a: Accuracy of the runs of `a`.
        accuracy_b: Accuracy of the runs of `b`.
        confidence: Coverage, in (0, 1).

    Returns:
        The signal. Where a spread or a difference is 0, a factor is NaN with [0, inf].

    Raises:
        DataError: Fewer than three pairs, other seeds, or a value that is not finite.

    Source:
        Efron and Tibshirani (1993), "An Introduction to the Bootstrap", chapter 11 (jackknife).
    """
    table = np.stack([a, b, accuracy_a, accuracy_b]).astype(np.float64)
    if table.ndim != 2 or table.shape[1] < FEWEST_PAIRS:
        raise DataError(f"a signal needs at least {FEWEST_PAIRS} pairs, got {table.shape[1:]}")
    if not np.isfinite(table).all():
        raise DataError("a metric is not finite; leave diverged runs out of a comparison")
    pairs = table.shape[1]
    others = ~np.eye(pairs, dtype=bool)
    without = np.stack([table[:, keep] for keep in others], axis=1)
    whole = table[:, None, :]
    spreads = min(float(row.std()) for row in table[:2])
    return Signal(
        difference=float((b - a).mean()),
        sd_paired=float((b - a).std(ddof=1)),
        sd_unpaired=math.sqrt(float(a.var(ddof=1) + b.var(ddof=1))),
        correlation=float(np.corrcoef(a, b)[0, 1]) if spreads > 1e-12 else math.nan,
        saved_paired=_factor(_log_factor(whole, True)[0], _log_factor(without, True), confidence),
        saved_unpaired=_factor(
            _log_factor(whole, False)[0], _log_factor(without, False), confidence
        ),
    )


def _log_factor(
    table: Float64[ndarray, "four draws pairs"], paired: bool
) -> Float64[ndarray, " draws"]:
    """Log of the factor of runs saved, for each draw; not finite where a spread is nil."""
    a, b, accuracy_a, accuracy_b = table
    noise = (b - a).var(axis=1, ddof=1) if paired else _unpaired(a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(_squared(a, b) / noise) - np.log(
            _squared(accuracy_a, accuracy_b) / _unpaired(accuracy_a, accuracy_b)
        )


def _squared(a: Float64[ndarray, "draws pairs"], b: Float64[ndarray, "draws pairs"]) -> _Squares:
    return (b - a).mean(axis=1) ** 2


def _unpaired(a: Float64[ndarray, "draws pairs"], b: Float64[ndarray, "draws pairs"]) -> _Squares:
    return a.var(axis=1, ddof=1) + b.var(axis=1, ddof=1)


def _factor(whole: float, without: Float64[ndarray, " pairs"], confidence: float) -> Estimate:
    if not (math.isfinite(whole) and np.isfinite(without).all()):
        return Estimate(value=math.nan, low=0.0, high=math.inf)
    pairs = len(without)
    error = math.sqrt((pairs - 1) / pairs * float(((without - without.mean()) ** 2).sum()))
    half = float(scipy.special.stdtrit(pairs - 1, (1 + confidence) / 2)) * error
    with np.errstate(over="ignore"):
        low, value, high = (float(np.exp(end)) for end in (whole - half, whole, whole + half))
    return Estimate(value=value, low=low, high=high)
