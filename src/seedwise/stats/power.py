"""Number of runs that a difference needs, and difference that a number of runs can show.

Standard deviations, differences and margins are in the metric's units, accuracies as fractions.
Power is that of the t test at its exact distribution, for normal values.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy
from numpy import ndarray

from seedwise.errors import ConfigError
from seedwise.shaped import Float64

__all__ = [
    "MOST_RUNS",
    "Noise",
    "Pilot",
    "equivalence_power",
    "power",
    "reachable_difference",
    "runs_needed",
    "runs_to_show",
    "sd_upper",
]

MOST_RUNS = 100_000
"""A difference that needs more runs than this is said to be out of reach."""

_SURE = 0.80
"""Confidence of the upper bound of a pilot's standard deviation: Browne (1995) found that planning
with it reaches the power asked for about as often as it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Variation of a metric from run to run.

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
    return float(_rejects(np.array([abs(difference) / noise.error(runs)]), freedom, alpha)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """Variation of a difference in the runs that there are.

    Attributes:
        variances: Of the differences of pairs; or of the runs of A and of those of B. ddof 1.
        runs: How many pairs; or runs of A and of B. 2 or more of each.
    """

    variances: tuple[float, ...]
    runs: tuple[int, ...]

    def with_runs(self, runs: int) -> tuple[float, float, float]:
        """The pilot as a study of so many runs of each setup; of more, where there are more.

        Returns:
            The standard error of its difference, the degrees of freedom of its estimate, and
            those of what the pilot says of it (Satterthwaite, 1946).
        """
        counts = [max(runs, have) for have in self.runs]
        parts = [variance / n for variance, n in zip(self.variances, counts, strict=True)]
        freedom, known = (
            sum(parts) ** 2 / sum(p**2 / (n - 1) for p, n in zip(parts, of, strict=True))
            for of in (counts, self.runs)
        )
        return math.sqrt(sum(parts)), freedom, known


def runs_to_show(
    difference: float, pilot: Pilot, *, wanted: float = 0.8, alpha: float = 0.05
) -> int | None:
    """Runs of each setup with which a study shows a difference as often as wanted.

    The standard deviation is that of a pilot, and how little a small one tells of it is allowed
    for: the power is averaged over the standard deviations that the pilot leaves open (those of
    the chi-square distribution of its estimate). With the estimate itself in their place the true
    power of the answer is 57 to 77 % on average after 2 to 5 pairs where 80 % is wanted, and
    with this 79 to 92 %.

    Args:
        difference: The true difference, not 0.
        pilot: How much runs vary.
        wanted: Power, in (alpha, 1).
        alpha: Rate of false alarms.

    Returns:
        2 or more; None where 100,000 are not enough.
    """

    def chance(runs: int) -> float:
        error, freedom, known = pilot.with_runs(runs)
        shifts = abs(difference) / (error * _left_open(known))
        return float(_rejects(shifts, freedom, alpha).mean())

    return runs_needed(chance, wanted)


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
    estimated = 1 / _left_open(freedom, slices=2000)
    critical = float(scipy.special.stdtrit(freedom, 1 - alpha)) * estimated
    upper = scipy.special.ndtr((margin - difference) / error - critical)
    lower = scipy.special.ndtr((-margin - difference) / error + critical)
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
    return sd * math.sqrt(freedom / float(scipy.special.chdtri(freedom, confidence)))


def _rejects(
    shifts: Float64[ndarray, " _"], freedom: float, alpha: float
) -> Float64[ndarray, " _"]:
    """The chance that |t| passes its two-sided bound, by its noncentralities of 0 and above."""
    critical = float(scipy.special.stdtrit(freedom, 1 - alpha / 2))
    found = 1 - scipy.special.nctdtr(freedom, shifts, critical)
    # Beyond 5 the wrong side has a chance below 1e-6, and scipy 1.17 says NaN now and then.
    wrong = np.where(
        shifts < 5, scipy.special.nctdtr(freedom, np.minimum(shifts, 5), -critical), 0.0
    )
    return np.minimum(found + wrong, 1.0)


def _left_open(freedom: float, slices: int = 50) -> Float64[ndarray, " slices"]:
    """By how much a standard deviation exceeds its estimate, in equally likely slices."""
    middles = (np.arange(slices) + 0.5) / slices
    return 1 / np.sqrt(2 * scipy.special.gammaincinv(freedom / 2, middles) / freedom)


def _check(runs: int, alpha: float) -> None:
    if runs < 2:
        raise ConfigError(f"a difference needs at least 2 runs of each setup, got {runs}")
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha must be between 0 and 1, got {alpha}")
