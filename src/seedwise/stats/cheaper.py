"""By what share one setup costs less than another: a ratio of means, with Fieller's interval."""

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.shaped import Float
from seedwise.stats.intervals import welch_freedom

__all__ = ["Saving", "saving_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """The share by which B's mean cost is below A's.

    Attributes:
        estimate: 1 - mean of B / mean of A; below 0 where B costs more.
        low: Lower end of the interval of confidence 1 - 2 alpha; -inf where it has none.
        high: Upper end; inf likewise.
        wanted: The share that was asked for.
        p_value: One-sided, for a saving of the share or less: small means that it is more.
    """

    estimate: float
    low: float
    high: float
    wanted: float
    p_value: float


def saving_of(
    a: Float[ndarray, " runs_a"],
    b: Float[ndarray, " runs_b"],
    *,
    wanted: float,
    paired: bool,
    alpha: float,
) -> Saving:
    """Test whether B costs less than A by more than a share.

    With r = 1 - wanted the test is Student's of the mean of b - r a, over pairs, or Welch's of
    unrelated runs. The interval holds the ratios at which that test shows nothing.

    Args:
        a: Cost of each run of A, above 0.
        b: Cost of each run of B; of the same seeds in one order where paired.
        wanted: The share, in [0, 1).
        paired: Whether runs of the same seed are compared.
        alpha: Error rate of the claim.

    Returns:
        The saving. One run of a setup shows nothing. Costs that do not vary at all, as numbers of
        parameters don't, are taken as exact.

    Raises:
        DataError: A cost is not above 0, or not finite.

    Source: Fieller (1954).

    >>> found = saving_of(np.array([10.0, 11, 12]), np.array([7.0, 8, 8]), wanted=0.1, paired=True,
    ...     alpha=0.05)
    >>> f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}] p={found.p_value:.4f}"
    '0.303 [0.244, 0.353] p=0.0079'
    """
    both = np.concatenate([a, b])
    wrong = both[~(np.isfinite(both) & (both > 0))]
    if not len(a) or not len(b) or len(wrong):
        got = f"{wrong[0]:g}" if len(wrong) else "none"
        raise DataError(f"costs must be numbers above 0 in every run, got {got}")
    means, ratio = (float(a.mean()), float(b.mean())), 1 - wanted
    estimate = 1 - means[1] / means[0]
    if min(len(a), len(b)) < 2:
        nothing = {"low": -math.inf, "high": math.inf, "p_value": 1.0}
        return Saving(estimate=estimate, wanted=wanted, **nothing)
    parts = np.array([float(each.var(ddof=1)) / len(each) for each in (a, b)])
    together = float(np.cov(a, b)[0, 1]) / len(a) if paired else 0.0
    variance = parts[1] + ratio**2 * parts[0] - 2 * ratio * together
    excess = means[1] - ratio * means[0]
    if variance <= 1e-24 * means[0] ** 2:
        exact = 0.0 if excess < 0 else 1.0
        return Saving(estimate=estimate, low=estimate, high=estimate, wanted=wanted, p_value=exact)
    freedom = float(len(a) - 1)
    if not paired:
        freedom = welch_freedom(parts * np.array([ratio**2, 1.0]), (len(a), len(b)))
    low, high = _fieller(
        means, parts, together, float(scipy.special.stdtrit(freedom, 1 - alpha)) ** 2
    )
    return Saving(
        estimate=estimate,
        low=1 - high,
        high=1 - low,
        wanted=wanted,
        p_value=float(scipy.special.stdtr(freedom, excess / math.sqrt(variance))),
    )


def _fieller(
    means: tuple[float, float], parts: Float[ndarray, " 2"], together: float, t: float
) -> tuple[float, float]:
    """The ratios that Student's test at t (a square) does not deny; infinite where all are."""
    square = means[0] ** 2 - t * parts[0]
    middle = means[0] * means[1] - t * together
    rest = middle**2 - square * (means[1] ** 2 - t * parts[1])
    if square <= 0 or rest < -1e-9 * middle**2:  # less is rounding, of costs that keep a ratio
        return -math.inf, math.inf
    root = math.sqrt(max(0.0, rest))
    return (middle - root) / square, (middle + root) / square
