"""What a training function of the user's hands back, checked and made a RunRecord."""

import math
import platform
from collections.abc import Mapping
from importlib.metadata import version
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float16, Int64
from numpy import ndarray

from seedwise.errors import DataError
from seedwise.records import VIEWS, RunRecord

__all__ = ["LOGIT_FLOOR", "as_record"]

LOGIT_FLOOR = -1e4
"""Log-probabilities below this, -inf among them, are kept as this: float16 ends at -65504."""


def as_record(outcome: Any, *, seconds: float) -> RunRecord:
    """The record of a run from what its training function returned.

    Args:
        outcome: A mapping with `predictions` (logits or log-probabilities; examples x classes, or
            views x examples x classes; any float dtype, kept as float16) and perhaps `targets`; or
            a mapping of metric names to numbers; or one number, kept as the metric `value`.
        seconds: Wall time of the run.

    Returns:
        A finished run; a diverged one where a prediction or a metric is not finite.

    Raises:
        DataError: The outcome is none of these.
    """
    if isinstance(outcome, Mapping) and "predictions" in outcome:
        return _from_predictions(outcome, seconds)
    metrics = outcome if isinstance(outcome, Mapping) else {"value": outcome}
    if not metrics or not all(isinstance(value, Real) for value in metrics.values()):
        raise DataError(
            "a training function must return predictions, metrics or a number, got "
            f"{type(outcome).__name__}; return {{'predictions': logits, 'targets': targets}}, "
            "{'accuracy': 0.93} or 0.93"
        )
    values = {str(name): float(value) for name, value in metrics.items()}
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    return RunRecord(
        state="diverged" if bad else "finished",
        metrics={name: value for name, value in values.items() if name not in bad},
        seconds=seconds,
        made_by=_made_by(),
        error=f"{bad[0]} was {values[bad[0]]}" if bad else None,
    )


def _from_predictions(outcome: Mapping[str, Any], seconds: float) -> RunRecord:
    logits = _as_logits(outcome["predictions"])
    finite = bool(np.isfinite(logits).all())
    views = VIEWS if len(logits) <= len(VIEWS) else tuple(f"view{i}" for i in range(len(logits)))
    return RunRecord(
        state="finished" if finite else "diverged",
        logits=logits if finite else None,
        views=views[: len(logits)] if finite else (),
        seconds=seconds,
        made_by=_made_by(),
        error=None if finite else "a prediction was not finite in float16",
        targets=_as_targets(outcome.get("targets"), logits),
    )


def _as_logits(predictions: Any) -> Float16[ndarray, "views examples classes"]:
    logits = np.asarray(predictions)
    if logits.ndim == 2:
        logits = logits[None]
    if logits.ndim != 3 or logits.dtype.kind != "f" or 0 in logits.shape:
        raise DataError(
            "predictions must be floats, examples x classes or views x examples x classes, got "
            f"{logits.dtype} {logits.shape}"
        )
    with np.errstate(over="ignore"):  # what does not fit float16 makes the run diverged
        return np.maximum(logits, LOGIT_FLOOR).astype(np.float16)


def _as_targets(
    targets: Any, logits: Float16[ndarray, "views examples classes"]
) -> Int64[ndarray, " examples"] | None:
    if targets is None:
        return None
    _, examples, classes = logits.shape
    numbers = np.asarray(targets)
    fits = numbers.shape == (examples,) and numbers.dtype.kind in "iu"
    if not fits or numbers.min() < 0 or numbers.max() >= classes:
        raise DataError(
            f"targets must be {examples} class numbers from 0 to {classes - 1}, one for each "
            f"example, got {numbers.dtype} {numbers.shape}"
        )
    return numbers.astype(np.int64)


def _made_by() -> Mapping[str, Any]:
    return {
        "seedwise": version("seedwise"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "host": platform.node(),
    }
