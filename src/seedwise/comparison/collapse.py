"""Runs that collapsed, found among stored runs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy import ndarray

from seedwise.comparison.measured import Measurements
from seedwise.comparison.metrics import Metric
from seedwise.comparison.verdict import SOFT
from seedwise.seeds import Seed
from seedwise.shaped import Bool
from seedwise.stats.collapse import far_from_rest, share_interval

__all__ = [
    "FarRuns",
    "far_runs",
    "without_lost",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FarRuns:
    """The runs of a setup that lie far from its other runs.

    Attributes:
        collapsed: Seeds of those on the worse side.
        ahead: Seeds of those on the better side.
        runs: Finished runs that were looked at.
        low: Lower end of the interval of the share of seeds that collapse.
        high: Its upper end.
    """

    collapsed: tuple[Seed, ...]
    ahead: tuple[Seed, ...]
    runs: int
    low: float
    high: float

    @property
    def seeds(self) -> frozenset[Seed]:
        """All of them."""
        return frozenset(self.collapsed + self.ahead)


def far_runs(
    a: Measurements, b: Measurements, metrics: Mapping[str, Metric], confidence: float
) -> tuple[FarRuns, FarRuns]:
    """The runs of two setups that lie far from the rest.

    Args:
        a: The setup to compare with.
        b: The setup that is compared.
        metrics: What they were measured under, the one that decides first. Accuracy is looked at
            where that one stands for it.
        confidence: Of the intervals of the shares.
    """
    name = next(iter(metrics))
    if name.partition(":")[0] in SOFT and "accuracy" in metrics:
        name = "accuracy"
    known = [np.isfinite(each.metrics[name].values) & ~each.diverged for each in (a, b)]
    values = [each.metrics[name].values[rows] for each, rows in zip((a, b), known, strict=True)]
    grain = 0.0 if a.predicted is None else 1 / a.predicted.shape[1]
    far = far_from_rest(values[0], values[1], grain=grain)
    up = 1 if metrics[name].higher_is_better else -1
    found = [
        _far(each, rows, up * numbers, out, confidence)
        for each, rows, numbers, out in zip((a, b), known, values, far, strict=True)
    ]
    return found[0], found[1]


def without_lost(setup: Measurements, far: FarRuns) -> Measurements:
    """A setup whose far runs are marked as those are that diverged."""
    lost = np.array([seed in far.seeds for seed in setup.seeds], np.bool_)
    return replace(setup, diverged=setup.diverged | lost)


def _far(
    setup: Measurements,
    known: Bool[ndarray, " runs"],
    values: ndarray,
    far: Bool[ndarray, " known"],
    confidence: float,
) -> FarRuns:
    seeds = [seed for seed, has in zip(setup.seeds, known, strict=True) if has]
    middle = np.median(values[~far]) if seeds else 0.0
    outlying = [(seeds[row], values[row] < middle) for row in np.flatnonzero(far)]
    collapsed = tuple(seed for seed, worse in outlying if worse)
    low, high = share_interval(len(collapsed), len(seeds), confidence) if seeds else (0.0, 1.0)
    return FarRuns(
        collapsed=collapsed,
        ahead=tuple(seed for seed, worse in outlying if not worse),
        runs=len(seeds),
        low=low,
        high=high,
    )
