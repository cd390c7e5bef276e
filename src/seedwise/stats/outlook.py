"""How far from its end a comparison under a stopping rule seems to be."""

import math

import numpy as np

from seedwise.stats.sequential import Decision, Interval, Rule

__all__ = ["HORIZON", "pairs_to_go"]

HORIZON = 1_000
"""Pairs beyond which no number is worth naming."""


def pairs_to_go(rule: Rule, decision: Decision) -> int | None:
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
    signs = [look.accuracy]
    if decision.metric == "matched_accuracy":  # ranked accuracy has to show the sign as well
        signs = [each for each in (look.matched, look.ranked) if each is not None]
    sharp = [_spread(each, n, float(bounds[n - 1])) for each in signs]
    size = _spread(look.accuracy, n, float(bounds[n - 1]))
    if math.isnan(size) or any(map(math.isnan, sharp)):
        return None
    root = np.sqrt(np.arange(1, end + 1))
    clear = np.full(end, len({each.estimate > 0 for each in signs}) == 1)
    for each, spread in zip(signs, sharp, strict=True):
        clear &= abs(each.estimate) > bounds * spread / root
    within = abs(look.accuracy.estimate) + wide * size / root < rule.difference
    later = np.flatnonzero((clear | within)[n:])
    return int(later[0]) + 1 if len(later) else None


def _spread(interval: Interval, n: int, bound: float) -> float:
    """Standard deviation of the differences that an interval was made from; NaN if unknown."""
    half = (interval.high - interval.low) / 2
    return (
        half * math.sqrt(n) / bound if math.isfinite(half) and math.isfinite(bound) else math.nan
    )
