"""Metrics as people read them: accuracies are fractions inside, and points in print."""

import math

__all__ = ["figure", "in_points", "signed", "spread"]

_SHARES = frozenset(
    f"{kind}accuracy" for kind in ("", "class_", "matched_", "ranked_", "smoothed_", "top_")
)
"""The metrics that are fractions of the predictions, and are printed in points."""


def in_points(metric: str) -> bool:
    """Whether a metric is a fraction that is printed as points of a hundred."""
    return metric.partition(":")[0] in _SHARES


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

    >>> signed("accuracy", 0.00351), signed("accuracy", -0.01), signed("cross_entropy", 0.0)
    ('+0.35', '-1.00', '+0')
    """
    if not math.isfinite(value):
        return "-" if math.isnan(value) else f"{value:+}"
    scaled = 100 * value if in_points(metric) else value
    return f"{round(scaled, 2) + 0.0:+.2f}" if in_points(metric) else f"{scaled + 0.0:+.4g}"
