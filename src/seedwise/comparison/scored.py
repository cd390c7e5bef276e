"""Stored runs under every metric whose noise is looked at, and image by image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16, Float32, Float64, Int64
from numpy import ndarray

from seedwise.comparison.study_runs import StudyRuns
from seedwise.comparison.values import logits_in_chunks
from seedwise.stats.catalog import BuiltInMetric
from seedwise.stats.images import flip_rates
from seedwise.store import StoredRepeat, StoredRun

__all__ = ["NOISE_METRICS", "Scored", "metric_names", "repeat_values", "score"]

NOISE_METRICS = (
    "accuracy",
    "accuracy:views=original",
    "smoothed_accuracy:beta=1",
    "smoothed_accuracy",
    "smoothed_accuracy:beta=10",
    "matched_accuracy:level=0.7",
    "matched_accuracy",
    "matched_accuracy:level=0.9",
    "ranked_accuracy",
    "cross_entropy",
    "calibrated_cross_entropy",
    "brier",
)
"""The metrics whose noise is looked at where there are predictions: which one, and at which
setting, needs the fewest runs?"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """Some runs under some metrics.

    Attributes:
        runs: The runs.
        values: Each metric of each run.
        scores: Each metric's score of each image in each run; empty without predictions.
        flips: Chance that two of the runs predict different classes for an image; empty without
            predictions.
        counts: How many of the runs predict each class; empty without predictions.
    """

    runs: tuple[StoredRun, ...]
    values: Mapping[str, Float64[ndarray, " runs"]]
    scores: Mapping[str, Float32[ndarray, "runs images"]]
    flips: Float64[ndarray, " images"]
    counts: Int64[ndarray, "views images classes"]


def metric_names(runs: Sequence[StoredRun]) -> tuple[str, ...]:
    """The metrics that all of some finished runs have, accuracy first where there is one."""
    if runs and all(run.has_logits for run in runs):
        return NOISE_METRICS
    shared = set.intersection(*(set(run.metrics) for run in runs)) if runs else set[str]()
    return tuple(sorted(shared, key=lambda name: (name != "accuracy", name)))


def score(study: StudyRuns, runs: Sequence[StoredRun], metrics: Sequence[str]) -> Scored:
    """Score finished runs under some of their metrics.

    Raises:
        StudyError: The study has no targets, or the runs' logits differ in shape.
    """
    if not runs or not all(run.has_logits for run in runs):
        values = {name: np.array([run.metrics[name] for run in runs], float) for name in metrics}
        return Scored(
            runs=tuple(runs),
            values=values,
            scores={},
            flips=np.empty(0),
            counts=np.empty((0, 0, 0), np.int64),
        )
    targets = study.targets
    parts: dict[str, list[Float32[ndarray, "some images"]]] = {name: [] for name in metrics}
    counts = np.zeros((1, len(targets), 1), np.int64)
    for _, logits in logits_in_chunks(study, runs):
        for name, found in parts.items():
            found.append(BuiltInMetric.parse(name).image_scores(logits, targets))
        counts = counts + _predicted(logits)
    scores = {name: np.concatenate(found) for name, found in parts.items()}
    return Scored(
        runs=tuple(runs),
        values={name: found.mean(axis=1, dtype=np.float64) for name, found in scores.items()},
        scores=scores,
        flips=flip_rates(counts, len(runs)),
        counts=counts,
    )


def repeat_values(
    study: StudyRuns, repeats: Sequence[StoredRepeat], metrics: Sequence[str]
) -> Mapping[str, Float64[ndarray, " repeats"]]:
    """Some metrics of finished repeats; NaN where a repeat lacks one that its run has."""
    if not repeats or not all(repeat.has_logits for repeat in repeats):
        return {
            name: np.array([one.metrics.get(name, np.nan) for one in repeats], float)
            for name in metrics
        }
    targets = study.targets
    logits = np.stack([study.repeat_logits(repeat) for repeat in repeats])
    # As `score` does it, to the last bit: a repeat that is identical must not differ by rounding.
    scores = {name: BuiltInMetric.parse(name).image_scores(logits, targets) for name in metrics}
    return {name: found.mean(axis=1, dtype=np.float64) for name, found in scores.items()}


def _predicted(
    logits: Float16[ndarray, "runs views examples classes"],
) -> Int64[ndarray, "views examples classes"]:
    """How many of the runs predict each class."""
    _, *images, classes = logits.shape
    predicted = logits.astype(np.float32).argmax(axis=3)  # of float16 it takes 1.5 times as long
    place = np.arange(0, predicted[0].size * classes, classes).reshape(images)
    counts = np.bincount((predicted + place).ravel(), minlength=predicted[0].size * classes)
    return counts.reshape(*images, classes)
