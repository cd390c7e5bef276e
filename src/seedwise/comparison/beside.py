"""Figures beside a verdict: how often B wins, sign flips, churn, and how many runs would do."""

from collections.abc import Mapping, Sequence

import numpy as np

from seedwise.comparison.contrast import Contrast
from seedwise.comparison.measured import Measurements
from seedwise.comparison.result import Churn
from seedwise.comparison.study_runs import shared_rows
from seedwise.stats.agreement import (
    ChanceOfBetter,
    chance_of_better,
    churn_between,
    churn_within,
)
from seedwise.stats.intervals import LARGE, MOST_FLIPPED, sign_flip_p
from seedwise.stats.power import Pilot, runs_to_show

__all__ = ["chance", "churn", "runs_for_seen", "sign_flip"]


def chance(found: Contrast) -> ChanceOfBetter:
    """The chance that a run of B beats a run of A, under the metric of a contrast."""
    difference = found.difference
    return chance_of_better(
        *_values(found), paired=difference.paired, confidence=difference.confidence
    )


def sign_flip(found: Contrast) -> float | None:
    """The p-value of the sign-flip test; None unpaired, and for too many pairs."""
    if not found.difference.paired or found.difference.n_a > MOST_FLIPPED:
        return None
    a, b = _values(found)
    return sign_flip_p(b - a)


def churn(a: Measurements, b: Measurements) -> Churn | None:
    """The share of predictions that differ; None without predictions."""
    if a.predicted is None or b.predicted is None or a.from_scores != b.from_scores:
        return None
    rows_a, rows_b = shared_rows(a.finished_seeds, b.finished_seeds)
    return Churn(
        pairs=churn_between(a.predicted[rows_a], b.predicted[rows_b]),
        within_a=churn_within(a.predicted),
        within_b=churn_within(b.predicted),
        from_scores=a.from_scores,
    )


def runs_for_seen(
    contrasts: Mapping[str, Contrast], ways: Sequence[Mapping[str, float]], level: float
) -> int | None:
    """Runs of each setup for 80 % power at the difference and the spread that were seen.

    Args:
        contrasts: B against A, by metric.
        ways: Each way to show it: metrics that all have to, and at which multiple of the level.
        level: The p-value, uncorrected, at which it is shown.

    Returns:
        The runs of the shortest way; None where no number can be said.
    """
    found = list[int]()
    for way in ways:
        runs = [_runs_to_show(contrasts[name], share * level) for name, share in way.items()]
        known = [each for each in runs if each is not None]
        if len(known) == len(runs):
            found.append(max(known))
    return min(found, default=None)


def _runs_to_show(found: Contrast, level: float) -> int | None:
    difference = found.difference
    size = abs(difference.estimate)
    if difference.freedom == 0 or not 0 < size < LARGE:  # beyond it squares overflow
        return None
    return runs_to_show(difference.estimate, _pilot(found), alpha=level)


def _values(found: Contrast) -> tuple[np.ndarray, np.ndarray]:
    """The runs of A and of B, higher better; those of shared seeds in one order where paired."""
    a, b = np.array(found.values_a), np.array(found.values_b)
    if found.difference.paired:
        a, b = found.paired_values
    return (a, b) if found.higher_is_better else (-a, -b)


def _pilot(found: Contrast) -> Pilot:
    if found.difference.paired:
        a, b = _values(found)
        return Pilot(variances=(float((b - a).var(ddof=1)),), runs=(len(a),))
    samples = (found.sample_a, found.sample_b)
    return Pilot(variances=tuple(s.sd**2 for s in samples), runs=tuple(s.n for s in samples))
