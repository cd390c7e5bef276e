"""Parts of sentences about a metric: values, differences and their intervals."""

import math
from typing import Protocol

from seedwise import figures
from seedwise.stats.catalog import CATALOG
from seedwise.stats.directions import direction_words

__all__ = [
    "Estimated",
    "amount",
    "metric_words",
    "open_difference",
    "pointing",
    "shift",
    "with_interval",
]


class Estimated(Protocol):
    """An estimate with its interval."""

    @property
    def estimate(self) -> float:
        """The estimate."""
        ...

    @property
    def low(self) -> float:
        """The lower end."""
        ...

    @property
    def high(self) -> float:
        """The upper end."""
        ...


def amount(metric: str, value: float, *, signed: bool = False) -> str:
    """A difference of a metric, with its unit.

    >>> amount("accuracy", 0.00852), amount("loss", -0.0123, signed=True)
    ('0.85 points', '-0.0123')
    """
    text = figures.signed(metric, value) if signed else figures.spread(metric, value)
    return f"{text} points" if figures.in_points(metric) else text


def metric_words(metric: str) -> str:
    """A metric's name as it stands in a sentence.

    >>> metric_words("matched_accuracy"), metric_words("smoothed_accuracy:beta=10")
    ('matched accuracy', 'smoothed accuracy (beta=10)')
    """
    name, _, settings = metric.partition(":")
    if name not in CATALOG:
        return metric
    words = name.replace("_", " ")
    return f"{words} ({settings})" if settings else words


def pointing(metric: str, higher_is_better: bool) -> str:
    """Which way a metric points, where a reader could doubt it: of all but accuracies.

    >>> pointing("wer", False), pointing("accuracy", True)
    ('lower is better', '')
    """
    return "" if figures.in_points(metric) else direction_words(higher_is_better)


def shift(metric: str, found: Estimated) -> str:
    """By how much a metric moved, without signs; for an interval that leaves out 0."""
    way = "higher" if found.estimate > 0 else "lower"
    low, high = sorted((abs(found.low), abs(found.high)))
    return (
        f"{metric_words(metric)} is {amount(metric, abs(found.estimate))} {way} "
        f"(between {figures.spread(metric, low)} and {figures.spread(metric, high)})"
    )


def open_difference(metric: str, found: Estimated) -> str:
    """By how much a metric differs, with signs."""
    seen = amount(metric, found.estimate, signed=True)
    if math.isinf(found.low):
        return f"{metric_words(metric)} differs by {seen}, and nobody can say how exactly"
    return (
        f"{metric_words(metric)} differs by {seen} "
        f"(between {figures.signed(metric, found.low)} and {figures.signed(metric, found.high)})"
    )


def with_interval(metric: str, found: Estimated) -> str:
    """A difference with its interval, without a unit.

    >>> from seedwise.stats.decision import Interval
    >>> with_interval("accuracy", Interval(estimate=0.01, low=0.004, high=0.016))
    '+1.00 [+0.40, +1.60]'
    """
    ends = figures.interval(metric, found.low, found.high)
    return f"{figures.signed(metric, found.estimate)} {ends}"
