"""Deviations, shares and factors with their intervals, as text for tables and charts of noise."""

import math

from seedwise.figures import spread
from seedwise.stats.variance import Estimate

__all__ = ["deviation_interval", "deviation_with_interval", "factor", "share", "short"]


def deviation_interval(metric: str, found: Estimate) -> str:
    """The interval of a standard deviation of a metric.

    >>> deviation_interval("accuracy", Estimate(value=0.0035, low=0.002, high=0.01))
    '[0.20, 1.00]'
    """
    return f"[{spread(metric, found.low)}, {spread(metric, found.high)}]"


def deviation_with_interval(metric: str, found: Estimate) -> str:
    """A standard deviation of a metric.

    >>> deviation_with_interval("accuracy", Estimate(value=0.0035, low=0.002, high=0.01))
    '0.35 [0.20, 1.00]'
    """
    return f"{spread(metric, found.value)} {deviation_interval(metric, found)}"


def share(found: Estimate) -> str:
    """A share of a whole.

    >>> share(Estimate(value=0.25, low=0.1, high=0.5))
    '25 % [10, 50]'
    """
    if math.isnan(found.value):
        return "-"
    return f"{100 * found.value:.0f} % [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def factor(found: Estimate) -> str:
    """So many times.

    >>> factor(Estimate(value=4.26, low=1.01, high=math.inf))
    '4.3 [1, inf]'
    """
    if math.isnan(found.value):
        return "-"
    return f"{short(found.value)} [{short(found.low)}, {short(found.high)}]"


def short(value: float) -> str:
    """Two digits and no exponent, as far as numbers people meet allow.

    >>> [short(value) for value in (0.0123, 2.34, 234.5, 2345.6, 4.1e-05, math.inf)]
    ['0.012', '2.3', '234', '2346', '4.1e-05', 'inf']
    """
    return f"{value:.0f}" if 100 <= abs(value) < 1e5 else f"{value:.2g}"
