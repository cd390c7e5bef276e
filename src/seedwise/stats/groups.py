"""Examples that come in groups, and err together: questions of a passage, frames of a video.

New examples then come with new groups. Each run's table of examples is made one of groups whose
mean is the same, and whose variance over groups is the cluster-robust one of the mean over
examples; with groups of one example it is the table of examples itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.shaped import Float, Float64, Int64

__all__ = ["Groups"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """Group of each example.

    Attributes:
        place: Number of each example's group, from 0.
        names: The groups, each once, in the order of their numbers.
    """

    place: Int64[ndarray, " examples"]
    names: tuple[str, ...]

    @classmethod
    def of(cls, groups: Sequence[str]) -> Self:
        """The groups of examples that each name theirs.

        >>> Groups.of(["b", "a", "b"]).place.tolist()
        [0, 1, 0]
        """
        number = {name: place for place, name in enumerate(dict.fromkeys(groups))}
        place = np.array([number[name] for name in groups], np.int64)
        return cls(place=place, names=tuple(number))

    @cached_property
    def sizes(self) -> Int64[ndarray, " groups"]:
        """The number of examples in each."""
        return np.bincount(self.place, minlength=len(self.names))

    def tables(self, scores: Float[ndarray, "runs examples"]) -> Float64[ndarray, "runs groups"]:
        """One number for each group in each run, whose mean over groups is that over examples.

        With n examples in G groups, that of group g is mean + G/n * sum over its examples of
        (score - mean). The variance of their mean is that of the linearised ratio of a sum to a
        count, as survey statistics and cluster-robust errors (CR1, no regressors) have it.

        Args:
            scores: The score of each example in each run.

        Raises:
            DataError: They are of another number of examples.

        Source: Liang & Zeger (1986); Cameron & Miller (2015), "A practitioner's guide to
        cluster-robust inference", eq. 11 and section II.B for G / (G - 1).

        >>> Groups.of(["a", "a", "b"]).tables(np.array([[1.0, 0.0, 0.5]])).tolist()
        [[0.5, 0.5]]
        """
        if scores.shape[1] != len(self.place):
            raise DataError(
                f"groups are of {len(self.place):,} examples, scores of {scores.shape[1]:,}"
            )
        wide = np.asarray(scores, np.float64)
        means, count = wide.mean(axis=1), len(self.names)
        sums = np.array([np.bincount(self.place, run, minlength=count) for run in wide])
        inside = sums.reshape(len(wide), count) - means[:, None] * self.sizes
        return means[:, None] + inside * (count / wide.shape[1])

    @cached_property
    def freedom(self) -> float:
        """Degrees of freedom of the variance over groups: G - 1 of equal ones, fewer of others.

        Of groups of unequal size the largest decide, and the variance is known as badly as if
        there were few. Satterthwaite's number under the worst case, in which all examples of a
        group share one error: with weights w = size/n the variance is a quadratic form in those
        errors, whose matrix is diag(w^2) - w (w^2)' - (w^2) w' + (sum w^2) w w'.

        Source: Bell & McCaffrey (2002); Imbens & Kolesár (2016), section III.
        """
        if len(self.names) < 2:
            return 0.0
        w = self.sizes / len(self.place)
        sums = {power: float((w**power).sum()) for power in (2, 3, 4, 5)}
        s = sums[2]
        trace = s - 2 * sums[3] + s * s
        outer = np.array([[s, -1.0], [-1.0, 0.0]]) @ np.array([[s, sums[3]], [sums[3], sums[4]]])
        square = sums[4] - 4 * sums[5] + 2 * s * sums[4] + float(np.trace(outer @ outer))
        return trace**2 / square
