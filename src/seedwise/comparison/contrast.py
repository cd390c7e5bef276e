"""The difference of two setups under one metric, on these images and on new ones."""

from dataclasses import dataclass, replace

import numpy as np
from numpy import ndarray

from seedwise.comparison.measured import Measured, Measurements
from seedwise.comparison.metrics import Metric
from seedwise.comparison.study_runs import shared_rows
from seedwise.errors import StudyError
from seedwise.seeds import Seed
from seedwise.shaped import Bool, Float64, Integer
from seedwise.stats.agreement import Correlation, correlation
from seedwise.stats.intervals import (
    Difference,
    Sample,
    corrected_for_folds,
    paired_difference,
    unpaired_difference,
)
from seedwise.stats.models import difference_of_models
from seedwise.stats.overlap import overlapping_difference
from seedwise.stats.populations import (
    overlapping_on_new_images,
    paired_on_new_images,
    unpaired_on_new_images,
)

__all__ = ["Contrast", "contrast", "shared_seeds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """B against A under one metric.

    Attributes:
        metric: Name of the metric.
        higher_is_better: Which way is up.
        seeds_a: The seeds of A's runs.
        values_a: The metric of each of them, a diverged run at what chance gives.
        seeds_b: The seeds of B's runs.
        values_b: The metric of each of them.
        sample_a: Number, mean and standard deviation of A's runs.
        sample_b: The same of B's.
        difference: B - A with its interval for new seeds on these images.
        new_images: The same for new seeds and new images of the same kind; None where single
            images have no scores.
        correlation: Of the runs of the same seed; None where the seeds are not paired.
        resolution: What one prediction in one run is worth to accuracy; 0 without predictions.
    """

    metric: str
    higher_is_better: bool
    seeds_a: tuple[Seed, ...]
    values_a: tuple[float, ...]
    seeds_b: tuple[Seed, ...]
    values_b: tuple[float, ...]
    sample_a: Sample
    sample_b: Sample
    difference: Difference
    new_images: Difference | None
    correlation: Correlation | None
    resolution: float

    @property
    def advantage(self) -> float:
        """By how much B is better: the difference, turned round where less is better."""
        return self.difference.estimate if self.higher_is_better else -self.difference.estimate

    @property
    def paired_values(self) -> tuple[Float64[ndarray, " pairs"], Float64[ndarray, " pairs"]]:
        """The metric of A's and of B's runs of the seeds that both have, by seed."""
        rows_a, rows_b = shared_rows(self.seeds_a, self.seeds_b)
        return np.array(self.values_a)[rows_a], np.array(self.values_b)[rows_b]


def shared_seeds(a: Measurements, b: Measurements) -> tuple[Seed, ...]:
    """The seeds of which both setups have a result, ascending."""
    rows, _ = shared_rows(a.seeds, b.seeds)
    return tuple(a.seeds[row] for row in rows)


def contrast(
    a: Measurements,
    b: Measurements,
    metric: Metric,
    *,
    paired: bool,
    confidence: float,
    diverged: bool = True,
    rest: bool = True,
    models: bool = False,
) -> Contrast:
    """The difference of two setups under a metric.

    Args:
        a: The setup to compare with.
        b: The setup that is compared.
        metric: One of the metrics that both were measured under.
        paired: Compare runs of the same seed.
        confidence: Coverage of the intervals.
        diverged: Count diverged runs, at what chance gives; where that is unknown,
            they are left out in any case.
        rest: Where runs are paired, count those without a partner too.
        models: Where each setup has one run, compare these two models on new examples.

    Raises:
        StudyError: Nothing is left to compare.
    """
    name = str(metric)
    use_a, use_b = (_scored(each, name, diverged) for each in (a, b))
    if not (use_a.any() and use_b.any()):
        missing = b if use_a.any() else a
        raise StudyError(
            f"no run of setup {missing.counts.name!r} has a value of {name}: it is missing or not "
            "finite in all"
        )
    rows_a, rows_b = np.flatnonzero(use_a), np.flatnonzero(use_b)
    values_a, values_b = a.metrics[name].values[rows_a], b.metrics[name].values[rows_b]
    if models:
        paired = False
    pairs = _pairs(a, b, use_a, use_b) if paired else (rows_a, rows_b)
    if a.test_to_train and not paired:
        raise StudyError(
            f"{a.counts.name!r} and {b.counts.name!r} are folds of cross-validations: they are "
            "compared fold by fold, and these share too few; run both on the same folds"
        )
    tables = _tables(a, name), _tables(b, name)
    free = None if a.groups is None else a.groups.freedom
    found, wider = _differences(*tables, pairs, paired, confidence, free)
    alone = np.setdiff1d(rows_a, pairs[0]), np.setdiff1d(rows_b, pairs[1])
    if a.test_to_train:
        found = corrected_for_folds(found, a.test_to_train)
    elif paired and rest and found.freedom and len(alone[0]) + len(alone[1]):
        found, wider = _with_rest(*tables, pairs, alone, confidence, free)
    of_models = _of_models(a, b, name, pairs, confidence) if models else None
    if of_models is not None:
        found, wider = of_models, None
    shared = (a.metrics[name].values[pairs[0]], b.metrics[name].values[pairs[1]])
    return Contrast(
        metric=name,
        # Plans reach no verdict: they take metrics of which nobody knows which way is up.
        higher_is_better=metric.higher_is_better is not False,
        seeds_a=tuple(a.seeds[row] for row in rows_a),
        values_a=tuple(values_a.tolist()),
        seeds_b=tuple(b.seeds[row] for row in rows_b),
        values_b=tuple(values_b.tolist()),
        sample_a=Sample.of(values_a),
        sample_b=Sample.of(values_b),
        difference=found,
        new_images=wider,
        correlation=correlation(*shared, confidence=confidence) if paired else None,
        resolution=0.0 if a.predicted is None else 1 / a.predicted.shape[1],
    )


_Rows = tuple[Integer[ndarray, " _"], Integer[ndarray, " _"]]
"""Rows of runs of A and of B."""


def _tables(setup: Measurements, metric: str) -> Measured:
    """One metric of a setup; of examples in groups, a table of the groups."""
    found = setup.metrics[metric]
    if setup.groups is None or found.images is None:
        return found
    return replace(found, images=setup.groups.tables(found.images))


def _of_models(
    a: Measurements, b: Measurements, metric: str, rows: _Rows, confidence: float
) -> Difference | None:
    """The difference of two runs on new examples; None where single examples have no scores."""
    images = a.metrics[metric].images, b.metrics[metric].images
    if images[0] is None or images[1] is None:
        return None
    one, other = images[0][rows[0][0]], images[1][rows[1][0]]
    return difference_of_models(one, other, groups=a.groups, confidence=confidence)


def _differences(
    a: Measured, b: Measured, rows: _Rows, paired: bool, confidence: float, freedom: float | None
) -> tuple[Difference, Difference | None]:
    """B - A on these images and on new ones, of pairs or of unrelated runs."""
    between, widened = unpaired_difference, unpaired_on_new_images
    if paired:
        between, widened = paired_difference, paired_on_new_images
    found, wider = between(a.values[rows[0]], b.values[rows[1]], confidence=confidence), None
    if a.images is not None and b.images is not None:
        wider = widened(
            a.images[rows[0]], b.images[rows[1]], confidence=confidence, freedom=freedom
        )
    return found, wider


def _with_rest(
    a: Measured,
    b: Measured,
    pairs: _Rows,
    alone: _Rows,
    confidence: float,
    freedom: float | None,
) -> tuple[Difference, Difference | None]:
    """The same of pairs and the runs without a partner together."""
    wider = None
    found = overlapping_difference(
        (a.values[pairs[0]], b.values[pairs[1]]),
        (a.values[alone[0]], b.values[alone[1]]),
        confidence=confidence,
    )
    if a.images is not None and b.images is not None:
        wider = overlapping_on_new_images(
            (a.images[pairs[0]], b.images[pairs[1]]),
            (a.images[alone[0]], b.images[alone[1]]),
            confidence=confidence,
            freedom=freedom,
        )
    return found, wider


def _scored(setup: Measurements, metric: str, diverged: bool) -> Bool[ndarray, " runs"]:
    """Mask of the runs that count."""
    known = np.isfinite(setup.metrics[metric].values)
    return known if diverged else known & ~setup.diverged


def _pairs(
    a: Measurements, b: Measurements, use_a: Bool[ndarray, " _"], use_b: Bool[ndarray, " _"]
) -> _Rows:
    """The rows of the runs whose seed counts in both setups, in the same order."""
    rows_a, rows_b = shared_rows(a.seeds, b.seeds)
    both = use_a[rows_a] & use_b[rows_b]
    if not both.any():
        raise StudyError(
            f"{a.counts.name!r} and {b.counts.name!r} share no seed with a result to pair; "
            "compare them unpaired"
        )
    return rows_a[both], rows_b[both]
