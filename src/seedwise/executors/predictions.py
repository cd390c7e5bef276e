"""Predictions as people have them, made the float16 logits that a study keeps.

A softmax does not change when a row is shifted, but float16 does: of logits near 1,000 it keeps
steps of 0.5. So each row's largest logit becomes 0 before anything is rounded.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float, Float16
from numpy import ndarray

from seedwise.errors import DataError

__all__ = ["KINDS", "LOGIT_FLOOR", "as_logits"]

LOGIT_FLOOR = -1e4
"""Logits further below their row's largest, -inf among them, are kept as this: float16 ends at
-65504."""

_SUM_TOLERANCE = 0.05
"""How far a row of probabilities may be from its sum: ten of them with two decimals."""

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "probabilities": "predictions are probabilities (each row adds up to 1); kept as their "
        "logarithms",
        "percentages": "predictions are probabilities in per cent (each row adds up to 100); kept "
        "as their logarithms",
        "one-hot": "predictions are one-hot rows: they name a class and give no probabilities, so "
        "accuracy means something and cross-entropy does not",
        "wide": f"predictions span more than {-LOGIT_FLOOR:,.0f}: classes that far below a row's "
        "largest are kept as equally unlikely",
    }
)
"""What predictions may be besides logits as they are kept, and what is said of it."""

_NARROW = ("bfloat16", "float8")
"""Beginnings of the names of floats that numpy knows from ml_dtypes only, JAX's among them."""

_Rows = Float[ndarray, "views examples classes"]


def as_logits(predictions: Any) -> tuple[Float16[ndarray, "views examples classes"], str | None]:
    """Logits of which each row's largest is 0, and one of `KINDS` where that is to be said.

    Args:
        predictions: Logits, log-probabilities or probabilities; examples x classes, or
            views x examples x classes; any float dtype.

    Returns:
        The logits, not finite where a row has NaN, +inf or nothing but -inf; and their kind.

    Raises:
        DataError: They are something else.
    """
    rows = _as_rows(predictions)
    total = _total_of_probabilities(rows)
    kind = None if total is None else _kind_of_probabilities(rows, total)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if total is not None:
            rows = np.log(np.maximum(rows, 0) / total)
        below = rows - rows.max(axis=-1, keepdims=True)  # inf - inf is NaN: the run has diverged
        if kind is None and ((below < LOGIT_FLOOR) & np.isfinite(rows)).any():
            kind = "wide"
    return np.maximum(below, LOGIT_FLOOR).astype(np.float16), kind


def _as_rows(predictions: Any) -> _Rows:
    """Views x examples x classes, in a dtype that can be reckoned in."""
    given = np.asarray(predictions)
    narrow = given.dtype.kind == "V" and given.dtype.name.startswith(_NARROW)
    rows = given.astype(np.float32) if narrow or given.dtype == np.float16 else given
    rows = rows[None] if rows.ndim == 2 else rows
    if rows.ndim != 3 or rows.dtype.kind != "f" or 0 in rows.shape:
        classes = "; return the logits, not the classes" if given.ndim == 1 else ""
        raise DataError(
            "predictions must be floats, examples x classes or views x examples x classes, got "
            f"{given.dtype} {given.shape}{classes}"
        )
    return rows


def _total_of_probabilities(rows: _Rows) -> float | None:
    """What every row adds up to if they are probabilities, 1 or 100; None for logits."""
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
