"""Predictions as people have them, made the float16 logits that a study keeps.

A softmax does not change when a row is shifted, but float16 does: of logits near 1,000 it keeps
steps of 0.5. So each row's largest logit becomes 0 before anything is rounded.
"""

from collections.abc import Mapping
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.shaped import Float, Float16

__all__ = [
    "KINDS",
    "LOGIT_FLOOR",
    "as_classes",
    "as_logits",
    "pairs_of_classes",
    "refuse_one_vs_one",
]

LOGIT_FLOOR = -1e4
"""Logits further below their row's largest, -inf among them, are kept as this: float16 ends at
-65504."""

_SUM_TOLERANCE = 0.05
"""Largest error of a row's sum of probabilities: ten of them with two decimals."""

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "probabilities": "predictions are probabilities (each row adds up to 1); kept as their "
        "logarithms",
        "percentages": "predictions are probabilities in per cent (each row adds up to 100); kept "
        "as their logarithms",
        "one-hot": "predictions are one-hot rows: they name a class and give no probabilities, so "
        "accuracy means something and cross-entropy does not",
        "one probability": "predictions are one number from 0 to 1 an example, taken for the "
        "probability of class 1; kept as log-probabilities of two classes",
        "one logit": "predictions are one number an example, taken for the logit or margin "
        "of class 1 against class 0",
        "wide": f"predictions span more than {-LOGIT_FLOOR:,.0f}: classes that far below a row's "
        "largest are kept as equally unlikely",
    }
)
"""Kinds of predictions besides logits, and the words for each."""

_NARROW = ("bfloat16", "float8")
"""Beginnings of the names of floats that numpy knows from ml_dtypes only, JAX's among them."""

_SIGMAS = 4.0
"""By how many standard deviations votes must be right more often than scores: 1 in 30,000."""

_Rows = Float[ndarray, "views examples classes"]


def as_logits(predictions: Any) -> tuple[Float16[ndarray, "views examples classes"], str | None]:
    """Logits of which each row's largest is 0, and one of `KINDS` where that is to be said.

    Args:
        predictions: Logits, log-probabilities or probabilities; examples x classes, or
            views x examples x classes; of two classes also one number for each example, which
            speaks for class 1. Any float dtype.

    Returns:
        The logits, not finite where a row has NaN, +inf or nothing but -inf; and their kind.

    Raises:
        DataError: They are something else.
    """
    rows = _as_rows(predictions)
    if rows.shape[-1] == 1:
        rows, kind = _of_two_classes(rows)
        return _narrowed(rows), kind
    total = _total_of_probabilities(rows)
    kind = None if total is None else _kind_of_probabilities(rows, total)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if total is not None:
            rows = np.log(np.maximum(rows, 0) / total)
        below = _below_largest(rows)
        if kind is None and ((below < LOGIT_FLOOR) & np.isfinite(rows)).any():
            kind = "wide"
    return np.maximum(below, LOGIT_FLOOR).astype(np.float16), kind


def as_classes(targets: Any, classes: int | None = None) -> ndarray:
    """Labels as class numbers; anything else as it is.

    Text is numbered in its order, as scikit-learn's `classes_` is. Of two classes also False and
    True, -1 and 1, and 0.0 and 1.0 are labels.

    Args:
        targets: One label or number for each example.
        classes: How many classes the predictions have; None if unknown.

    Raises:
        DataError: There are not as many different labels as classes.

    >>> as_classes(["dog", "cat", "dog"]).tolist(), as_classes([-1, 1, 1]).tolist()
    ([1, 0, 1], [0, 1, 1])
    """
    given = np.asarray(targets)
    given = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
    if given.ndim != 1 or not given.size:
        return given
    if given.dtype.kind in "UT" or (given.dtype == object and isinstance(given[0], str)):
        return _numbered(given.astype(str), classes)
    if given.dtype.kind == "b":
        return given.astype(np.int64)
    if given.dtype.kind in "if" and classes in (None, 2):
        if np.isin(given, (-1, 1)).all() and given.min() == -1:
            return (given > 0).astype(np.int64)
        if given.dtype.kind == "f" and np.isin(given, (0, 1)).all():
            return given.astype(np.int64)
    return given


