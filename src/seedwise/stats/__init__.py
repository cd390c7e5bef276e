"""Statistics: arrays in, values out."""

from seedwise.stats.metrics import (
    METRICS,
    accuracy,
    cross_entropy,
    matched_accuracy,
    smoothed_accuracy,
)

__all__ = ["METRICS", "accuracy", "cross_entropy", "matched_accuracy", "smoothed_accuracy"]
