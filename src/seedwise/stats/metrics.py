"""Metrics: stored logits and targets in, one number a run out.

Logits are taken as they are stored, float16, and widened run by run, so that memory stays small
for thousands of runs. An array (examples, classes) or (views, examples, classes) is one run and
gives a float; (runs, views, examples, classes) gives one float64 for each run. Log-probabilities
serve as logits.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy import ndarray

from seedwise.shaped import Float64
from seedwise.stats import scores
from seedwise.stats.blocks import Logits, Targets, Views

__all__ = [
    "METRICS",
    "accuracy",
    "brier",
    "calibrated_cross_entropy",
    "class_accuracy",
    "cross_entropy",
    "matched_accuracy",
    "ranked_accuracy",
    "smoothed_accuracy",
    "top_accuracy",
]

Values = float | Float64[ndarray, " runs"]


def accuracy(logits: Logits, targets: Targets, *, views: Views = "separate") -> Values:
    """Share of the predictions whose largest logit is the target's, in [0, 1].

    Where k logits tie for the largest, the target's among them counts 1/k: an argmax would decide
    float16's many ties by the order of the classes.

    Args:
        logits: Of one run (examples, classes) or (views, examples, classes); of several runs
            (runs, views, examples, classes). Any floating type; all finite.
        targets: Class of each example, in [0, classes).
        views: `separate` counts each view of an image as a prediction, as the notebook did;
            `averaged` averages the views' logits first (test-time augmentation, which leaderboards
            forbid); `original` uses the first view.

    Returns:
        One number for one run, an array of one number each for several.

    Raises:
        DataError: A logit is not finite, or the targets don't fit.
        UnknownName: No such `views`.

    >>> accuracy(np.array([[2.0, 1.0], [3.0, 3.0]]), np.array([0, 1]))
    0.75
    """
    return scores.each_run(scores.right, logits, targets, views)


def top_accuracy(
    logits: Logits, targets: Targets, k: int = 5, *, views: Views = "separate"
) -> Values:
    """Share of the predictions whose target is among the k largest logits, in [0, 1].

    A tie over the last places counts as the share of it that has room; at k = 1 this is accuracy.

    Args:
        logits: As in `accuracy`.
        targets: As in `accuracy`.
        k: Number of places, 1 or more.
        views: As in `accuracy`.

    Raises:
        DataError: As in `accuracy`, or k is below 1.
        UnknownName: As in `accuracy`.
    """
    return scores.each_run(scores.top(k), logits, targets, views)


def smoothed_accuracy(
    logits: Logits, targets: Targets, beta: float = 3.0, *, views: Views = "separate"
) -> Values:
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
        DataError: As in `accuracy`, or beta is not above 0.
        UnknownName: As in `accuracy`.
    """
    return scores.each_run(scores.smoothed(beta), logits, targets, views)


def matched_accuracy(
    logits: Logits, targets: Targets, level: float = 0.8, *, views: Views = "separate"
) -> Values:
    """Smoothed accuracy at the sharpness at which the mean largest softmax is `level`.

    The factor beta is chosen for each run without looking at the targets, so that a setup that
    only scales all logits changes nothing. It compresses differences of accuracy (0.61 for a true
    0.77 points on real runs) and can be moved by a rescaling that differs from image to image:
    it may decide the sign of a difference, not its size. See `ranked_accuracy`.

    Args:
        logits: As in `accuracy`.
        targets: As in `accuracy`.
        level: Mean over the predictions of the largest softmax(beta * logits), in (1/classes, 1).
        views: As in `accuracy`.

    Raises:
        DataError: As in `accuracy`, or the level is out of range.
        UnknownName: As in `accuracy`.
    """
    return scores.each_run(scores.matched(level), logits, targets, views)


