"""Tests of equivalence and of non-inferiority against a margin."""

import math
from dataclasses import dataclass

import scipy

from seedwise.errors import DataError
from seedwise.stats.intervals import Difference

__all__ = ["Equivalence", "equivalence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """Two one-sided t tests of a difference against a margin (TOST).

    Attributes:
        margin: The largest difference that does not matter, above 0.
        p_value: For a difference of the margin or more, either way: small means equivalent.
        p_not_worse: For B worse than A by the margin or more: small means not worse.
        low: Lower end of the interval of confidence 1 - 2 alpha that decides equivalence at alpha.
        high: Its upper end.
        alpha: The error rate of either claim.
    """

    margin: float
    p_value: float
    p_not_worse: float
    low: float
    high: float
    alpha: float

    @property
    def equivalent(self) -> bool:
        """True if the difference is shown to be within the margin."""
        return self.p_value < self.alpha

    @property
    def not_worse(self) -> bool:
        """True if B is shown to be worse by less than the margin, if at all (non-inferior)."""
        return self.p_not_worse < self.alpha


def equivalence(difference: Difference, margin: float) -> Equivalence:
    """Test if a difference is within a margin, and if B is worse by less than it.

    Args:
        difference: Of a metric of which higher is better, with its error.
        margin: The largest difference that does not matter, in the metric's units, above 0.

    Returns:
        p-values of 1 where the difference has no finite error.

    Raises:
        DataError: The margin is not above 0.

    Source: Schuirmann (1987): the larger of the two one-sided p-values.
    """
    if not 0 < margin < math.inf:
        raise DataError(f"a margin must be a number above 0, got {margin}")
    if math.isinf(difference.error):
        p_above, p_below, half = 1.0, 1.0, math.inf
    else:
        error, freedom = difference.error, difference.freedom
        p_above = float(scipy.special.stdtr(freedom, -(difference.estimate + margin) / error))
        p_below = float(scipy.special.stdtr(freedom, (difference.estimate - margin) / error))
        half = float(scipy.special.stdtrit(freedom, difference.confidence)) * error
    return Equivalence(
        margin=margin,
        p_value=max(p_above, p_below),
        p_not_worse=p_above,
        low=difference.estimate - half,
        high=difference.estimate + half,
        alpha=difference.alpha,
    )
