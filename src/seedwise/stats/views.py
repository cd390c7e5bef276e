"""Share of the noise of accuracy that more views of each image would leave, or have left.

Of the variance of accuracy over runs, a part is that one view of an image flips and another view
of it does not. That part falls as 1 / views; runs that are better or worse as a whole, and images
that flip in all their views, stay.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.shaped import Float, Integer
from seedwise.stats.variance import Estimate, variance_of

__all__ = ["FEWEST_RUNS", "ViewShare", "foreseen_share", "measured_share"]

ViewScores = Integer[ndarray, "runs views images"] | Float[ndarray, "runs views images"]

FEWEST_RUNS = 10
"""Below this the variance of accuracy is too uncertain to say what share of it would go: with 10
runs its 95 % interval reaches from 0.5 to 3.3 times the estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewShare:
    """Part of the variance of accuracy that is left with more views.

    As many runs of what two views take are needed, for a difference that is as large.

    Attributes:
        views: Number of views of each image.
        runs: Runs, or pairs of runs, that tell it.
        share: The variance with these views, as a share of that with the two that are usual.
        measured: Whether the runs have these views; else it is foreseen from two.
    """

    views: int
    runs: int
    share: Estimate
    measured: bool


def foreseen_share(
    scores: ViewScores,
    *,
    views: int,
    confidence: float = 0.95,
) -> ViewShare | None:
    """The share of the variance that is left with more views, from runs with a few.

    With n images, R runs, v views that there are and e the scores less their means over runs,
    W = sum over runs, images and views of (e - mean of e over views)^2 / ((R - 1)(v - 1) n^2) is
    what a single view adds to the variance V of accuracy; V' = V - W (1/v - 1/views). W rests on
    runs times images and is well known, so that the interval is that of V (`variance_of`).

    It takes further views to be like those that there are. Crops differ more than an image from
    its mirror image, so that rather less is left than it says.

    Args:
        scores: Each view's score in each run, or the differences of paired runs.
        views: The number of views that is asked about.
        confidence: Coverage, in (0, 1).

    Returns:
        None with fewer than `FEWEST_RUNS` runs, one view, as many as are asked about, or runs that
        do not vary.
    """
    if scores.ndim != 3:
        raise DataError(f"scores must be (runs, views, images), got {scores.shape}")
    runs, there, images = scores.shape
    if runs < FEWEST_RUNS or not 1 < there < views:
        return None
    means = scores.mean(axis=(1, 2), dtype=np.float64)
    total = variance_of(means, confidence=confidence)
    if not total.low > 0:
        return None
    single = _within_images(scores) / ((runs - 1) * (there - 1) * images**2)
    falls = single * (1 / there - 1 / views)

    def left(variance: float) -> float:
        # at least what is left where views have nothing in common
        return max(1 - falls / variance, there / views)

    share = Estimate(value=left(total.value), low=left(total.low), high=left(total.high))
    return ViewShare(views=views, runs=runs, share=share, measured=False)


def _within_images(
    scores: ViewScores,
) -> float:
    """Sum of squares of what the views of an image do not share, over runs, views and images."""
    # Of the differences between a view and the mean of the views, the means over runs taken off.
    apart = scores - scores.mean(axis=1, keepdims=True, dtype=np.float32)
    apart -= apart.mean(axis=0, keepdims=True)
    return float(np.einsum("rvi,rvi->", apart, apart, dtype=np.float64))


def measured_share(
    few: Float[ndarray, " runs"],
    many: Float[ndarray, " runs"],
    *,
    views: int,
    confidence: float = 0.95,
) -> ViewShare | None:
    """The variance of accuracy over many views as a share of that over few, of the same runs.

    The interval is Morgan's and Pitman's for the variances of two normal values of each run.

    Args:
        few: Accuracy over few views of each run, or the differences of paired runs.
        many: The same over all views.
        views: Number of all views.
        confidence: Coverage, in (0, 1).

    Returns:
        None with fewer than `FEWEST_RUNS` runs, or runs that do not vary.

    Source:
        Pitman (1939), "A note on normal correlation", Biometrika 31.
    """
    from scipy.special import stdtrit  # 0.1 s, where nothing else needs it

    runs = len(few)
    if runs < FEWEST_RUNS or min(few.std(), many.std()) <= 1e-12:
        return None
    ratio = float(many.var() / few.var())
    r = min(1.0, abs(float(np.corrcoef(few, many)[0, 1])))
    t = float(stdtrit(runs - 2, (1 + confidence) / 2))
    k = 1 + 2 * (1 - r * r) * t * t / (runs - 2)
    spread = math.sqrt(k * k - 1)
    share = Estimate(value=ratio, low=ratio * (k - spread), high=ratio * (k + spread))
    return ViewShare(views=views, runs=runs, share=share, measured=True)
