"""Runs that collapsed: found among stored runs, and put in words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from seedwise.comparison.measured import Measurements
from seedwise.comparison.metrics import Metric
from seedwise.comparison.phrases import open_difference
from seedwise.comparison.verdict import SOFT
from seedwise.figures import count, percent
from seedwise.seeds import Seed
from seedwise.stats.collapse import far_from_rest, share_interval, unseen_share

if TYPE_CHECKING:
    from seedwise.comparison.result import Comparison

__all__ = [
    "FarRuns",
    "collapse_note",
    "collapse_sentence",
    "far_runs",
    "lost_words",
    "without_lost",
    "without_sentence",
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


def lost_words(found: "Comparison") -> str:
    """What the runs are called that a verdict must not rest on."""
    kinds = {
        "diverged": found.a.diverged or found.b.diverged,
        "collapsed": found.far_a.collapsed or found.far_b.collapsed,
        "outlying": found.far_a.ahead or found.far_b.ahead,
    }
    return f"{' and '.join(kind for kind, some in kinds.items() if some)} runs"


def collapse_sentence(found: "Comparison") -> str:
    """Which runs collapsed, and in what share of its seeds a setup does; empty where none did."""
    said = []
    for setup, far in ((found.a, found.far_a), (found.b, found.far_b)):
        if far.collapsed:
            said.append(
                f"{len(far.collapsed)} of {count(far.runs, 'run')} of {setup.name} collapsed: "
                f"{_seeds(far.collapsed)} (between {percent(round(far.low, 3))} and "
                f"{percent(round(far.high, 3))} of its seeds do)."
            )
        if far.ahead:
            said.append(
                f"{len(far.ahead)} of {count(far.runs, 'run')} of {setup.name} got far better "
                f"results than the rest: {_seeds(far.ahead)}."
            )
    return " ".join(said)


def without_sentence(found: "Comparison") -> str:
    """The verdict without the runs that collapsed; empty where none did."""
    verdict, main = found.verdict_without_diverged, found.without_diverged
    if not (found.far_a.seeds or found.far_b.seeds) or verdict is None or main is None:
        return ""
    a, b = found.a.name, found.b.name
    claim = {
        "equivalent": f"{b} and {a} are equivalent",
        "undecided": f"{b} can't be told from {a}",
    }.get(verdict.outcome, f"{b} is {verdict.outcome} than {a}")
    size = open_difference(main.metric, main.difference)
    return f"Without the {lost_words(found)} {claim}: {size}."


def collapse_note(found: "Comparison") -> str:
    """How rare collapses may be without having been seen; empty where some were."""
    if found.a.diverged or found.b.diverged or found.far_a.seeds or found.far_b.seeds:
        return ""
    runs = min(found.far_a.runs, found.far_b.runs)
    if not runs:
        return ""
    unit = "pair" if found.paired else "run"
    share = percent(round(unseen_share(runs, found.rule.confidence), 2 if runs < 30 else 3))
    return (
        f"No run collapsed, but {count(runs, unit)} can't exclude collapses in up to {share} of "
        "the seeds; the verdict is about runs that do not collapse."
    )


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


def _seeds(seeds: tuple[Seed, ...]) -> str:
    some = ", ".join(map(str, seeds[:8])) + (", ..." if len(seeds) > 8 else "")
    return f"seed {some}" if len(seeds) == 1 else f"seeds {some}"
