"""The making of a study's runs, and their learning curves, epoch by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seedwise.comparison.study_runs import places_of_results
from seedwise.seeds import Seed
from seedwise.store import StoredRun

__all__ = [
    "FIGURES",
    "Environment",
    "LearningCurve",
    "LostRun",
    "environments",
    "learning_curve",
    "lost_runs",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Runs that were made in the same way.

    Attributes:
        made_by: Machine, device, versions, threads, kernels; a nested name is `outer.inner`.
        runs: How many results of each setup.
        seconds: Their wall time together.
    """

    made_by: Mapping[str, Any]
    runs: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRun:
    """A run without figures.

    Attributes:
        setup: Name of its setup.
        seed: Its seed.
        state: `diverged`, which is a result; or `failed`, which is to be tried again.
        tries: How often it failed; 1 for a diverged run.
        error: What went wrong, at the last try.
    """

    setup: str
    seed: Seed
    state: str
    tries: int
    error: str


def environments(runs: Sequence[StoredRun]) -> tuple[Environment, ...]:
    """The ways in which results were made, the most used first."""
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        if run.state != "failed":
            groups.setdefault(repr(sorted(_flat(run.made_by).items())), []).append(run)
    found = [
        Environment(
            made_by=_flat(some[0].made_by),
            runs={
                name: sum(run.setup == name for run in some)
                for name in dict.fromkeys(run.setup for run in some)
            },
            seconds=sum(run.seconds for run in some),
        )
        for some in groups.values()
    ]
    return tuple(sorted(found, key=lambda one: -sum(one.runs.values())))


def lost_runs(runs: Sequence[StoredRun]) -> tuple[LostRun, ...]:
    """The diverged runs, and the seeds of which every try has failed so far."""
    results = places_of_results(runs)
    failed: dict[tuple[str, Seed], list[StoredRun]] = {}
    for run in runs:
        if run.state == "failed" and (run.setup, run.seed) not in results:
            failed.setdefault((run.setup, run.seed), []).append(run)
    diverged = [[run] for run in runs if run.state == "diverged"]
    return tuple(
        LostRun(
            setup=tries[-1].setup,
            seed=tries[-1].seed,
            state=tries[-1].state,
            tries=len(tries),
            error=tries[-1].error or "",
        )
        for tries in (*diverged, *failed.values())
    )


def _flat(made_by: Mapping[str, Any], outer: str = "") -> dict[str, Any]:
    found = dict[str, Any]()
    for name, value in made_by.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{outer}{name}.")
        else:
            found[f"{outer}{name}"] = value
    return found


FIGURES = ("accuracy", "valid_loss", "train_loss")
"""Figures that are kept after each epoch and drawn."""

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
