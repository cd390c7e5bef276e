"""Scores of predictions: what each metric is the mean of.

Of 5,000 predictions of 10 classes, 1,000 runs take 0.2 to 0.6 s on 2 cores, and 1.0 to 1.5 s where
something is fitted or ranked.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.shaped import Float32, Float64, Int64
from seedwise.stats.blocks import (
    Blocks,
    ClassColumns,
    Logits,
    LogitsBlock,
    Scores,
    Targets,
    Views,
    check_logits,
    mapped,
    spread,
)

__all__ = [
    "Score",
    "brier",
    "calibrated_nll",
    "each_run",
    "image_scores",
    "matched",
    "nll",
    "ranked",
    "right",
    "smoothed",
    "top",
]

Score = Callable[[Sequence[LogitsBlock]], Scores]
"""From the blocks of a run, in their order, the score of each prediction."""

_Part = TypeVar("_Part")

_SHARPEST = 1e6
"""Beyond this factor on float16 logits, a softmax is an argmax."""


def _by_block(score: Callable[[ClassColumns, Targets], Scores]) -> Score:
    """A score that needs nothing but the prediction itself."""

    def whole(blocks: Sequence[LogitsBlock]) -> Scores:
        return _joined(blocks, lambda block: score(*block))

    return whole


def _joined(blocks: Sequence[_Part], work: Callable[[_Part], Scores]) -> Scores:
    """Work on each block, side by side; on all cores where there are several."""
    return np.concatenate(list(mapped(work, blocks)), axis=1)


@_by_block
def right(columns: ClassColumns, targets: Targets) -> Scores:
    """1 where the target has the largest logit, 1/k where k tie for it, else 0."""
    largest = columns.max(axis=0)
    hit = _of_target(columns, targets) == largest
    return hit / (columns == largest).sum(axis=0, dtype=np.float32)


def top(k: int) -> Score:
    """1 where fewer than k logits are above the target's; a tie over the last places is shared."""
    if k < 1:
        raise DataError(f"k must be 1 or more, got {k}")

    @_by_block
    def score(columns: ClassColumns, targets: Targets) -> Scores:
        own = _of_target(columns, targets)
        above = (columns > own).sum(axis=0, dtype=np.float32)
        tied = (columns == own).sum(axis=0, dtype=np.float32)
        return np.clip((k - above) / tied, 0, 1)

    return score


def smoothed(beta: float) -> Score:
    """softmax(beta * logits) at the target."""
    if not beta > 0:
        raise DataError(f"beta must be above 0, got {beta}")

    @_by_block
    def score(columns: ClassColumns, targets: Targets) -> Scores:
        return _softmax_at(columns - columns.max(axis=0), targets, beta)

    return score


def matched(level: float) -> Score:
    """softmax(beta * logits) at the target, beta such that the mean largest softmax is `level`."""

    def score(blocks: Sequence[LogitsBlock]) -> Scores:
        below = _shifted(blocks)
        classes = len(below[0][0])
        if not 1 / classes < level < 1:
            raise DataError(
                f"level must be between 1/classes = {1 / classes:.3g} and 1, got {level}"
            )
        beta = _matching_beta([columns for columns, _ in below], level)
        return _joined(below, lambda block: _softmax_at(*block, beta))

    return score


def ranked(level: float) -> Score:
    """1 - (1 - u)^p / 2 for a right prediction at quantile u of the margins; see the metric."""
    if not 0.5 < level < 1:
        raise DataError(f"level must be between 0.5 and 1, got {level}")
    power = 0.5 / (1 - level) - 1

    def parts(block: LogitsBlock) -> Float32[ndarray, "three views examples"]:
        columns, targets = block
        second, first = np.partition(columns, -2, axis=0)[-2:]
        own = _of_target(columns, targets)
        hit = (own == first) / (columns == first).sum(axis=0, dtype=np.float32)
        near = (own == second) / (columns == second).sum(axis=0, dtype=np.float32)
        return np.stack([first - second, hit, near])

    def score(blocks: Sequence[LogitsBlock]) -> Scores:
        margins, hit, near = np.concatenate(list(mapped(parts, blocks)), axis=2)
        weights = 1 - 0.5 * (1 - _quantiles(margins)) ** power
        mixed = weights * hit + (1 - weights) * near
        return np.where(margins > 0, mixed, hit).astype(np.float32)

    return score