def ranked_accuracy(
    logits: Logits, targets: Targets, level: float = 0.8, *, views: Views = "separate"
) -> Values:
    """Accuracy in which a prediction weighs by the rank of its margin among the run's predictions.

    The margin is the distance of the two largest logits. The prediction at quantile u of the
    margins gives its first class w(u) = 1 - (1 - u)^p / 2 and its second the rest, with p such
    that w is `level` on average: a prediction on the edge counts half either way, as in smoothing.
    Of the logits it uses the first two classes and the order of the margins only, so that no
    rescaling that keeps that order, by one factor or by one that grows or shrinks with the margin,
    moves it. On 16 pairs of real runs it told setups apart as well as `matched_accuracy`
    (t = -6.1 and 21.7 for B and C against -6.4 and 19.2).

    Args:
        logits: As in `accuracy`; at least two classes.
        targets: As in `accuracy`.
        level: Mean weight of the first class, in (0.5, 1).
        views: As in `accuracy`.

    Raises:
        DataError: As in `accuracy`, or the level is out of range.
        UnknownName: As in `accuracy`.
    """
    return scores.each_run(scores.ranked(level), logits, targets, views)


def cross_entropy(logits: Logits, targets: Targets, *, views: Views = "separate") -> Values:
    """Mean of -log softmax(logits) at the target, in nats; lower is better.

    Args:
        logits: As in `accuracy`.
        targets: As in `accuracy`.
        views: As in `accuracy`.

    Raises:
        DataError: As in `accuracy`.
        UnknownName: As in `accuracy`.
    """
    return scores.each_run(scores.nll, logits, targets, views)


def calibrated_cross_entropy(
    logits: Logits, targets: Targets, *, views: Views = "separate"
) -> Values:
    """Cross-entropy after a temperature is fitted across folds, in nats; lower is better.

    The images of each class are dealt to two halves; the predictions of a half are scored with
    the temperature that has the least cross-entropy on the other half, so that no image has a say
    in its own. What is left is how well the classes are told apart, without how sure the run is.

    Args:
        logits: As in `accuracy`.
        targets: As in `accuracy`.
        views: As in `accuracy`.

    Raises:
        DataError: As in `accuracy`.
        UnknownName: As in `accuracy`.

    Source: Guo et al. (2017), "On calibration of modern neural networks", section 4.2.
    """
    return scores.each_run(scores.calibrated_nll, logits, targets, views)


def brier(logits: Logits, targets: Targets, *, views: Views = "separate") -> Values:
    """Mean squared distance of softmax(logits) from the target, in [0, 2]; lower is better.

    Args:
        logits: As in `accuracy`.
        targets: As in `accuracy`.
        views: As in `accuracy`.

    Raises:
        DataError: As in `accuracy`.
        UnknownName: As in `accuracy`.

    Source: Brier (1950), over all classes.
    """
    return scores.each_run(scores.brier, logits, targets, views)


def class_accuracy(
    logits: Logits, targets: Targets, *, views: Views = "separate"
) -> Float64[ndarray, "*runs classes"]:
    """The accuracy on the examples of each class, in [0, 1]; NaN for a class without examples.

    Args:
        logits: As in `accuracy`.
        targets: As in `accuracy`.
        views: As in `accuracy`.

    Returns:
        One row of classes, or one for each run.

    Raises:
        DataError: As in `accuracy`.
        UnknownName: As in `accuracy`.
    """
    several = logits if logits.ndim == 4 else logits.reshape((1, -1, *logits.shape[-2:]))
    by_image = scores.image_scores(scores.right, several, targets, views)
    of_class = targets[:, None] == np.arange(logits.shape[-1])
    with np.errstate(invalid="ignore"):  # 0/0 is the NaN of a class without examples
        found = by_image.astype(np.float64) @ of_class / of_class.sum(axis=0)
    return found if logits.ndim == 4 else found[0]


METRICS: Mapping[str, Callable[..., Values]] = MappingProxyType(
    {
        "accuracy": accuracy,
        "brier": brier,
        "calibrated_cross_entropy": calibrated_cross_entropy,
        "cross_entropy": cross_entropy,
        "matched_accuracy": matched_accuracy,
        "ranked_accuracy": ranked_accuracy,
        "smoothed_accuracy": smoothed_accuracy,
        "top_accuracy": top_accuracy,
    }
)
"""Metrics by name, each with its default settings."""
