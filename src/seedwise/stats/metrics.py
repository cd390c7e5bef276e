"""Metrics: stored logits and targets in, one number a run out.

Logits are taken as they are stored, float16, and widened run by run, so that memory stays small
for thousands of runs. An array (examples, classes) or (views, examples, classes) is one run and
gives a float; (runs, views, examples, classes) gives one float64 for each run.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64
from numpy import ndarray

from seedwise.errors import DataError, UnknownName

__all__ = [
    "METRICS",
    "accuracy",
    "cross_entropy",
    "matched_accuracy",
    "smoothed_accuracy",
]

Views = Literal["separate", "averaged", "original"]
Logits = Float[ndarray, "*runs examples classes"]
Targets = Int64[ndarray, " examples"]

_Run = Float32[ndarray, "predictions classes"]
_Score = Callable[[_Run, Int64[ndarray, " predictions"]], float]

_SHARPEST = 1e6
"""Beyond this factor on float16 logits, a softmax is an argmax."""


def accuracy(
    logits: Logits, targets: Targets, *, views: Views = "separate"
) -> float | Float64[ndarray, " runs"]:
    """Share of the predictions whose largest logit is the target's, in [0, 1].

    Where k logits tie for the largest, the target's among them counts 1/k: an argmax would decide
    float16's many ties by the order of the classes.

    Args:
        logits: Scores of one run or of several.
        targets: Class of each example.
        views: `separate` counts each view of an image as a prediction, as the notebook did;
            `averaged` averages the views' logits first (test-time augmentation, which leaderboards
            forbid); `original` uses the first view.

    Raises:
        DataError: A logit is not finite, or the targets don't fit.
        UnknownName: No such `views`.

    >>> accuracy(np.array([[2.0, 1.0], [3.0, 3.0]]), np.array([0, 1]))
    0.75
    """

    def score(run: _Run, wanted: Int64[ndarray, " predictions"]) -> float:
        largest = run.max(axis=1, keepdims=True)
        right = _of_target(run, wanted) == largest[:, 0]
        return float((right / (run == largest).sum(axis=1)).mean())

    return _each_run(score, logits, targets, views)


def smoothed_accuracy(
    logits: Logits, targets: Targets, beta: float = 3.0, *, views: Views = "separate"
) -> float | Float64[ndarray, " runs"]:
    """Mean of softmax(beta * logits) at the target, in [0, 1]: the notebook's soft-argmax.

    It has less variance than accuracy, and a bias that depends on how sharp the logits are. On
    real runs, label smoothing 0 against 0.1 moved it by +0.85 points while accuracy moved by
    +0.11: it does not compare setups that change the sharpness. See `matched_accuracy`.

    Args:
        logits: As in `accuracy`.
        targets: As in `accuracy`.
        beta: Factor of the logits, above 0; accuracy is its limit at infinity.
        views: As in `accuracy`.

    Raises:
        DataError: As in `accuracy`.
        UnknownName: As in `accuracy`.
    """

    def score(run: _Run, wanted: Int64[ndarray, " predictions"]) -> float:
        return float(_softmax_at(run, wanted, beta).mean())

    return _each_run(score, logits, targets, views)


def matched_accuracy(
    logits: Logits, targets: Targets, level: float = 0.8, *, views: Views = "separate"
) -> float | Float64[ndarray, " runs"]:
    """Smoothed accuracy at the sharpness at which the mean largest softmax is `level`.

    The factor beta is chosen for each run without looking at the targets, so that a setup that
    only scales all logits changes nothing. It compresses differences of accuracy (0.61 for a true
    0.77 points on real runs) and can be moved by a rescaling that differs from image to image:
    it may decide the sign of a difference, not its size.

    Args:
        logits: As in `accuracy`.
        targets: As in `accuracy`.
        level: Mean over the predictions of the largest softmax(beta * logits), in (1/classes, 1).
        views: As in `accuracy`.

    Raises:
        DataError: As in `accuracy`, or the level is out of range.
        UnknownName: As in `accuracy`.
    """
    classes = logits.shape[-1]
    if not 1 / classes < level < 1:
        raise DataError(f"level must be between 1/classes = {1 / classes:.3g} and 1, got {level}")

    def score(run: _Run, wanted: Int64[ndarray, " predictions"]) -> float:
        return float(_softmax_at(run, wanted, _matching_beta(run, level)).mean())

    return _each_run(score, logits, targets, views)


def cross_entropy(
    logits: Logits, targets: Targets, *, views: Views = "separate"
) -> float | Float64[ndarray, " runs"]:
    """Mean of -log softmax(logits) at the target, in nats; lower is better."""

    def score(run: _Run, wanted: Int64[ndarray, " predictions"]) -> float:
        below = run - run.max(axis=1, keepdims=True)
        return float((np.log(np.exp(below).sum(axis=1)) - _of_target(below, wanted)).mean())

    return _each_run(score, logits, targets, views)


METRICS: Mapping[str, Callable[..., float | Float64[ndarray, " runs"]]] = MappingProxyType(
    {
        "accuracy": accuracy,
        "cross_entropy": cross_entropy,
        "matched_accuracy": matched_accuracy,
        "smoothed_accuracy": smoothed_accuracy,
    }
)
"""Metrics by name, each with its default settings."""


def _each_run(
    score: _Score, logits: Logits, targets: Targets, views: Views
) -> float | Float64[ndarray, " runs"]:
    """Score one run, or each of several."""
    if logits.shape[-2] != len(targets) or logits.ndim > 4:
        raise DataError(
            f"logits of shape {logits.shape} do not belong to {len(targets)} targets; they are "
            "(views, examples, classes), with runs before them if there are several"
        )
    if logits.ndim < 4:
        return _one_run(score, logits, targets, views)
    return np.array([_one_run(score, run, targets, views) for run in logits])


def _one_run(score: _Score, logits: Logits, targets: Targets, views: Views) -> float:
    run = np.asarray(logits, dtype=np.float32)
    run = run[None] if run.ndim == 2 else run
    if not np.isfinite(run).all():
        raise DataError("a logit is not finite; a run with such logits has diverged")
    match views:
        case "separate":
            return score(run.reshape(-1, run.shape[-1]), np.tile(targets, len(run)))
        case "averaged":
            return score(run.mean(axis=0), targets)
        case "original":
            return score(run[0], targets)
        case _:
            raise UnknownName("views", views, ("separate", "averaged", "original"))


def _of_target(
    run: _Run, targets: Int64[ndarray, " predictions"]
) -> Float32[ndarray, " predictions"]:
    return np.take_along_axis(run, targets[:, None], axis=1)[:, 0]


def _softmax_at(
    run: _Run, targets: Int64[ndarray, " predictions"], beta: float
) -> Float32[ndarray, " predictions"]:
    powers = np.exp((run - run.max(axis=1, keepdims=True)) * np.float32(beta))
    return _of_target(powers, targets) / powers.sum(axis=1)


def _matching_beta(run: _Run, level: float) -> float:
    """The factor at which the mean largest softmax is `level`: Newton in log beta, bracketed.

    The mean rises with beta. Where no factor reaches the level (ties), the sharpest is taken.
    """
    below = run - run.max(axis=1, keepdims=True)
    low, high = np.log(1 / _SHARPEST), np.log(_SHARPEST)
    at = 0.0
    for _ in range(60):
        beta = np.exp(at)
        powers = np.exp(below * np.float32(beta))
        totals = powers.sum(axis=1)
        gap = float((1 / totals).mean(dtype=np.float64)) - level
        low, high = (low, at) if gap > 0 else (at, high)
        slopes = -(below * powers).sum(axis=1) / (totals * totals)
        slope = beta * float(slopes.mean(dtype=np.float64))
        step = -gap / slope if slope > 0 else np.inf
        # 1e-7 in log beta moves the metric by less than float32 rounds it
        if abs(step) < 1e-7 or high - low < 1e-7:
            break
        at = at + step if low < at + step < high else (low + high) / 2
    return float(np.exp(at))