def refuse_one_vs_one(predictions: Any, targets: ndarray) -> None:
    """Refuse decisions between pairs of classes, which no metric of classes can read.

    They are recognised by their number and their content: read as votes of pairs they are right
    beyond chance more often than read as scores of classes.

    Args:
        predictions: As they were given: examples x columns.
        targets: The class of each example.

    Raises:
        DataError: They are such decisions.
    """
    scores = np.asarray(predictions)
    count = int(targets.max()) + 1
    if scores.ndim != 2 or count < 3 or scores.shape[1] != count * (count - 1) // 2:
        return
    votes = np.zeros((len(scores), count))
    for column, (first, second) in zip(scores.T, combinations(range(count), 2), strict=True):
        votes[:, first] += column > 0
        votes[:, second] += column <= 0
    voted, scored = votes.argmax(axis=1) == targets, scores.argmax(axis=1) == targets
    apart = int((voted != scored).sum())
    if int(voted.sum()) - int(scored.sum()) > _SIGMAS * np.sqrt(apart):
        raise DataError(pairs_of_classes(scores.shape[1], count))


def pairs_of_classes(columns: int, classes: int) -> str:
    """Say why decisions between pairs of classes are refused."""
    return (
        f"predictions have {columns} columns for {classes} classes: decisions between pairs of "
        "classes (one-vs-one); give scores of classes, in scikit-learn by "
        "SVC(decision_function_shape='ovr') or predict_proba"
    )


def _numbered(labels: ndarray, classes: int | None) -> ndarray:
    names, numbers = np.unique(labels, return_inverse=True)
    if classes is not None and len(names) != classes:
        shown = ", ".join(map(repr, names[:3].tolist())) + (", ..." if len(names) > 3 else "")
        raise DataError(
            f"targets are {len(names)} labels ({shown}), and predictions have {classes} columns, "
            "so it is unknown which column is which class; give class numbers, e.g. "
            "numpy.searchsorted(model.classes_, targets)"
        )
    return numbers.astype(np.int64)


def _of_two_classes(rows: _Rows) -> tuple[_Rows, str]:
    """Two columns from one, and what it was taken for."""
    if not (rows.min() >= 0 and rows.max() <= 1 + 1e-6):
        return np.concatenate([np.zeros_like(rows), rows], axis=-1), "one logit"
    with np.errstate(divide="ignore"):
        both = np.log(np.concatenate([np.maximum(1 - rows, 0), rows], axis=-1))
    return both, "one-hot" if np.isin(rows, (0, 1)).all() else "one probability"


def _below_largest(rows: _Rows) -> _Rows:
    with np.errstate(invalid="ignore"):
        return rows - rows.max(axis=-1, keepdims=True)  # inf - inf is NaN: the run has diverged


def _narrowed(rows: _Rows) -> Float16[ndarray, "views examples classes"]:
    return np.maximum(_below_largest(rows), LOGIT_FLOOR).astype(np.float16)


def _as_rows(predictions: Any) -> _Rows:
    """Views x examples x classes, in a dtype that can be reckoned in."""
    given = np.asarray(predictions)
    narrow = given.dtype.kind == "V" and given.dtype.name.startswith(_NARROW)
    rows = given.astype(np.float32) if narrow or given.dtype == np.float16 else given
    rows = rows[:, None] if rows.ndim == 1 else rows
    rows = rows[None] if rows.ndim == 2 else rows
    if rows.ndim != 3 or rows.dtype.kind != "f" or 0 in rows.shape:
        number = given.ndim == 1 and given.dtype.kind in "iub"
        classes = "; return the logits, not the classes" if number else ""
        unnamed = (
            "; save bfloat16 as float32: a file forgets it" if given.dtype.kind == "V" else ""
        )
        raise DataError(
            "predictions must be floats, examples x classes or views x examples x classes, got "
            f"{given.dtype} {given.shape}{classes}{unnamed}"
        )
    return rows


def _total_of_probabilities(rows: _Rows) -> float | None:
    """Sum of every row if they are probabilities, 1 or 100; None for logits."""
    if rows.shape[-1] < 2:
        return None
    for total in (1.0, 100.0):
        slack = _SUM_TOLERANCE * total
        few = rows[:, :8]  # logits are told by these, without a pass over all
        if _add_up(few, total, slack) and _add_up(rows, total, slack):
            return total
    return None


def _add_up(rows: _Rows, total: float, slack: float) -> bool:
    inside = rows.min() >= -1e-6 * total and rows.max() <= total + slack
    return bool(inside and (abs(rows.sum(axis=-1, dtype=np.float64) - total) <= slack).all())


def _kind_of_probabilities(rows: _Rows, total: float) -> str:
    if ((rows == 0) | (rows == total)).all():
        return "one-hot"
    return "probabilities" if total == 1 else "percentages"
