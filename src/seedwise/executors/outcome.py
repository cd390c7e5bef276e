"""The RunRecord of what a training function of the user's returned, checked."""

import math
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from numbers import Real
from typing import Any

import numpy as np
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.executors.example_scores import as_examples, as_scores, regression_scores
from seedwise.executors.predictions import (
    LOGIT_FLOOR,
    as_classes,
    as_logits,
    refuse_one_vs_one,
)
from seedwise.figures import in_points
from seedwise.records import VIEWS, RunRecord
from seedwise.shaped import Float16, Int64

__all__ = ["LOGIT_FLOOR", "as_record", "fraction", "metrics_record", "plain_number"]

_TOLD = 5.1e-3
"""Largest difference of a metric from the mean of its scores: 0.93 for 0.9251."""

_ROUNDING = 1e-5
"""Largest excess of a fraction over 0 to 1 for want of digits: float32 has 1.0000001 for 1."""


def as_record(outcome: Any, *, seconds: float) -> RunRecord:
    """The record of a run from what its training function returned.

    Args:
        outcome: A mapping with `predictions` (as `predictions.as_logits` takes them), perhaps
            `targets`, and any metrics besides; predicted numbers with true ones, of which `mae`,
            `rmse` and `r2` are kept; with `scores`, a mapping of metric names to one
            number for each example; or a mapping of metric names to numbers; or one number, kept
            as the metric `value`. Beside predictions or scores there may be `groups`, the group
            of each example, and `examples`, the name of each. Arrays and numbers may be torch's
            tensors.
        seconds: Wall time of the run.

    Returns:
        A finished run; a diverged one where a prediction is not finite, or no metric is. A metric
        that is not finite, or has a score that is not, beside others that are finite diverged
        under that metric alone.

    Raises:
        DataError: The outcome is none of these.
    """
    returned = dict(outcome) if isinstance(outcome, Mapping) else {"value": outcome}
    returned = {name: _on_host(value) for name, value in returned.items()}
    predictions, targets = returned.pop("predictions", None), returned.pop("targets", None)
    groups, names = returned.pop("groups", None), returned.pop("examples", None)
    scores = _as_scores(returned.pop("scores", None))
    of_numbers = regression_scores(predictions, targets)
    if of_numbers is not None:
        scores, predictions = {**of_numbers, **scores}, None
    metrics = _as_metrics(returned, outcome, needed=predictions is None and not scores)
    metrics |= _means(scores, metrics)
    scores = {name: values for name, values in scores.items() if math.isfinite(metrics[name])}
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    lost = [name for name in metrics if name not in finite]
    bad = [] if finite or predictions is not None else [f"{n} was {metrics[n]}" for n in lost]
    logits, kind = (None, None) if predictions is None else as_logits(predictions)
    if logits is not None:
        shape = np.asarray(predictions).shape
        single = len(shape) == 1 or shape[-1] == 1
        targets = _as_targets(targets, logits, single=single)
        if targets is not None:
            refuse_one_vs_one(predictions, targets)
        if not np.isfinite(logits).all():
            bad.insert(0, "a prediction was not finite")
    kept = None if bad else logits
    sizes = [logits.shape[1]] if logits is not None else [len(each) for each in scores.values()]
    return RunRecord(
        state="diverged" if bad else "finished",
        logits=kept,
        views=() if kept is None else _views(len(kept)),
        metrics=finite,
        seconds=seconds,
        made_by=_made_by() | ({} if kind is None else {"predictions": kind}),
        error=bad[0] if bad else None,
        targets=None if logits is None else targets,
        not_finite=tuple(lost),
        scores={} if bad else scores,
        examples=as_examples(sizes, names, groups),
    )


def metrics_record(metrics: Mapping[str, float], *, seconds: float, source: str) -> RunRecord:
    """The record of a run of which there are metrics only, as `as_record` makes it.

    Args:
        metrics: Numbers by name, one at least.
        seconds: Wall time of the run.
        source: Where the metrics come from.

    Raises:
        DataError: An accuracy is not a fraction.
    """
    metrics = {name: fraction(name, value) for name, value in metrics.items()}
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    lost = tuple(name for name in metrics if name not in finite)
    return RunRecord(
        state="finished" if finite else "diverged",
        logits=None,
        views=(),
        metrics=finite,
        seconds=seconds,
        made_by=_made_by() | {"imported_from": source},
        error=None if finite else f"{lost[0]} was {metrics[lost[0]]}",
        not_finite=lost,
    )


