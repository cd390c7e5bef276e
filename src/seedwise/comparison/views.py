"""Savings by more views of each image, as far as stored runs can tell them."""

import numpy as np

from seedwise.comparison.measured import Measurements
from seedwise.comparison.metrics import is_over_views
from seedwise.comparison.study_runs import shared_rows
from seedwise.crops import VIEW_COUNTS
from seedwise.stats.catalog import BuiltInMetric
from seedwise.stats.views import ViewShare, foreseen_share, measured_share

__all__ = ["share_of_pairs", "share_of_runs"]

_MOST = max(VIEW_COUNTS)


def share_of_pairs(a: Measurements, b: Measurements, confidence: float) -> ViewShare | None:
    """The share of the pairs that accuracy over more views takes, or would take.

    It is measured where the runs have more views than two, and else foreseen from two.

    Returns:
        None where too few pairs finished, or where no more views can be made.
    """
    if a.right is None or b.right is None:
        return None
    rows_a, rows_b = shared_rows(a.finished_seeds, b.finished_seeds)
    over = _over_most(a)
    if over is None:
        apart = b.right[rows_b].astype(np.int8) - a.right[rows_a]
        return foreseen_share(apart, views=_MOST, confidence=confidence)
    few, many = (
        b.finished_values(name)[rows_b] - a.finished_values(name)[rows_a]
        for name in ("accuracy", over)
    )
    return measured_share(few, many, views=_views(over), confidence=confidence)


def share_of_runs(setup: Measurements, confidence: float) -> ViewShare | None:
    """The same of a setup by itself: of the variance between its runs."""
    if setup.right is None:
        return None
    over = _over_most(setup)
    if over is None:
        return foreseen_share(setup.right.astype(np.int8), views=_MOST, confidence=confidence)
    few, many = (setup.finished_values(name) for name in ("accuracy", over))
    return measured_share(few, many, views=_views(over), confidence=confidence)


def _over_most(setup: Measurements) -> str | None:
    """The accuracy over the most views that a setup was measured under."""
    return max(filter(is_over_views, setup.metrics), key=_views, default=None)


def _views(metric: str) -> int:
    return BuiltInMetric.parse(metric).view_count or 0
