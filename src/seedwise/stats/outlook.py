"""Distance of a comparison under a stopping rule from its likely end."""

import math

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from seedwise.stats.sequential import Decision, Interval, SequentialRule
from seedwise.stats.signs import ALONE, WITH_SOFT

__all__ = ["HORIZON", "pairs_to_go"]

HORIZON = 1_000
"""Pairs beyond which no number is worth naming."""


def pairs_to_go(rule: SequentialRule, decision: Decision) -> int | None:
    """Pairs after which a rule would decide, were means and spreads to stay as they are.

    A plain extrapolation, for a person who waits: the noise of the means is left out, so that the
    true number is often half or twice as large. No verdict may rest on it.

    Args:
        rule: The rule of one comparison.
        decision: What it said at its last look, of which there was one.

    Returns:
        1 or more; None below three pairs, without spread, and where no verdict would come before
        the cap, or before `HORIZON` pairs.
    """
    look, n = decision.trace[-1], decision.n
    end = rule.max_pairs or n + HORIZON
    bounds, wide = rule.bounds(end, rule.alpha), rule.bounds(end, 2 * rule.alpha)
    root = np.sqrt(np.arange(1, end + 1))

    def spread(interval: Interval) -> float:
        return _spread(interval, n, float(bounds[n - 1]))

    def clear(interval: Interval, level: float) -> Bool[ndarray, " pairs"]:
        half = rule.bounds(end, level * rule.alpha) * spread(interval) / root
        return abs(interval.estimate) > half

    softs = [each for each in (look.matched, look.ranked) if each is not None]
    if any(math.isnan(spread(each)) for each in (look.accuracy, *softs)):
        return None
    within = abs(look.accuracy.estimate) + wide * spread(look.accuracy) / root < rule.difference
    shown = clear(look.accuracy, ALONE if softs else 1.0)
    if softs and len({each.estimate > 0 for each in (look.accuracy, *softs)}) == 1:
        together = [clear(each, 1.0) for each in softs] + [clear(look.accuracy, WITH_SOFT)]
        shown |= np.logical_and.reduce(together)
    later = np.flatnonzero((shown | within)[n:])
    return int(later[0]) + 1 if len(later) else None


def _spread(interval: Interval, n: int, bound: float) -> float:
    """Standard deviation of the differences that an interval was made from; NaN if unknown."""
    half = (interval.high - interval.low) / 2
    return (
        half * math.sqrt(n) / bound if math.isfinite(half) and math.isfinite(bound) else math.nan
    )