def _as_scores(given: Any) -> dict[str, ndarray]:
    """Scores by metric, their arrays on the host."""
    if isinstance(given, Mapping):
        given = {name: _on_host(values) for name, values in given.items()}
    return {} if given is None else as_scores(given)


def _means(scores: Mapping[str, ndarray], metrics: Mapping[str, float]) -> dict[str, float]:
    """Mean of each metric's scores; NaN where a score is not finite."""
    means = dict[str, float]()
    for name, values in scores.items():
        mean = float(values.mean(dtype=np.float64)) if np.isfinite(values).all() else math.nan
        means[name] = fraction(name, mean)
        given = metrics.get(name, mean)
        if abs(given - mean) > _TOLD * max(1.0, abs(mean)):
            raise DataError(
                f"{name} is {given:g} as given and {mean:g} as the mean of its scores; give a "
                "number that is no mean of scores another name"
            )
    return means


def _as_metrics(values: Mapping[Any, Any], outcome: Any, *, needed: bool) -> dict[str, float]:
    """Metrics by name, as numbers; `needed` where nothing else was returned."""
    values = {name: plain_number(value) for name, value in values.items()}
    if not all(isinstance(value, Real) for value in values.values()) or (needed and not values):
        raise DataError(
            "a training function must return predictions, scores, metrics or a number, got "
            f"{_described(outcome)}; return {{'predictions': logits, 'targets': targets}}, "
            "{'scores': {'f1': one number for each example}}, {'accuracy': 0.93} or 0.93"
        )
    metrics = {str(name): float(value) for name, value in values.items()}
    return {name: fraction(name, value) for name, value in metrics.items()}


def fraction(name: str, value: float) -> float:
    """A metric's value; of an accuracy within 0 and 1, and NaN as it is.

    Raises:
        DataError: It is an accuracy beyond 0 and 1.
    """
    if not in_points(name) or not (value < 0 or value > 1):
        return value
    if -_ROUNDING <= value <= 1 + _ROUNDING:
        return float(round(value))
    raise DataError(
        f"{name} must be a fraction from 0 to 1, got {value:g}; "
        "divide it by 100, or give it another name"
    )


def _on_host(value: Any) -> Any:
    """A tensor of torch's as numpy takes it: on the CPU, without its graph, and not bfloat16."""
    if not (hasattr(value, "detach") and hasattr(value, "cpu")):
        return value
    value = value.detach().cpu()
    return value.float() if value.is_floating_point() and value.element_size() < 4 else value


def plain_number(value: Any) -> Any:
    """The number in an array or tensor of one element; anything else as it is."""
    value = _on_host(value)
    return value.item() if hasattr(value, "item") and np.asarray(value).size == 1 else value


def _described(outcome: Any) -> str:
    if not isinstance(outcome, Mapping):
        return type(outcome).__name__
    parts = (f"{name!r}: {type(value).__name__}" for name, value in outcome.items())
    return f"{{{', '.join(parts)}}}"


def _views(count: int) -> tuple[str, ...]:
    return VIEWS[:count] if count <= len(VIEWS) else tuple(f"view{i}" for i in range(count))


def _as_targets(
    targets: Any, logits: Float16[ndarray, "views examples classes"], *, single: bool
) -> Int64[ndarray, " examples"] | None:
    if targets is None:
        return None
    _, examples, classes = logits.shape
    numbers = as_classes(targets, classes)
    fits = numbers.shape == (examples,) and numbers.dtype.kind in "iu"
    if not fits or numbers.min() < 0 or numbers.max() >= classes:
        if single:
            raise DataError(
                "predictions of one number an example tell two classes apart, and need "
                f"{examples} targets of 0 or 1, got {numbers.dtype} {numbers.shape}; of more "
                "classes give examples x classes, of a regression the predicted numbers"
            )
        raise DataError(
            f"targets must be {examples} class numbers from 0 to {classes - 1}, one for each "
            f"example, got {numbers.dtype} {numbers.shape}"
            + (f" from {numbers.min()} to {numbers.max()}" if numbers.size else "")
        )
    return numbers.astype(np.int64)


def _made_by() -> dict[str, Any]:
    return dict(_environment())


@cache
def _environment() -> Mapping[str, str]:
    return {
        "seedwise": version("seedwise"),  # reads the disk, for a millisecond
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "host": platform.node(),
    }
