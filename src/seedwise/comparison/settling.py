"""How a difference settled, pair by pair."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from seedwise.comparison.contrast import Contrast
from seedwise.comparison.result import Comparison
from seedwise.seeds import Seed
from seedwise.stats.sequential import Decision, Interval

__all__ = ["Settling", "Step", "settled", "settled_by_rule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was known after some pairs.

    Attributes:
        n: Pairs so far.
        seed: Seed of the last of them; None where it is not known.
        own: B - A of that pair.
        so_far: Mean of the pairs so far, with its interval.
    """

    n: int
    seed: Seed | None
    own: float
    so_far: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """The difference of two setups after each pair.

    Attributes:
        a: Name of setup A.
        b: Name of setup B.
        metric: The metric.
        confidence: Coverage of the intervals.
        by_rule: Whether the intervals are a stopping rule's, which hold at all looks together;
            else each stands for itself, and only the last was meant to be looked at.
        margin: The difference that matters, where the metric is accuracy and there is one.
        steps: One for each pair.
    """

    a: str
    b: str
    metric: str
    confidence: float
    by_rule: bool
    margin: float | None
    steps: tuple[Step, ...]


def settled_by_rule(
    a: str, b: str, decision: Decision, metric: str, *, alpha: float, margin: float
) -> Settling:
    """The looks of a stopping rule.

    Args:
        a: The baseline.
        b: The candidate.
        decision: What the rule says of it.
        metric: `accuracy`, or `matched_accuracy` where there are predictions.
        alpha: The rule's rate of false alarms for this candidate.
        margin: The rule's margin, of accuracy.
    """
    found = [look.accuracy if metric == "accuracy" else look.matched for look in decision.trace]
    means = [0.0, *(each.estimate for each in found if each is not None)]
    return Settling(
        a=a,
        b=b,
        metric=metric,
        confidence=1 - alpha,
        by_rule=True,
        margin=margin if metric == "accuracy" else None,
        steps=tuple(
            Step(n=n, seed=None, own=n * means[n] - (n - 1) * means[n - 1], so_far=interval)
            for n, interval in enumerate((each for each in found if each is not None), start=1)
        ),
    )


def settled(found: Comparison, metric: str) -> Settling | None:
    """The pairs of a study with a fixed number of runs, by seed; None where there are none."""
    contrast = found.contrasts[metric]
    if not found.paired:
        return None
    pairs = _pairs(contrast)
    own = np.array([difference for _, difference in pairs])
    return Settling(
        a=found.a.name,
        b=found.b.name,
        metric=metric,
        confidence=found.rule.confidence,
        by_rule=False,
        margin=found.rule.margin if metric == found.margin_metric else None,
        steps=tuple(
            Step(n=n, seed=seed, own=difference, so_far=interval)
            for n, ((seed, difference), interval) in enumerate(
                zip(pairs, _intervals(own, found.rule.confidence), strict=True), start=1
            )
        ),
    )


def _pairs(contrast: Contrast) -> list[tuple[Seed, float]]:
    of_a = dict(zip(contrast.seeds_a, contrast.values_a, strict=True))
    of_b = dict(zip(contrast.seeds_b, contrast.values_b, strict=True))
    return [(seed, of_b[seed] - of_a[seed]) for seed in sorted(of_a.keys() & of_b.keys())]


def _intervals(own: np.ndarray, confidence: float) -> Sequence[Interval]:
    """Student's t interval of the mean of the first n, for each n; infinite for one."""
    n = np.arange(1, len(own) + 1)
    mean = np.cumsum(own) / n
    squares = np.maximum(np.cumsum(own**2) - n * mean**2, 0.0)
    freedom = np.maximum(n - 1, 1)
    half = stdtrit(freedom, (1 + confidence) / 2) * np.sqrt(squares / freedom / n)
    half[0] = np.inf
    return [
        Interval(estimate=float(m), low=float(m - h), high=float(m + h))
        for m, h in zip(mean, half, strict=True)
    ]
