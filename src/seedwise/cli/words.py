"""Numbers as people read them. Accuracy is a fraction everywhere but in print."""

import math
from collections.abc import Sequence
from statistics import fmean, pstdev

__all__ = [
    "clock",
    "count",
    "figure",
    "in_points",
    "last_line",
    "percent",
    "plus_minus",
    "signed",
    "spread",
]

_SHARES = frozenset(("accuracy", "matched_accuracy", "smoothed_accuracy"))
"""The metrics that are fractions of the predictions, and are printed in points."""


def in_points(metric: str) -> bool:
    """Whether a metric is a fraction that is printed as points of a hundred."""
    return metric in _SHARES


def figure(metric: str, value: float) -> str:
    """The value of a metric.

    >>> figure("accuracy", 0.83516), figure("cross_entropy", 0.51239), figure("accuracy", math.nan)
    ('83.52 %', '0.5124', '-')
    """
    if math.isnan(value):
        return "-"
    return f"{100 * value:.2f} %" if in_points(metric) else f"{value:.4g}"


def spread(metric: str, value: float) -> str:
    """A difference or standard deviation of a metric.

    >>> spread("accuracy", 0.00351), spread("accuracy", math.inf)
    ('0.35', 'inf')
    """
    if math.isnan(value):
        return "-"
    return f"{100 * value:.2f}" if in_points(metric) else f"{value:.4g}"


def signed(metric: str, value: float) -> str:
    """A difference of a metric, with its sign.

    >>> signed("accuracy", 0.00351), signed("accuracy", -0.01)
    ('+0.35', '-1.00')
    """
    return f"{'+' if value > 0 else ''}{spread(metric, value)}"


def percent(share: float) -> str:
    """A rate or a confidence, as short as it can be said.

    >>> percent(0.95), percent(0.05 / 3)
    ('95 %', '1.67 %')
    """
    return f"{100 * share:.3g} %"


def plus_minus(metric: str, values: Sequence[float]) -> str:
    """Mean ± standard deviation (ddof 0, as the notebook's) of some values.

    >>> plus_minus("accuracy", [0.83, 0.84]), plus_minus("accuracy", [0.83])
    ('83.50 ± 0.50', '83.00')
    """
    if len(values) < 2:  # one run says nothing of how much runs differ
        return "".join(spread(metric, value) for value in values)
    return f"{spread(metric, fmean(values))} ± {spread(metric, pstdev(values))}"


def clock(seconds: float) -> str:
    """A duration as hours, minutes and seconds.

    >>> clock(17.4), clock(3725)
    ('00:17', '1:02:05')
    """
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes:02}:{whole % 60:02}"


def count(number: int, what: str) -> str:
    """So many of something.

    >>> count(1, "run"), count(1000, "run")
    ('1 run', '1,000 runs')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def last_line(text: str) -> str:
    r"""The last line of a traceback, which says what went wrong.

    >>> last_line("Traceback:\n  line 1\nValueError: no")
    'ValueError: no'
    """
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
