"""The score of each image: what a metric is the mean of.

Noise is told apart image by image, so each metric is given here as one number an image, the mean
over the image's views. The mean over the images is the metric of `stats.metrics` (a test holds
them together).
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Float32, Int64
from numpy import ndarray
from scipy import optimize, special

from seedwise.errors import DataError

__all__ = ["SCORES", "image_scores"]

_Run = Float32[ndarray, "views examples classes"]
_Score = Callable[[_Run, Int64[ndarray, " examples"]], Float32[ndarray, "views examples"]]

_LOG_FACTORS = (math.log(1e-4), math.log(1e4))
"""Where the factor of matched accuracy is looked for: its ends are a uniform and an argmax."""


def image_scores(
    name: str, logits: Float[ndarray, "runs views examples classes"], targets: Int64[ndarray, " _"]
) -> Float32[ndarray, "runs examples"]:
    """The score of each image in each run: the mean over its views.

    Args:
        name: One of `SCORES`.
        logits: As they are stored, float16; widened run by run.
        targets: Class of each example.

    Raises:
        DataError: A logit is not finite, or the targets don't fit.

    >>> logits = np.array([[[[2.0, 1.0], [3.0, 3.0]]]])
    >>> image_scores("accuracy", logits, np.array([0, 1]))
    array([[1. , 0.5]], dtype=float32)
    """
    if logits.ndim != 4 or logits.shape[2] != len(targets):
        raise DataError(
            f"logits (runs, views, examples, classes) of shape {logits.shape} do not belong to "
            f"{len(targets)} targets"
        )
    score = SCORES[name]
    found = np.empty((len(logits), len(targets)), np.float32)
    for run, row in zip(logits.astype(np.float32, copy=False), found, strict=True):
        if not np.isfinite(run).all():
            raise DataError("a logit is not finite; a run with such logits has diverged")
        row[:] = score(run, targets).mean(axis=0)
    return found


def _of_target(run: _Run, targets: Int64[ndarray, " _"]) -> Float32[ndarray, "views examples"]:
    return run[:, np.arange(len(targets)), targets]


def _right(run: _Run, targets: Int64[ndarray, " _"]) -> Float32[ndarray, "views examples"]:
    """1 where the target's logit is the largest, 1/k where k tie for it, else 0."""
    largest = run.max(axis=2)
    ties = (run == largest[:, :, None]).sum(axis=2)
    return (_of_target(run, targets) == largest) / ties.astype(np.float32)


def _right_in_original(
    run: _Run, targets: Int64[ndarray, " _"]
) -> Float32[ndarray, "views examples"]:
    return _right(run[:1], targets)


def _smoothed(
    run: _Run, targets: Int64[ndarray, " _"], *, beta: float
) -> Float32[ndarray, "views examples"]:
    return _of_target(special.softmax(run * np.float32(beta), axis=2), targets)


def _matched(
    run: _Run, targets: Int64[ndarray, " _"], *, level: float
) -> Float32[ndarray, "views examples"]:
    """Smoothed at the factor at which the mean largest softmax is `level`; see `stats.metrics`."""
    below = run - run.max(axis=2, keepdims=True)

    def gap(log_beta: float) -> float:
        totals = np.exp(below * np.float32(math.exp(log_beta))).sum(axis=2)
        return float((1 / totals).mean(dtype=np.float64)) - level

    low, high = _LOG_FACTORS
    if gap(high) <= 0:  # ties keep every factor below the level
        return _smoothed(below, targets, beta=math.exp(high))
    root = low if gap(low) >= 0 else optimize.brentq(gap, low, high, xtol=1e-6)
    return _smoothed(below, targets, beta=math.exp(root))


def _cross_entropy(run: _Run, targets: Int64[ndarray, " _"]) -> Float32[ndarray, "views examples"]:
    return -_of_target(special.log_softmax(run, axis=2), targets)


def _brier(run: _Run, targets: Int64[ndarray, " _"]) -> Float32[ndarray, "views examples"]:
    """Squared distance of the probabilities from the truth, in [0, 2] (Brier, 1950)."""
    chances = special.softmax(run, axis=2)
    return (chances * chances).sum(axis=2) - 2 * _of_target(chances, targets) + 1


SCORES: Mapping[str, _Score] = MappingProxyType(
    {
        "accuracy": _right,
        "accuracy of the original view": _right_in_original,
        **{f"smoothed_accuracy({beta})": partial(_smoothed, beta=beta) for beta in (1, 3, 10)},
        **{f"matched_accuracy({lv})": partial(_matched, level=lv) for lv in (0.7, 0.8, 0.9)},
        "cross_entropy": _cross_entropy,
        "brier": _brier,
    }
)
"""Scores by the name of their metric: the metrics whose noise is compared, some at several
settings."""
