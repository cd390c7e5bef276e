"""The settling of a difference, pair by pair."""

from collections.abc import Iterator
from dataclasses import dataclass

from seedwise.comparison.contrast import Contrast
from seedwise.comparison.result import ComparisonValues
from seedwise.comparison.study_runs import shared_rows
from seedwise.seeds import Seed
from seedwise.stats.intervals import paired_so_far
from seedwise.stats.moments import Moments
from seedwise.stats.sequential import Decision, Interval

__all__ = ["Settling", "Step", "settled", "settled_by_rule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Difference after some pairs.

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
        confidence: Coverage of the intervals: a stopping rule's hold at all looks together, others
            each by itself.
        margin: The difference that matters, where the metric is accuracy and there is one.
        steps: One for each pair.
        alone: Runs without a partner, which no step counts and a verdict of fixed runs does.
    """

    a: str
    b: str
    metric: str
    confidence: float
    margin: float | None
    steps: tuple[Step, ...]
    alone: int = 0


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
    size = metric == decision.judged
    found = [look.accuracy if size else look.matched for look in decision.trace]
    means = [0.0, *(each.estimate for each in found if each is not None)]
    return Settling(
        a=a,
        b=b,
        metric=metric,
        confidence=1 - alpha,
        margin=margin if size else None,
        steps=tuple(
            Step(n=n, seed=None, own=n * means[n] - (n - 1) * means[n - 1], so_far=interval)
            for n, interval in enumerate((each for each in found if each is not None), start=1)
        ),
    )


def settled(found: ComparisonValues, metric: str) -> Settling | None:
    """The pairs of a study with a fixed number of runs, by seed; None where there are none."""
    contrast = found.contrasts[metric]
    if not found.paired:
        return None
    return Settling(
        a=found.a.name,
        b=found.b.name,
        metric=metric,
        confidence=found.rule.confidence,
        margin=found.rule.margin if metric == found.margin_metric else None,
        steps=tuple(_steps(contrast, found.rule.confidence)),
        alone=len({*contrast.seeds_a} ^ {*contrast.seeds_b}),
    )


def _steps(contrast: Contrast, confidence: float) -> Iterator[Step]:
    seen = Moments()
    for row_a, row_b in zip(*shared_rows(contrast.seeds_a, contrast.seeds_b), strict=True):
        seed, own = contrast.seeds_a[row_a], contrast.values_b[row_b] - contrast.values_a[row_a]
        seen.add(own)
        found = paired_so_far(seen, confidence=confidence)
        so_far = Interval(estimate=found.estimate, low=found.low, high=found.high)
        yield Step(n=seen.n, seed=seed, own=own, so_far=so_far)
