"""Metrics that are not means of what predictions are worth: F1, AUC, calibration error.

Each is a function of the distribution of a run's predictions. What a prediction is worth is then
the metric plus the prediction's influence on it, the derivative by its weight (the infinitesimal
jackknife): the mean over predictions is the metric, to the last digits, and what is said of new
examples is what the delta method says. A prediction that ties classes counts for each as a share.

Source: Jaeckel (1972), "The infinitesimal jackknife"; of AUC these are the placements of DeLong,
DeLong & Clarke-Pearson (1988).
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.shaped import Bool, Float64, Int64
from seedwise.stats.blocks import LogitsBlock, Scores
from seedwise.stats.scores import Score

__all__ = [
    "auc",
    "average_precision",
    "balanced_accuracy",
    "calibration_error",
    "class_f1",
    "macro_f1",
]

_Column = Float64[ndarray, " predictions"]


def class_f1(label: int) -> Score:
    """F1 of one class: 2 TP / (predicted + true)."""

    def score(blocks: Sequence[LogitsBlock]) -> Scores:
        shares, targets, shape = _predicted(blocks)
        if label >= len(shares):
            raise DataError(f"there are classes 0 to {len(shares) - 1}, got class {label}")
        found = _f1(shares[label], targets == label)
        if found is None:
            raise DataError(f"class {label} is neither predicted nor true of any example")
        return found.reshape(shape).astype(np.float32)

    return score


def macro_f1(blocks: Sequence[LogitsBlock]) -> Scores:
    """The mean F1 of the classes that are predicted or true."""
    shares, targets, shape = _predicted(blocks)
    return _mean(_f1(share, targets == label) for label, share in enumerate(shares)).reshape(shape)


def balanced_accuracy(blocks: Sequence[LogitsBlock]) -> Scores:
    """The mean over classes of the share of their examples that are predicted right."""
    shares, targets, shape = _predicted(blocks)
    parts = (_recall(share, targets == label) for label, share in enumerate(shares))
    return _mean(parts).reshape(shape)


def auc(blocks: Sequence[LogitsBlock]) -> Scores:
    """The mean over classes of the area under the ROC curve, each class against the rest."""
    return _by_class(blocks, _auc)


def average_precision(blocks: Sequence[LogitsBlock]) -> Scores:
    """The mean over classes of the average precision, each class against the rest."""
    return _by_class(blocks, _average_precision)


def calibration_error(bins: int) -> Score:
    """Expected calibration error: |accuracy - confidence| of equal bins, by their size."""

    def score(blocks: Sequence[LogitsBlock]) -> Scores:
        shares, targets, shape = _predicted(blocks)
        sure = _softmaxes(blocks).max(axis=0)
        right = np.take_along_axis(shares, targets[None], axis=0)[0]
        place = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
        excess = np.bincount(place, sure - right, minlength=bins)
        return (np.sign(excess)[place] * (sure - right)).reshape(shape).astype(np.float32)

    return score


def _by_class(
    blocks: Sequence[LogitsBlock],
    work: Callable[[_Column, Bool[ndarray, " predictions"]], _Column | None],
) -> Scores:
    _, targets, shape = _predicted(blocks)
    parts = (work(own, targets == label) for label, own in enumerate(_softmaxes(blocks)))
    return _mean(parts).reshape(shape)


def _predicted(
    blocks: Sequence[LogitsBlock],
) -> tuple[
    Float64[ndarray, "classes predictions"], Int64[ndarray, " predictions"], tuple[int, int]
]:
    """Share of each class in each prediction, 1 but for ties; targets; views and examples."""
    columns = np.concatenate([each for each, _ in blocks], axis=2)
    targets = np.concatenate([each for _, each in blocks])
    classes, views, examples = columns.shape
    largest = (columns == columns.max(axis=0)).astype(np.float64)
    shares = (largest / largest.sum(axis=0)).reshape(classes, -1)
    return shares, np.tile(targets, views), (views, examples)


def _softmaxes(blocks: Sequence[LogitsBlock]) -> Float64[ndarray, "classes predictions"]:
    columns = np.concatenate([each for each, _ in blocks], axis=2).astype(np.float64)
    powers = np.exp(columns - columns.max(axis=0))
    return (powers / powers.sum(axis=0)).reshape(len(columns), -1)


def _mean(parts: Iterator[_Column | None]) -> Scores:
    """The mean over the classes that have the metric."""
    known = [part for part in parts if part is not None]
    if not known:
        raise DataError("all examples are of one class: this metric tells classes apart")
    return np.mean(known, axis=0).astype(np.float32)


def _f1(share: _Column, true: Bool[ndarray, " predictions"]) -> _Column | None:
    both = share.mean() + true.mean()
    if not both:
        return None
    hit = share * true
    f1 = 2 * hit.mean() / both
    return f1 + (2 * hit - f1 * (share + true)) / both


def _recall(share: _Column, true: Bool[ndarray, " predictions"]) -> _Column | None:
    if not true.any():
        return None
    recall = share[true].mean()
    return recall + true * (share - recall) / true.mean()


def _auc(worth: _Column, true: Bool[ndarray, " predictions"]) -> _Column | None:
    if true.all() or not true.any():
        return None
    placed = np.empty(len(worth))
    placed[true] = _share_below(worth[true], worth[~true])
    placed[~true] = 1 - _share_below(worth[~true], worth[true])
    area = placed[true].mean()
    return area + (placed - area) / np.where(true, true.mean(), 1 - true.mean())


def _share_below(values: _Column, others: _Column) -> _Column:
    """The share of the others that is below each value, equal ones half."""
    ordered = np.sort(others)
    sides = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return sum(sides) / (2 * len(ordered))  # type: ignore[arg-type, return-value]


def _average_precision(worth: _Column, true: Bool[ndarray, " predictions"]) -> _Column | None:
    """Of precision at each true prediction's own threshold: d precision = (true - precision) / C.

    C is the share of predictions at or above the threshold; each prediction at or above moves it.
    """
    if not true.any():
        return None
    _, place = np.unique(-worth, return_inverse=True)  # thresholds from the highest on
    counts, hits = np.bincount(place), np.bincount(place, true)
    above, precision = np.cumsum(counts), np.cumsum(hits) / np.cumsum(counts)
    rate = true.mean()
    whole = float((hits * precision).sum() / hits.sum())
    slopes = hits / hits.sum() * len(worth) / above
    level = np.cumsum(slopes[::-1])[::-1]  # of thresholds at or below a prediction's own
    drag = np.cumsum((slopes * precision)[::-1])[::-1]
    moved = true * level[place] - drag[place]
    return whole + true * (precision[place] - whole) / rate + moved