@_by_block
def nll(columns: ClassColumns, targets: Targets) -> Scores:
    """-log softmax(logits) at the target, in nats."""
    below = columns - columns.max(axis=0)
    return np.log(np.exp(below).sum(axis=0)) - _of_target(below, targets)


def calibrated_nll(blocks: Sequence[LogitsBlock]) -> Scores:
    """-log softmax(beta * logits) at the target, beta fitted on the other half of the images.

    The images of each class are dealt to the halves in turn; the views of an image stay together.
    """
    below = _shifted(blocks)
    half = _halves(np.concatenate([targets for _, targets in below]))
    ends = np.cumsum([len(targets) for _, targets in below])[:-1]
    halves = np.split(half, ends)

    # compress, as a mask in brackets would leave the classes scattered in memory: 4 times as slow
    def others(h: int) -> list[tuple[ClassColumns, Scores]]:
        return [
            (columns.compress(mine != h, axis=2), own.compress(mine != h, axis=1))
            for (columns, targets), mine in zip(below, halves, strict=True)
            for own in (_of_target(columns, targets),)
        ]

    betas = np.array([_fitted_beta(others(h)) for h in (0, 1)], np.float32)

    def score(part: tuple[LogitsBlock, Int64[ndarray, " examples"]]) -> Scores:
        (columns, targets), mine = part
        beta = betas[mine]
        return np.log(np.exp(columns * beta).sum(axis=0)) - beta * _of_target(columns, targets)

    return _joined(list(zip(below, halves, strict=True)), score)


@_by_block
def brier(columns: ClassColumns, targets: Targets) -> Scores:
    """Squared distance of softmax(logits) from the target: 0 at best, 2 at worst."""
    powers = np.exp(columns - columns.max(axis=0))
    shares = powers / powers.sum(axis=0)
    return (shares * shares).sum(axis=0) - 2 * _of_target(shares, targets) + 1


def each_run(
    score: Score, logits: Logits, targets: Targets, views: Views
) -> float | Float64[ndarray, " runs"]:
    """The mean score of one run, or of each of several."""
    check_logits(logits, targets, views)

    def mean(run: Logits) -> float:
        return float(score(Blocks(run, targets, views)).mean(dtype=np.float64))

    if logits.ndim < 4:
        return mean(logits)
    return np.array(spread(mean, logits), dtype=np.float64)


def image_scores(
    score: Score, logits: Logits, targets: Targets, views: Views
) -> Float32[ndarray, "runs examples"]:
    """The score of each image in each run: the mean over its views.

    Args:
        score: What each prediction is worth.
        logits: Several runs: (runs, views, examples, classes).
        targets: Class of each example.
        views: Which views count.
    """
    check_logits(logits, targets, views)

    def by_image(run: Logits) -> Float32[ndarray, " examples"]:
        return score(Blocks(run, targets, views)).mean(axis=0)

    return np.array(spread(by_image, logits)).reshape(len(logits), len(targets))


def _shifted(blocks: Sequence[LogitsBlock]) -> list[LogitsBlock]:
    """The blocks less each prediction's largest logit; kept, as fits go over them often."""

    def below(block: LogitsBlock) -> LogitsBlock:
        columns, targets = block
        return columns - columns.max(axis=0), targets

    return list(mapped(below, blocks))


def _of_target(columns: ClassColumns, targets: Targets) -> Scores:
    _, views, examples = columns.shape
    return columns[targets, np.arange(views)[:, None], np.arange(examples)]


