"""The difference of two setups under one metric, on these images and on new ones."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from seedwise.comparison.measured import Measurements
from seedwise.comparison.metrics import Metric
from seedwise.errors import StudyError
from seedwise.seeds import Seed
from seedwise.stats.agreement import Correlation, correlation
from seedwise.stats.intervals import (
    Difference,
    Sample,
    corrected_for_folds,
    paired_difference,
    unpaired_difference,
)
from seedwise.stats.populations import paired_on_new_images, unpaired_on_new_images

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


def shared_seeds(a: Measurements, b: Measurements) -> tuple[Seed, ...]:
    """The seeds of which both setups have a result."""
    return tuple(sorted({*a.seeds} & {*b.seeds}))


def contrast(
    a: Measurements,
    b: Measurements,
    metric: Metric,
    *,
    paired: bool,
    confidence: float,
    diverged: bool = True,
) -> Contrast:
    """The difference of two setups under a metric.

    Args:
        a: The setup to compare with.
        b: The setup that is compared.
        metric: One of the metrics that both were measured under.
        paired: Compare runs of the same seed.
        confidence: Coverage of the intervals.
        diverged: Count diverged runs, at what chance gives; where nobody can say what that is,
            they are left out in any case.

    Raises:
        StudyError: Nothing is left to compare.
    """
    name = str(metric)
    use_a, use_b = (_scored(each, name, diverged) for each in (a, b))
    if not (use_a.any() and use_b.any()):
        missing = b if use_a.any() else a
        raise StudyError(
            f"setup {missing.counts.name!r} has no run that {name} can be told of: it is missing "
            "or not finite in all"
        )
    rows_a, rows_b = np.flatnonzero(use_a), np.flatnonzero(use_b)
    values_a, values_b = a.metrics[name].values[rows_a], b.metrics[name].values[rows_b]
    pairs_a, pairs_b = _pairs(a, b, use_a, use_b) if paired else (rows_a, rows_b)
    if a.test_to_train and not paired:
        raise StudyError(
            f"{a.counts.name!r} and {b.counts.name!r} are folds of cross-validations: they are "
            "compared fold by fold, and these share too few; run both on the same folds"
        )
    between = paired_difference if paired else unpaired_difference
    matched_a, matched_b = a.metrics[name].values[pairs_a], b.metrics[name].values[pairs_b]
    images_a, images_b = a.metrics[name].images, b.metrics[name].images
    wider = None
    if images_a is not None and images_b is not None:
        widened = paired_on_new_images if paired else unpaired_on_new_images
        wider = widened(images_a[pairs_a], images_b[pairs_b], confidence=confidence)
    difference = between(matched_a, matched_b, confidence=confidence)
    if a.test_to_train:
        difference = corrected_for_folds(difference, a.test_to_train)
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
        difference=difference,
        new_images=wider,
        correlation=correlation(matched_a, matched_b, confidence=confidence) if paired else None,
        resolution=0.0 if a.predicted is None else 1 / a.predicted.shape[1],
    )


def _scored(setup: Measurements, metric: str, diverged: bool) -> Bool[ndarray, " runs"]:
    """Which runs count."""
    known = np.isfinite(setup.metrics[metric].values)
    return known if diverged else known & ~setup.diverged


def _pairs(
    a: Measurements, b: Measurements, use_a: Bool[ndarray, " _"], use_b: Bool[ndarray, " _"]
) -> tuple[list[int], list[int]]:
    """The rows of the runs whose seed counts in both setups, in the same order."""
    row_a = {seed: row for row, seed in enumerate(a.seeds) if use_a[row]}
    row_b = {seed: row for row, seed in enumerate(b.seeds) if use_b[row]}
    shared = [seed for seed in row_a if seed in row_b]
    if not shared:
        raise StudyError(
            f"{a.counts.name!r} and {b.counts.name!r} share no seed with a result to pair; "
            "compare them unpaired"
        )
    return [row_a[seed] for seed in shared], [row_b[seed] for seed in shared]
