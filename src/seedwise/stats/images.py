"""Images that make the noise: those that some runs get right and others wrong."""

import math
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.shaped import Float, Float64, Int64, Integer
from seedwise.stats.agreement import groups, pairs_alike
from seedwise.stats.variance import image_variances

__all__ = ["ImageNoise", "flip_rates", "image_noise", "usual_class"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageNoise:
    """Noise of each image over the runs of a setup.

    Attributes:
        runs: Number of runs.
        right: Share of each image's predictions that were right, over runs and views, in [0, 1].
        flips: Chance that two runs predict different classes for the image, in [0, 1]; NaN for
            one run.
        share: The image's part of the sum of all images' variances: its part of the test-set
            noise. NaN where no image varies.
        graded: Scores are not right or wrong; `right` is their mean, and `flips` is empty.
    """

    runs: int
    right: Float64[ndarray, " images"]
    flips: Float64[ndarray, " images"]
    share: Float64[ndarray, " images"]
    graded: bool = False

    @property
    def always_right(self) -> int:
        """Number of images that every run got right, in every view."""
        return int((self.right == 1).sum())

    @property
    def always_wrong(self) -> int:
        """Number of images that every run got wrong, in every view."""
        return int((self.right == 0).sum())

    @property
    def half(self) -> int:
        """The least number of images that make half of the test-set noise; 0 if none does."""
        if not np.isfinite(self.share).all():
            return 0
        return int(np.searchsorted(np.cumsum(np.sort(self.share)[::-1]), 0.5 - 1e-12)) + 1

    def noisiest(self, count: int) -> Int64[ndarray, " images"]:
        """The places of the images that make most of the noise, the noisiest first.

        Of images alike, the one nearer to P(right) = 1/2 comes first, then the one that is first
        in the study.
        """
        order = np.lexsort((np.abs(self.right - 0.5), -np.nan_to_num(self.share)))
        return order[:count].astype(np.int64)


def image_noise(
    scores: Float[ndarray, "runs images"],
    flips: Float64[ndarray, " images"],
    *,
    graded: bool = False,
) -> ImageNoise:
    """Look at the images one by one.

    Args:
        scores: Whether each run got each image right: the mean of its views, ties as shares.
        flips: From `flip_rates`; empty for scores that are not right or wrong.
        graded: Scores may be any numbers; `right` is then their mean over runs.

    Raises:
        DataError: No run, or a score outside [0, 1].
    """
    if len(scores) == 0 or not (graded or ((scores >= 0) & (scores <= 1)).all()):
        raise DataError("images are judged by at least one run, with scores from 0 to 1")
    own = image_variances(scores)
    total = float(own.sum())
    return ImageNoise(
        runs=len(scores),
        right=scores.mean(axis=0, dtype=np.float64),
        flips=flips,
        share=own / total if total > 0 else np.full(len(own), math.nan),
        graded=graded,
    )


def flip_rates(predicted: Integer[ndarray, "runs views images"]) -> Float64[ndarray, " images"]:
    """Chance that two different runs predict different classes, the mean over an image's views.

    Args:
        predicted: The class that each run predicts.

    Returns:
        One for each image, in [0, 1]; NaN below two runs.

    >>> flip_rates(np.array([[[0, 1]], [[0, 1]], [[2, 1]], [[2, 1]]]))
    array([0.66666667, 0.        ])
    """
    runs, views, images = predicted.shape
    alike = pairs_alike(predicted.reshape(runs, -1)).reshape(views, images)
    return 1 - alike.mean(axis=0)


def usual_class(predicted: Integer[ndarray, "runs images"]) -> Int64[ndarray, " images"]:
    """The class that is predicted most often for each image; of several, the first.

    >>> usual_class(np.array([[0, 1, 2], [0, 2, 1]])).tolist()
    [0, 1, 1]
    """
    image, label, votes = groups(predicted)
    order = np.lexsort((label, -votes, image))
    _, first = np.unique(image[order], return_index=True)
    return label[order[first]].astype(np.int64)
