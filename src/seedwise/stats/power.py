"""How many runs a difference needs, and what difference a number of runs can show.

Standard deviations, differences and margins are in the metric's units, accuracies as fractions.
Power is that of the t test at its exact distribution, for normal values.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, gammaincinv, nctdtr, ndtr, stdtrit

from seedwise.errors import ConfigError

__all__ = [
    "MOST_RUNS",
    "Noise",
    "equivalence_power",
    "power",
    "reachable_difference",
    "runs_needed",
    "sd_upper",
]

MOST_RUNS = 100_000
"""A difference that needs more runs than this is said to be out of reach."""

_SURE = 0.80
"""Confidence of the upper bound of a pilot's standard deviation: Browne (1995) found that planning
with it reaches the power asked for about as often as it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How much a metric varies from run to run.

    Attributes:
        sd: Standard deviation over the seeds of a setup, ddof 1, above 0.
        r: Correlation of the runs of two setups with the same seed, in [-1, 1); None for unpaired
            runs.
    """

    sd: float
    r: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.sd < math.inf:
            raise ConfigError(f"a standard deviation must be above 0, got {self.sd}")
        if self.r is not None and not -1 <= self.r < 1:
            raise ConfigError(f"r must be from -1 to below 1, got {self.r}")

    def error(self, runs: int) -> float:
        """The standard error of the difference of two setups with so many runs each."""
        shared = 0.0 if self.r is None else self.r
        return self.sd * math.sqrt(2 * (1 - shared) / runs)

    def freedom(self, runs: int) -> int:
        """The degrees of freedom of its estimate: pairs less 1, or runs less 2."""
        return 2 * (runs - 1) if self.r is None else runs - 1


def power(difference: float, runs: int, noise: Noise, *, alpha: float = 0.05) -> float:
    """The chance that a two-sided t test finds a difference.

    Welch's test for unpaired runs (with equal variances it is Student's but for a hair), the
    paired t test for paired ones.

    Args:
        difference: The true difference.
        runs: Runs of each setup, 2 or more.
        noise: How much runs vary.
        alpha: Rate of false alarms, in (0, 1).

    Returns:
        The chance of a rejection, on the wrong side included, as is usual.

    Source: Cohen (1988), chapter 2; noncentral t.
    """
    _check(runs, alpha)
    freedom = noise.freedom(runs)
    critical = float(stdtrit(freedom, 1 - alpha / 2))
    shift = abs(difference) / noise.error(runs)
    found = 1 - float(nctdtr(freedom, shift, critical))
    # Beyond 5 the wrong side has a chance below 1e-6, and scipy 1.17 says NaN now and then.
    wrong = float(nctdtr(freedom, shift, -critical)) if shift < 5 else 0.0
    return min(found + wrong, 1.0)


def equivalence_power(
    margin: float, runs: int, noise: Noise, *, difference: float = 0.0, alpha: float = 0.05
) -> float:
    """The chance that two one-sided t tests show a difference to be within a margin.

    Args:
        margin: The margin, above 0.
        runs: Runs of each setup, 2 or more.
        noise: How much runs vary.
        difference: The true difference.
        alpha: Error rate of either test.

    Source: Phillips (1990): normal given the estimated deviation, averaged over its distribution,
    here at the middles of 2,000 equally likely slices.
    """
    _check(runs, alpha)
    freedom, error = noise.freedom(runs), noise.error(runs)
    slices = (np.arange(2000) + 0.5) / 2000
    estimated = np.sqrt(2 * gammaincinv(freedom / 2, slices) / freedom)
    critical = float(stdtrit(freedom, 1 - alpha)) * estimated
    upper = ndtr((margin - difference) / error - critical)
    lower = ndtr((-margin - difference) / error + critical)
    return float(np.maximum(upper - lower, 0).mean())


def runs_needed(chance: Callable[[int], float], wanted: float) -> int | None:
    """The fewest runs of each setup with which a chance is as high as wanted.

    Args:
        chance: Of success by the number of runs; it rises with them.
        wanted: Power, in (0, 1).

    Returns:
        2 or more; None where 100,000 are not enough.

    >>> runs_needed(lambda runs: power(0.005, runs, Noise(sd=0.0035)), 0.8)
    9
    """
    high = 2
    while chance(high) < wanted:
        if high >= MOST_RUNS:
            return None
        high = min(2 * high, MOST_RUNS)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if chance(middle) >= wanted else (middle, high)
    return max(high, 2)


def reachable_difference(
    runs: int, noise: Noise, *, wanted: float = 0.8, alpha: float = 0.05
) -> float:
    """The difference that so many runs of each setup find with the wanted power.

    Args:
        runs: Runs of each setup, 2 or more.
        noise: How much runs vary.
        wanted: Power, in (alpha, 1).
        alpha: Rate of false alarms.
    """
    low, high = 0.0, noise.error(runs)
    while power(high, runs, noise, alpha=alpha) < wanted:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        enough = power(middle, runs, noise, alpha=alpha) >= wanted
        low, high = (low, middle) if enough else (middle, high)
    return high


def sd_upper(sd: float, freedom: int, *, confidence: float = _SURE) -> float:
    """An upper confidence bound of a standard deviation that was estimated from runs.

    Args:
        sd: The estimate, ddof 1.
        freedom: Its degrees of freedom: one less than the runs.
        confidence: Of the bound, in (0, 1).

    Returns:
        Infinity without degrees of freedom.

    >>> round(sd_upper(0.35, 9), 3)
    0.453
    """
    if freedom < 1:
        return math.inf
    return sd * math.sqrt(freedom / float(chdtri(freedom, confidence)))


def _check(runs: int, alpha: float) -> None:
    if runs < 2:
        raise ConfigError(f"a difference needs at least 2 runs of each setup, got {runs}")
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha must be between 0 and 1, got {alpha}")
