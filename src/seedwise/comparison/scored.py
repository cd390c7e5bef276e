"""Stored runs under every metric whose noise is looked at, and image by image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16, Float32, Float64, Int64
from numpy import ndarray

from seedwise.errors import StudyError
from seedwise.stats.images import flip_rates
from seedwise.stats.scores import SCORES, image_scores
from seedwise.store import Store, StoredRepeat, StoredRun

__all__ = ["Scored", "metric_names", "repeat_values", "score"]

_AT_ONCE = 64
"""Runs whose logits are in memory together: 64 of 5,000 predictions are 6 MB."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """Some runs under some metrics.

    Attributes:
        runs: The runs.
        values: Each metric of each run.
        scores: Each metric's score of each image in each run; empty without predictions.
        flips: Chance that two of the runs predict different classes for an image; empty without
            predictions.
    """

    runs: tuple[StoredRun, ...]
    values: Mapping[str, Float64[ndarray, " runs"]]
    scores: Mapping[str, Float32[ndarray, "runs images"]]
    flips: Float64[ndarray, " images"]


def metric_names(runs: Sequence[StoredRun]) -> tuple[str, ...]:
    """The metrics that all of some finished runs have, accuracy first where there is one."""
    if runs and all(run.has_logits for run in runs):
        return tuple(SCORES)
    shared = set.intersection(*(set(run.metrics) for run in runs)) if runs else set[str]()
    return tuple(sorted(shared, key=lambda name: (name != "accuracy", name)))


def score(store: Store, runs: Sequence[StoredRun], metrics: Sequence[str]) -> Scored:
    """Score finished runs under some of their metrics.

    Raises:
        StudyError: The study has no targets, or the runs' logits differ in shape.
    """
    if not runs or not all(run.has_logits for run in runs):
        values = {name: np.array([run.metrics[name] for run in runs], float) for name in metrics}
        return Scored(runs=tuple(runs), values=values, scores={}, flips=np.empty(0))
    targets = _targets(store)
    scores = {name: np.empty((len(runs), len(targets)), np.float32) for name in metrics}
    counts = np.zeros((1, len(targets), 1), np.int64)
    for start in range(0, len(runs), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        logits = store.logits([run.id for run in runs[some]])
        for name, found in scores.items():
            found[some] = image_scores(name, logits, targets)
        counts = counts + _predicted(logits)
    return Scored(
        runs=tuple(runs),
        values={name: found.mean(axis=1, dtype=np.float64) for name, found in scores.items()},
        scores=scores,
        flips=flip_rates(counts, len(runs)),
    )


def repeat_values(
    store: Store, repeats: Sequence[StoredRepeat], metrics: Sequence[str]
) -> Mapping[str, Float64[ndarray, " repeats"]]:
    """Some metrics of finished repeats; NaN where a repeat lacks one that its run has."""
    if not repeats or not all(repeat.has_logits for repeat in repeats):
        return {
            name: np.array([one.metrics.get(name, np.nan) for one in repeats], float)
            for name in metrics
        }
    targets = _targets(store)
    values = {name: np.empty(len(repeats)) for name in metrics}
    for place, repeat in enumerate(repeats):
        logits = store.repeat_logits(repeat.id)[None]
        for name, found in values.items():
            found[place] = image_scores(name, logits, targets).mean(dtype=np.float64)
    return values


def _predicted(
    logits: Float16[ndarray, "runs views examples classes"],
) -> Int64[ndarray, "views examples classes"]:
    """How many of the runs predict each class."""
    chosen = logits.argmax(axis=3)[..., None] == np.arange(logits.shape[3])
    return chosen.sum(axis=0, dtype=np.int64)


def _targets(store: Store) -> Int64[ndarray, " examples"]:
    dataset = store.dataset()
    if dataset is None:
        raise StudyError(f"{store.path} has logits but no targets; give the study its targets")
    return dataset.targets
