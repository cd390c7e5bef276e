"""Parts of sentences about a metric: values, differences and their intervals."""

import math
from typing import Protocol

from seedwise.stats.catalog import CATALOG

__all__ = [
    "Estimated",
    "amount",
    "count",
    "in_points",
    "level",
    "metric_words",
    "number",
    "open_difference",
    "shift",
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


def in_points(metric: str) -> bool:
    """Whether a metric is a share of the predictions, which is said in points of a hundred."""
    name = metric.partition(":")[0]
    return name in CATALOG and name.endswith("accuracy")


def amount(metric: str, value: float, *, signed: bool = False) -> str:
    """A difference of a metric, with its unit.

    >>> amount("accuracy", 0.00852), amount("loss", -0.0123, signed=True)
    ('0.85 points', '-0.0123')
    """
    text = number(metric, value, signed=signed)
    return f"{text} points" if in_points(metric) else text


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


def level(metric: str, value: float) -> str:
    """The value of a metric.

    >>> level("accuracy", 0.835), level("loss", 0.51239)
    ('83.50 %', '0.5124')
    """
    return f"{number(metric, value)} %" if in_points(metric) else number(metric, value)


def shift(metric: str, found: Estimated) -> str:
    """By how much a metric moved, without signs; for an interval that leaves out 0."""
    way = "higher" if found.estimate > 0 else "lower"
    low, high = sorted((abs(found.low), abs(found.high)))
    return (
        f"{metric_words(metric)} is {amount(metric, abs(found.estimate))} {way} "
        f"(between {number(metric, low)} and {number(metric, high)})"
    )


def open_difference(metric: str, found: Estimated) -> str:
    """By how much a metric differs, with signs."""
    seen = amount(metric, found.estimate, signed=True)
    if math.isinf(found.low):
        return f"{metric_words(metric)} differs by {seen}, and nobody can say how exactly"
    return (
        f"{metric_words(metric)} differs by {seen} "
        f"(between {number(metric, found.low, signed=True)} and "
        f"{number(metric, found.high, signed=True)})"
    )


def number(metric: str, value: float, *, signed: bool = False) -> str:
    """A value without its unit."""
    sign = "+" if signed else ""
    if in_points(metric):
        return f"{round(100 * value, 2) + 0.0:{sign}.2f}"  # + 0.0 makes 0 of -0
    return f"{value + 0.0:{sign}.4g}"


def count(many: int, what: str) -> str:
    """So many of something."""
    return f"{many:,} {what}{'' if many == 1 else 's'}"
