"""A run against its repeat: whether the machine does the same twice, and what that costs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from seedwise.comparison.copies import independent_runs
from seedwise.comparison.scores import metric_names, repeat_values, score
from seedwise.comparison.study_runs import StudyRuns
from seedwise.comparison.variance import replicates
from seedwise.errors import StudyError
from seedwise.records import EpochRecord, State
from seedwise.seeds import Seed
from seedwise.shaped import Float16
from seedwise.stats.intervals import Sample
from seedwise.store import StoredRepeat, StoredRun

__all__ = ["Floor", "RepeatComparison", "compare_repeat"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Limit of pairing under one metric, from repeats of a setup's runs.

    Attributes:
        run: The metric of the run.
        repeat: The metric of its repeat; NaN where it has none.
        repeats: How many repeats of the setup's runs are known, this one included.
        sd: Standard deviation of the difference of two trainings with the same seeds, from all
            those repeats: no paired difference varies less. 0 where all were identical.
        sd_seeds: That of the difference of two unrelated runs, sqrt(2) times the setup's; NaN
            below two runs that share no seed.
    """

    run: float
    repeat: float
    repeats: int
    sd: float
    sd_seeds: float

    @property
    def most_saved(self) -> float:
        """By what factor pairing can cut the runs at most, here; inf without a floor."""
        return (self.sd_seeds / self.sd) ** 2 if self.sd > 0 else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatComparison:
    """A stored run against the same training once more.

    Attributes:
        setup: Name of the setup.
        seed: The seed of both.
        run: Number of the run.
        repeat: Number of the repeat.
        states: How each ended.
        identical: Whether both ended alike with the same logits (or, without predictions, the
            same metrics), bit for bit.
        largest_difference: Of any two logits, in their units; NaN without logits in both.
        churn: Share of the predictions whose class differs, in [0, 1]; NaN likewise.
        first_epoch: The first epoch, from 0, whose figures differ; None if none does, or none is
            known. Times are not looked at.
        floors: What it means for pairing, under each metric.
        made_otherwise: What differs in how they were made: the run's and the repeat's.
    """

    setup: str
    seed: Seed
    run: int
    repeat: int
    states: tuple[State, State]
    identical: bool
    largest_difference: float
    churn: float
    first_epoch: float | None
    floors: Mapping[str, Floor]
    made_otherwise: Mapping[str, tuple[Any, Any]]


def compare_repeat(study: StudyRuns, run: StoredRun, repeat_id: int) -> RepeatComparison:
    """Compare a run with one of its repeats.

    Raises:
        StudyError: The run has no such repeat.
    """
    repeat = next((one for one in study.repeats([run]) if one.id == repeat_id), None)
    if repeat is None:
        raise StudyError(f"run {run.id} of {study.path} has no repeat {repeat_id}")
    identical = (run.state, run.metrics, run.views) == (repeat.state, repeat.metrics, repeat.views)
    largest = churn = math.nan
    if run.has_logits and repeat.has_logits:
        first, second = (
            study.logits([run], views=len(run.views))[0],
            study.repeat_logits(repeat, views=len(repeat.views)),
        )
        identical = identical and first.tobytes() == second.tobytes()
        largest = _largest(first, second)
        churn = float((first.argmax(axis=2) != second.argmax(axis=2)).mean())
    return RepeatComparison(
        setup=run.setup,
        seed=run.seed,
        run=run.id,
        repeat=repeat.id,
        states=(run.state, repeat.state),
        identical=identical,
        largest_difference=largest,
        churn=churn,
        first_epoch=_first_epoch(run, repeat),
        floors=_floors(study, run, repeat),
        made_otherwise={
            key: (run.made_by.get(key), repeat.made_by.get(key))
            for key in sorted({*run.made_by, *repeat.made_by})
            if run.made_by.get(key) != repeat.made_by.get(key)
        },
    )


def _floors(study: StudyRuns, run: StoredRun, repeat: StoredRepeat) -> Mapping[str, Floor]:
    """The floor under each metric that the setup's runs have, from all of their repeats."""
    finished = [one for one in study.of(run.setup) if one.state == "finished"]
    if run.state != "finished" or repeat.state != "finished":
        return {}
    metrics = metric_names(finished)
    whole = score(study, finished, metrics)
    ids = [one.id for one in finished]
    repeats = [one for one in study.repeats(finished) if one.state == "finished"]
    again = repeat_values(study, repeats, metrics)
    place, mine = ids.index(run.id), [one.id for one in repeats].index(repeat.id)
    chosen = {one.id for one in independent_runs(finished)}
    inside = [number in chosen for number in ids]
    floors: dict[str, Floor] = {}
    for name in metrics:
        values = whole.values[name]
        noise = replicates(finished, values, repeats, again[name])
        floors[name] = Floor(
            run=float(values[place]),
            repeat=float(again[name][mine]),
            repeats=noise.freedom,
            sd=math.sqrt(2 * noise.variance),
            sd_seeds=math.sqrt(2) * Sample.of(values[inside]).sd,
        )
    return floors


def _first_epoch(run: StoredRun, repeat: StoredRepeat) -> float | None:
    for one, other in zip(run.epochs, repeat.epochs, strict=False):
        if one.epoch != other.epoch or _but_time(one) != _but_time(other):
            return one.epoch
    return None


def _but_time(epoch: EpochRecord) -> Mapping[str, str]:
    """The figures of an epoch as text: a loss that is not a number equals itself there."""
    return {name: repr(value) for name, value in epoch.figures.items() if name != "seconds"}


def _largest(
    a: Float16[ndarray, "views examples classes"], b: Float16[ndarray, "views examples classes"]
) -> float:
    return float(np.abs(a.astype(np.float32) - b.astype(np.float32)).max())
