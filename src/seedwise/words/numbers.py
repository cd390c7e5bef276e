"""Values, differences, deviations and shares with their intervals, as text."""

import math
import re
from typing import Protocol

from seedwise import figures
from seedwise.stats.catalog import CATALOG
from seedwise.stats.directions import direction_words
from seedwise.stats.variance import Estimate
from seedwise.stats.views import ViewShare

__all__ = [
    "Estimated",
    "amount",
    "deviation_interval",
    "deviation_with_interval",
    "factor",
    "metric_words",
    "open_difference",
    "pointing",
    "share",
    "shift",
    "short",
    "views_saving",
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


def amount(metric: str, value: float, *, signed: bool = False, digits: int | None = None) -> str:
    """A difference of a metric, with its unit, to as many decimals as `places` says.

    >>> amount("accuracy", 0.00852), amount("loss", -0.0123, signed=True)
    ('0.85 points', '-0.0123')
    """
    told = figures.signed if signed else figures.spread
    text = told(metric, value, digits)
    return f"{text} points" if figures.in_points(metric) else text


def metric_words(metric: str) -> str:
    """A metric's name as it stands in a sentence.

    >>> metric_words("matched_accuracy"), metric_words("smoothed_accuracy:beta=10")
    ('matched accuracy', 'smoothed accuracy (beta=10)')
    >>> metric_words("accuracy:views=16")
    'accuracy over 16 views'
    """
    name, _, settings = metric.partition(":")
    if name not in CATALOG:
        return metric
    parts = settings.split(",") if settings else []
    views = [part.partition("=")[2] for part in parts if re.fullmatch(r"views=\d+", part)]
    others = ",".join(part for part in parts if part != f"views={views[0]}") if views else settings
    words = name.replace("_", " ") + (f" ({others})" if others else "")
    return f"{words} over {views[0]} views" if views else words


def pointing(metric: str, higher_is_better: bool) -> str:
    """Direction of a metric, where a reader could doubt it: of all but accuracies.

    >>> pointing("wer", False), pointing("accuracy", True)
    ('lower is better', '')
    """
    return "" if figures.in_points(metric) else direction_words(higher_is_better)


def shift(metric: str, found: Estimated, sure: str, rests: str) -> str:
    """By how much a metric moved, without signs; for an interval that leaves out 0.

    Args:
        metric: The metric.
        found: The difference.
        sure: The coverage of its interval, as text.
        rests: What else is to be said of it: the runs that it rests on. May be empty.
    """
    way = "higher" if found.estimate > 0 else "lower"
    digits = figures.places(metric, found.low, found.high)
    low, high = (
        figures.spread(metric, e, digits) for e in sorted((abs(found.low), abs(found.high)))
    )
    return (
        f"{metric_words(metric)} is {amount(metric, abs(found.estimate), digits=digits)} {way} "
        f"({_told(f'{sure} interval {low} to {high}', rests)})"
    )


def open_difference(metric: str, found: Estimated, sure: str, rests: str) -> str:
    """By how much a metric differs, with signs; the rest as in `shift`."""
    digits = figures.places(metric, found.low, found.high)
    seen = amount(metric, found.estimate, signed=True, digits=digits)
    said = f"{metric_words(metric)} differs by {seen}"
    if math.isinf(found.low):
        return f"{said} ({_told('no interval yet', rests)})"
    low, high = (figures.signed(metric, end, digits) for end in (found.low, found.high))
    return f"{said} ({_told(f'{sure} interval {low} to {high}', rests)})"


def _told(ends: str, rests: str) -> str:
    return f"{ends}, {rests}" if rests else ends


def with_interval(metric: str, found: Estimated, unit: str = "") -> str:
    """A difference with its interval, and its unit if there is one to say.

    >>> from seedwise.stats.decision import Interval
    >>> with_interval("accuracy", Interval(estimate=0.01, low=0.004, high=0.016))
    '+1.00 [+0.40, +1.60]'
    >>> with_interval("accuracy", Interval(estimate=0.01, low=-math.inf, high=math.inf))
    '+1.00, no interval'
    """
    if math.isinf(found.low) and math.isinf(found.high):
        return f"{figures.signed(metric, found.estimate)}{unit and f' {unit}'}, no interval"
    ends = figures.interval(metric, found.low, found.high)
    digits = figures.places(metric, found.low, found.high)
    return f"{figures.signed(metric, found.estimate, digits)} {ends}{unit and f' {unit}'}"


def deviation_interval(metric: str, found: Estimate) -> str:
    """The interval of a standard deviation of a metric.

    >>> deviation_interval("accuracy", Estimate(value=0.0035, low=0.002, high=0.01))
    '[0.20, 1.00]'
    """
    return f"[{figures.spread(metric, found.low)}, {figures.spread(metric, found.high)}]"


def deviation_with_interval(metric: str, found: Estimate) -> str:
    """A standard deviation of a metric.

    >>> deviation_with_interval("accuracy", Estimate(value=0.0035, low=0.002, high=0.01))
    '0.35 [0.20, 1.00]'
    """
    return f"{figures.spread(metric, found.value)} {deviation_interval(metric, found)}"


def share(found: Estimate) -> str:
    """A share of a whole.

    >>> share(Estimate(value=0.25, low=0.1, high=0.5))
    '25 % [10, 50]'
    """
    if math.isnan(found.value):
        return "-"
    return f"{100 * found.value:.0f} % [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def views_saving(found: ViewShare, unit: str) -> str:
    """The runs that more views of each image take, of those that two take.

    >>> views_saving(ViewShare(views=16, runs=14, measured=False,
    ...     share=Estimate(value=0.604, low=0.45, high=0.82)), "pairs")
    '16 views: about 60 % [45, 82] of the pairs'
    """
    about = "" if found.measured else "about "
    return f"{found.views} views: {about}{share(found.share)} of the {unit}"


_NO_FACTOR = 1e6
"""Beyond a million times it means nothing: one pair of the few makes a difference of 0."""


def factor(found: Estimate) -> str:
    """So many times.

    >>> factor(Estimate(value=4.26, low=1.01, high=math.inf))
    '4.3 [1, inf]'
    >>> factor(Estimate(value=2.3, low=7.7e-61, high=6.7e60))
    '2.3 [0, inf]'
    """
    if math.isnan(found.value):
        return "-"
    low = 0.0 if found.low < 1 / _NO_FACTOR else found.low
    high = math.inf if found.high > _NO_FACTOR else found.high
    return f"{short(found.value)} [{short(low)}, {short(high)}]"


def short(value: float) -> str:
    """Two digits and no exponent, as far as numbers people meet allow.

    >>> [short(value) for value in (0.0123, 2.34, 234.5, 2345.6, 4.1e-05, math.inf)]
    ['0.012', '2.3', '234', '2346', '4.1e-05', 'inf']
    """
    return f"{value:.0f}" if 100 <= abs(value) < 1e5 else f"{value:.2g}"
