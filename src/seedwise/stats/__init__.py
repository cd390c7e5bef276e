"""Statistics: arrays in, values out."""

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
