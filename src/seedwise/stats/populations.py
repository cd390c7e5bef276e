"""Differences with intervals for new seeds *and* new images of the same kind."""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.shaped import Float
from seedwise.stats.intervals import Difference, student_difference, welch_freedom
from seedwise.stats.overlap import overlapping_weights

__all__ = ["overlapping_on_new_images", "paired_on_new_images", "unpaired_on_new_images"]


def paired_on_new_images(
    a: Float[ndarray, "seeds images"],
    b: Float[ndarray, "seeds images"],
    *,
    confidence: float = 0.95,
    freedom: float | None = None,
) -> Difference:
    """The mean of `b - a`, with an interval for new seeds and new images.

    The differences d[r, i] of seed r on image i are a two-way random-effects layout,
    d[r, i] = mean + run[r] + image[i] + rest[r, i], and the variance of their mean over R seeds
    and n images is s2_run/R + s2_image/n + s2_rest/(R n). With the mean squares of the layout,
    E MS_run = s2_rest + n s2_run, E MS_image = s2_rest + R s2_image, E MS_rest = s2_rest, so that
    (MS_run + MS_image - MS_rest) / (R n) estimates it without bias. The interval is Student's,
    with Satterthwaite's degrees of freedom. MS_image - MS_rest is taken as 0 where it comes out
    negative, and the interval is never shorter than the one on these images.

    Args:
        a: Score of each image (the mean over its views) in each run of A.
        b: The same for B, with the same seeds in the same order.
        confidence: Coverage, in (0, 1).
        freedom: Degrees of freedom of a variance over the images, where these are groups of
            examples (`Groups.tables`) of unequal size; None for one fewer than there are.

    Returns:
        The difference; infinite with one seed or one image.

    Raises:
        DataError: The shapes differ, or a score is not finite.

    Source: Searle, Casella & McCulloch (1992), chapter 4; Satterthwaite (1946).
    """
    if a.shape != b.shape:
        raise DataError(f"a and b must hold the same seeds; got shapes {a.shape} and {b.shape}")
    differences = np.subtract(b, a, dtype=np.float64)
    layout = _MeanSquares.of(differences)
    from_runs = [_VariancePart(layout.run / layout.cells, layout.runs - 1)]
    free = layout.images - 1 if freedom is None else freedom
    rests = [_rest(layout, layout.cells, free)]
    from_images = _beyond_runs(layout.image / layout.cells, free, rests)
    mean, runs = float(differences.mean()), layout.runs
    return _interval(mean, from_runs, from_images, (runs, runs), confidence, paired=True)


def unpaired_on_new_images(
    a: Float[ndarray, "runs_a images"],
    b: Float[ndarray, "runs_b images"],
    *,
    confidence: float = 0.95,
    freedom: float | None = None,
) -> Difference:
    """The difference of the means of unrelated runs, for new seeds and new images.

    Each setup is a layout of its own, and both have the same images: with d[i] the difference of
    the two setups' means on image i,
    var(run means of A)/R_A + var(run means of B)/R_B + var(d)/n - MS_rest_A/(R_A n) -
    MS_rest_B/(R_B n) estimates the variance without bias: the first two and the third each hold
    the rest once, and it is there once.

    Args:
        a: Score of each image in each run of A.
        b: The same for B, on the same images.
        confidence: Coverage, in (0, 1).
        freedom: Degrees of freedom of a variance over the images, where these are groups of
            examples (`Groups.tables`) of unequal size; None for one fewer than there are.

    Returns:
        The difference; infinite where a setup has one run, or with one image.

    Raises:
        DataError: The images differ, or a score is not finite.
    """
    if a.shape[1] != b.shape[1]:
        raise DataError(f"a and b must hold the same images; got shapes {a.shape} and {b.shape}")
    layouts = [_MeanSquares.of(np.asarray(scores, np.float64)) for scores in (a, b)]
    by_image = np.subtract(b.mean(axis=0, dtype=np.float64), a.mean(axis=0, dtype=np.float64))
    images = len(by_image)
    image = float(by_image.var(ddof=1)) / images if images > 1 else math.nan
    from_runs = [_VariancePart(each.run / each.cells, each.runs - 1) for each in layouts]
    free = images - 1 if freedom is None else freedom
    from_images = _beyond_runs(image, free, [_rest(each, each.cells, free) for each in layouts])
    mean, runs = float(by_image.mean()), (layouts[0].runs, layouts[1].runs)
    most = welch_freedom(np.array([part.variance for part in from_runs]), runs)
    return _interval(mean, from_runs, from_images, runs, confidence, paired=False, most=most)


