"""Statistics: arrays in, values out.

What this package offers is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seedwise.stats.metrics import (
        METRICS,
        accuracy,
        brier,
        calibrated_cross_entropy,
        class_accuracy,
        cross_entropy,
        matched_accuracy,
        ranked_accuracy,
        smoothed_accuracy,
        top_accuracy,
    )

__all__ = [
    "METRICS",
    "accuracy",
    "brier",
    "calibrated_cross_entropy",
    "class_accuracy",
    "cross_entropy",
    "matched_accuracy",
    "ranked_accuracy",
    "smoothed_accuracy",
    "top_accuracy",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is first used: a worker needs no metric."""
    if name not in __all__:
        raise AttributeError(f"module 'seedwise.stats' has no attribute {name!r}")
    return getattr(importlib.import_module("seedwise.stats.metrics"), name)
