"""How runs learn: the figures after each epoch, over the runs of a setup."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seedwise.store import StoredRun

__all__ = ["FIGURES", "LearningCurve", "learning_curve"]

FIGURES = ("accuracy", "valid_loss", "train_loss")
"""What is kept after each epoch and drawn."""

_MIDDLE = (0.1, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningCurve:
    """One figure of a setup's finished runs after each epoch.

    Attributes:
        setup: Name of the setup.
        figure: One of `FIGURES`.
        runs: Number of runs.
        mean: Their mean after each epoch.
        low: The tenth percentile of the runs: with `high` it holds the middle 80 % of them.
        high: The ninetieth.
    """

    setup: str
    figure: str
    runs: int
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def learning_curve(setup: str, figure: str, runs: Sequence[StoredRun]) -> LearningCurve | None:
    """The curve of one figure; None where no finished run has epochs.

    Runs of fewer epochs than the longest are left out: a mean over other runs from one epoch to
    the next would bend the curve.

    Args:
        setup: Name of the setup.
        figure: One of `FIGURES`.
        runs: Its runs.
    """
    finished = [run for run in runs if run.state == "finished" and run.epochs]
    if not finished:
        return None
    length = max(len(run.epochs) for run in finished)
    whole = [run for run in finished if len(run.epochs) == length]
    values = np.array([[getattr(epoch, figure) for epoch in run.epochs] for run in whole])
    low, high = np.quantile(values, _MIDDLE, axis=0)
    return LearningCurve(
        setup=setup,
        figure=figure,
        runs=len(whole),
        mean=tuple(values.mean(axis=0).tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
    )