def overlapping_on_new_images(
    pairs: tuple[Float[ndarray, "seeds images"], Float[ndarray, "seeds images"]],
    rest: tuple[Float[ndarray, "rest_a images"], Float[ndarray, "rest_b images"]],
    *,
    confidence: float = 0.95,
    freedom: float | None = None,
) -> Difference:
    """B - A from pairs of one seed and runs without a partner, for new seeds and new images.

    The estimate is that of `overlapping_difference`: of pairs of w_b B - w_a A and of the two
    rests, which are unrelated layouts on the same images. What each adds to the variance is as in
    `unpaired_on_new_images`, a rest's mean squares being those of all runs of its setup.

    Args:
        pairs: Score of each image in the runs of A and of B with the same seeds, in one order.
        rest: The same of the runs of A and of B without a partner.
        confidence: Coverage, in (0, 1).
        freedom: As in `paired_on_new_images`.
    """
    a, b = (np.asarray(each, np.float64) for each in pairs)
    counts = (len(rest[0]), len(rest[1]))
    weights = overlapping_weights((a.mean(axis=1), b.mean(axis=1)), counts)
    joined = weights.b * b - weights.a * a
    by_image, groups = joined.mean(axis=0), [(_MeanSquares.of(joined), len(joined) * 1.0)]
    for sign, weight, shared, own in zip((-1, 1), weights, (a, b), rest, strict=True):
        if len(own) and weight != 1:
            by_image += sign * (1 - weight) * own.mean(axis=0, dtype=np.float64)
            whole = _MeanSquares.of(np.concatenate([shared, own]))
            groups.append((whole, len(own) / (1 - weight) ** 2))
    images, runs = len(by_image), (len(a), len(a))
    image = float(by_image.var(ddof=1)) / images if images > 1 else math.nan
    from_runs = [_VariancePart(each.run / (many * images), each.runs - 1) for each, many in groups]
    free = images - 1 if freedom is None else freedom
    rests = [_rest(each, many * images, free) for each, many in groups]
    return _interval(
        float(by_image.mean()),
        from_runs,
        _beyond_runs(image, free, rests),
        runs,
        confidence,
        paired=True,
        most=len(a) - 1,
        rest=counts,
    )


class _VariancePart(NamedTuple):
    """A part of a variance of a mean, and the degrees of freedom of its estimate."""

    variance: float
    freedom: float


class _MeanSquares(NamedTuple):
    """The mean squares of a table of scores: runs by images, one score in each cell."""

    runs: int
    images: int
    run: float
    image: float
    rest: float

    @property
    def cells(self) -> int:
        return self.runs * self.images

    @classmethod
    def of(cls, scores: Float[ndarray, "runs images"]) -> "_MeanSquares":
        """NaN for what one run or one image can't tell."""
        if not np.isfinite(scores).all():
            raise DataError("a score is not finite; score diverged runs before comparing")
        runs, images = scores.shape
        by_run, by_image, mean = scores.mean(axis=1), scores.mean(axis=0), scores.mean()
        if min(runs, images) < 2:
            return cls(runs, images, math.nan, math.nan, math.nan)
        rest = scores - by_run[:, None] - by_image + mean
        return cls(
            runs=runs,
            images=images,
            run=images * float(by_run.var(ddof=1)),
            image=runs * float(by_image.var(ddof=1)),
            rest=float(np.square(rest).sum()) / ((runs - 1) * (images - 1)),
        )


def _rest(layout: _MeanSquares, cells: float, freedom: float) -> _VariancePart:
    """Variance that a layout's rest takes off a mean over so many cells."""
    return _VariancePart(-layout.rest / cells, (layout.runs - 1) * freedom)


def _beyond_runs(image: float, freedom: float, rests: list[_VariancePart]) -> list[_VariancePart]:
    """Variance that the choice of images adds, less the rest, which the runs' has too."""
    if image + sum(rest.variance for rest in rests) <= 0:
        return []
    return [_VariancePart(image, freedom), *rests]


def _interval(
    estimate: float,
    from_runs: list[_VariancePart],
    from_images: list[_VariancePart],
    runs: tuple[int, int],
    confidence: float,
    *,
    paired: bool,
    most: float = math.inf,
    rest: tuple[int, int] = (0, 0),
) -> Difference:
    """The interval for both, or the one for runs alone where that is longer.

    With few runs the images, which are many, lend the sum more degrees of freedom than the runs
    have, and its interval could exclude 0 where that of a part of it does not.
    """

    def student(parts: list[_VariancePart], *, most: float = math.inf) -> Difference:
        total = sum(part.variance for part in parts)
        known = math.isfinite(total) and total > 1e-24
        freedom = total**2 / sum(part.variance**2 / part.freedom for part in parts) if known else 0
        return student_difference(
            estimate,
            error=math.sqrt(total) if known else 0.0,
            freedom=min(freedom, most),
            confidence=confidence,
            runs=runs,
            rest=rest,
            paired=paired,
            population="new images",
        )

    both, runs_alone = student(from_runs + from_images), student(from_runs, most=most)
    if math.isinf(runs_alone.error):
        return both
    return replace(
        both,
        low=min(both.low, runs_alone.low),
        high=max(both.high, runs_alone.high),
        p_value=max(both.p_value, runs_alone.p_value),
    )
