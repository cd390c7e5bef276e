"""The making of a study's runs, and their learning curves, epoch by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seedwise.comparison.study_runs import places_of_results
from seedwise.seeds import Seed
from seedwise.store import StoredRun

__all__ = [
    "Environment",
    "LearningCurve",
    "LostRun",
    "environments",
    "learning_curve",
    "logged_figures",
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


_BUILT_IN = ("accuracy", "valid_loss", "train_loss")
"""Figures of the built-in training that are drawn."""

_MIDDLE = (0.1, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningCurve:
    """One figure of a setup's finished runs after each epoch.

    Attributes:
        setup: Name of the setup.
        figure: Name of the figure.
        runs: Number of runs.
        finished: Number of finished runs; those beyond `runs` ended or logged otherwise.
        epochs: The epochs.
        longest: The last epoch of any run, which may have gone on for longer than the others.
        mean: Mean of the runs after each of them; not finite where a run's figure is not.
        low: The tenth percentile of the runs: with `high` it holds the middle 80 % of them.
        high: The ninetieth.
    """

    setup: str
    figure: str
    runs: int
    finished: int
    epochs: tuple[float, ...]
    longest: float
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def logged_figures(runs: Sequence[StoredRun], *, built_in: bool) -> tuple[str, ...]:
    """The figures of some runs of a setup that are drawn, by name."""
    names = {name for run in runs for each in run.epochs for name in each.figures}
    if not built_in:
        return tuple(sorted(names))
    drawn = (name for name in sorted(names) if _of_task(name) in _BUILT_IN)
    return tuple(sorted(drawn, key=lambda name: _BUILT_IN.index(_of_task(name))))


def learning_curve(
    setup: str, figure: str, runs: Sequence[StoredRun], *, built_in: bool
) -> LearningCurve | None:
    """The curve of one figure; None where no finished run has it.

    It is a mean over the same runs from end to end: over others from one epoch to the next it
    would bend. Where some runs ended sooner, as early stopping has them, it goes to where the most
    values are: as many runs times as many epochs as can be.

    Args:
        setup: Name of the setup.
        figure: Name of the figure.
        runs: Its runs.
        built_in: The built-in training made them, which counts epochs from 0: here the first is 1.
    """
    finished = [run for run in runs if run.state == "finished"]
    logged = [_by_epoch(run, figure, 1 if built_in else 0) for run in finished]
    logged = [each for each in logged if each]
    if not logged:
        return None
    whole, epochs = _largest_block(logged)
    values = np.array([[each[epoch] for epoch in epochs] for each in whole])
    with np.errstate(invalid="ignore"):  # infinite losses
        mean = values.mean(axis=0)
        low, high = np.quantile(values, _MIDDLE, axis=0)
    return LearningCurve(
        setup=setup,
        figure=figure,
        runs=len(whole),
        finished=len(finished),
        epochs=tuple(epochs),
        longest=max(map(max, logged)),
        mean=tuple(mean.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
    )


def _of_task(figure: str) -> str:
    """A figure without the task that stands before it in a suite."""
    return figure.rpartition("/")[2]


def _by_epoch(run: StoredRun, figure: str, first: int) -> dict[float, float]:
    """A figure of a run, by epoch; the first epoch has the number 0 or 1 in a chart."""
    return {
        each.epoch + first: each.figures[figure] for each in run.epochs if figure in each.figures
    }


def _largest_block(
    logged: Sequence[Mapping[float, float]],
) -> tuple[Sequence[Mapping[float, float]], Sequence[float]]:
    """The runs that go on for longest, and the epochs that all of them have.

    Of the longest run, the two longest and so on, those whose runs times epochs are the most.
    """
    longest = sorted(logged, key=lambda each: -max(each))
    common, best, most = set(longest[0]), 0, 0
    shared = list[set[float]]()
    for place, each in enumerate(longest, start=1):
        common = common & each.keys()
        shared.append(common)
        if place * len(common) > most:
            best, most = place, place * len(common)
    return longest[:best], sorted(shared[best - 1])