def _quantiles(margins: Scores) -> Scores:
    """The place of each among all, in (0, 1); equal margins share the middle of theirs."""
    ordered = np.sort(margins, axis=None)
    below, to = (np.searchsorted(ordered, margins, side) for side in ("left", "right"))
    return ((below + to) / 2 / margins.size).astype(np.float32)


def _softmax_at(below: ClassColumns, targets: Targets, beta: float) -> Scores:
    powers = np.exp(below * np.float32(beta))
    return _of_target(powers, targets) / powers.sum(axis=0)


def _halves(targets: Targets) -> Int64[ndarray, " examples"]:
    """0 or 1 for each image: those of each class in turn."""
    order = np.argsort(targets, kind="stable")
    ordered = targets[order]
    within = np.arange(len(targets)) - np.searchsorted(ordered, ordered)
    half = np.empty(len(targets), np.int64)
    half[order] = within % 2
    return half


def _matching_beta(below: Sequence[ClassColumns], level: float) -> float:
    """The factor at which the mean largest softmax is `level`. It rises with beta."""

    def gap(beta: float) -> tuple[float, float]:
        def of(columns: ClassColumns) -> tuple[Scores, Scores]:
            powers = np.exp(columns * np.float32(beta))
            totals = powers.sum(axis=0)
            slopes = -np.einsum("cvi,cvi->vi", columns, powers) / (totals * totals)
            return 1 / totals, slopes

        largest, slope = _means(of, below)
        return largest - level, beta * slope

    if len(below) > 1:
        few = [columns[:, :, :: len(below)] for columns in below]
        return _root(gap, start=_matching_beta([np.concatenate(few, axis=2)], level))
    return _root(gap)


def _fitted_beta(below: Sequence[tuple[ClassColumns, Scores]]) -> float:
    """The factor with the least mean -log softmax at the target; its slope rises with beta."""

    def slope(beta: float) -> tuple[float, float]:
        def of(part: tuple[ClassColumns, Scores]) -> tuple[Scores, Scores]:
            columns, own = part
            powers = np.exp(columns * np.float32(beta))
            weighted = columns * powers
            totals = powers.sum(axis=0)
            first = weighted.sum(axis=0) / totals
            second = np.einsum("cvi,cvi->vi", columns, weighted) / totals - first * first
            return first - own, second

        first, second = _means(of, below)
        return first, beta * second

    if len(below) > 1:
        few = [(columns[:, :, :: len(below)], own[:, :: len(below)]) for columns, own in below]
        some = [np.concatenate(parts, axis=-1) for parts in zip(*few, strict=True)]
        return _root(slope, start=_fitted_beta([(some[0], some[1])]))
    return _root(slope)


def _means(
    work: Callable[[_Part], tuple[Scores, Scores]], parts: Sequence[_Part]
) -> tuple[float, float]:
    """Means over all predictions of two numbers of each."""
    first, second = zip(*mapped(work, parts), strict=True)
    return _mean(first), _mean(second)


def _mean(blocks: Sequence[Scores]) -> float:
    whole = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
    return float(whole.sum(dtype=np.float64) / whole.size)


def _root(function: Callable[[float], tuple[float, float]], start: float = 1.0) -> float:
    """Root of a rising function of beta: Newton in log beta, bracketed.

    Args:
        function: Gives the value at beta and its derivative by log beta.
        start: The first beta: of many predictions, what fits a part of them; it saves half of
            the passes over all.

    Returns:
        The root; the sharpest or the flattest beta where there is none (ties).
    """
    low, high = np.log(1 / _SHARPEST), np.log(_SHARPEST)
    at = float(np.clip(np.log(start), low, high))
    for _ in range(60):
        value, slope = function(float(np.exp(at)))
        low, high = (low, at) if value > 0 else (at, high)
        step = -value / slope if slope > 0 else np.inf
        # 1e-7 in log beta moves the metric by less than float32 rounds it
        if abs(step) < 1e-7 or high - low < 1e-7:
            break
        at = at + step if low < at + step < high else (low + high) / 2
    return float(np.exp(at))
