"""Null comparisons: sets of runs between which there is no difference, and who rejects them."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from seedwise.comparison.scores import metric_values
from seedwise.comparison.stopping import differences
from seedwise.comparison.study_runs import StudyRuns, results_by_seed
from seedwise.errors import StudyError
from seedwise.seeds import Seed
from seedwise.shaped import Float64
from seedwise.stats.collapse import share_interval
from seedwise.stats.intervals import paired_difference, unpaired_difference
from seedwise.stats.sequential import SequentialRule, decide
from seedwise.stats.variance import Estimate
from seedwise.store import StoredRun

__all__ = [
    "Judge",
    "NullComparisons",
    "NullRate",
    "judge_nulls",
    "stop_judge",
    "t_judge",
]

Judge = Callable[[StudyRuns, Sequence[StoredRun], Sequence[StoredRun], bool], bool]
"""Judges of two sets of finished runs: True if they find a difference, given the study the runs
are in; the last argument says whether they are pairs, in the same order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NullRate:
    """Rate at which a verdict found a difference where there is none.

    Attributes:
        comparisons: Null comparisons, on disjoint sets of seeds.
        rejected: How many were called different.
        rate: Their share, with its exact binomial interval (Clopper and Pearson, 1934).
        incomplete: Sets left out for a run that diverged or is not there.
    """

    comparisons: int
    rejected: int
    rate: Estimate
    incomplete: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NullComparisons:
    """Results of a verdict on null comparisons of a setup.

    Attributes:
        setup: Name of the setup.
        metric: The metric of the standard deviations below.
        runs: Runs on each side of a comparison.
        unpaired: The setup against itself with other seeds.
        paired: The setup against its twin (learning rate x 1.0001) with the same seeds; None for
            a training function that has no learning rate of ours.
        sd_unpaired: Standard deviation of the difference of two unrelated runs; NaN below two.
        sd_paired: Standard deviation of the differences of twins: the floor under a paired
            difference, which only pairs of the very same training could undercut.
    """

    setup: str
    metric: str
    runs: int
    unpaired: NullRate
    paired: NullRate | None
    sd_unpaired: float
    sd_paired: float


def t_judge(*, metric: str = "accuracy", alpha: float) -> Judge:
    """The t test on a fixed number of runs: Student's on pairs, Welch's otherwise.

    Args:
        metric: Name of the metric.
        alpha: Rate of false alarms that it states, in (0, 1).
    """

    def judge(
        study: StudyRuns, a: Sequence[StoredRun], b: Sequence[StoredRun], paired: bool
    ) -> bool:
        values = _values(study, metric, [*a, *b])
        one, other = (np.array([values[run.id] for run in runs]) for runs in (a, b))
        difference = paired_difference if paired else unpaired_difference
        return difference(one, other).p_value <= alpha

    return judge


def stop_judge(rule: SequentialRule) -> Judge:
    """A stopping rule that looks after every pair, in order; of other seeds, pairs are by chance.

    Args:
        rule: The rule. More pairs than there are in a set are not looked at.
    """

    def judge(
        study: StudyRuns, a: Sequence[StoredRun], b: Sequence[StoredRun], paired: bool
    ) -> bool:
        found = decide(rule, differences(study, list(zip(a, b, strict=True))))
        return found.verdict in ("better", "worse")

    return judge


def judge_nulls(
    study: StudyRuns,
    setup: str,
    twin: str | None,
    sets: Sequence[Sequence[Seed]],
    judge: Judge,
    *,
    metric: str,
) -> NullComparisons:
    """Let a judge compare what does not differ.

    Args:
        study: A study with the runs.
        setup: Name of the setup.
        twin: Name of its twin; None where it has none.
        sets: Disjoint sets of seeds. Twins are compared on each; the setup with itself on the
            first and the second, the third and the fourth, and so on, so that no run serves twice.
        judge: Says whether two sets of runs differ.
        metric: Name of the metric whose standard deviations are shown beside the rates.
    """
    mine = _finished(study, setup)
    twins = {} if twin is None else _finished(study, twin)
    shared = [seed for seeds in sets for seed in seeds if seed in mine and seed in twins]
    all_mine = [mine[seed] for seeds in sets for seed in seeds if seed in mine]
    values = _values(study, metric, [*all_mine, *(twins[seed] for seed in shared)])
    of_twins = np.array([values[twins[s].id] - values[mine[s].id] for s in shared])
    return NullComparisons(
        setup=setup,
        metric=metric,
        runs=len(sets[0]),
        unpaired=_rate(
            judge(study, a, b, False) if a and b else None
            for a, b in zip(
                [_found(mine, seeds) for seeds in sets[0::2]],
                [_found(mine, seeds) for seeds in sets[1::2]],
                strict=False,
            )
        ),
        paired=None
        if twin is None
        else _rate(
            judge(study, a, b, True) if a and b else None
            for a, b in ((_found(mine, seeds), _found(twins, seeds)) for seeds in sets)
        ),
        sd_unpaired=math.sqrt(2) * _sd(np.array([values[run.id] for run in all_mine])),
        sd_paired=_sd(of_twins),
    )


def _finished(study: StudyRuns, setup: str) -> Mapping[Seed, StoredRun]:
    return results_by_seed(run for run in study.of(setup) if run.state == "finished")


def _found(runs: Mapping[Seed, StoredRun], seeds: Sequence[Seed]) -> list[StoredRun]:
    """The runs of a set of seeds; none if one is missing."""
    return [runs[seed] for seed in seeds] if all(seed in runs for seed in seeds) else []


def _rate(verdicts: Iterable[bool | None]) -> NullRate:
    """Count verdicts; None stands for a comparison that could not be made."""
    counts = Counter(verdicts)
    made = counts[True] + counts[False]
    low, high = share_interval(counts[True], made, 0.95)
    return NullRate(
        comparisons=made,
        rejected=counts[True],
        rate=Estimate(value=counts[True] / made if made else math.nan, low=low, high=high),
        incomplete=counts[None],
    )


def _sd(values: Float64[ndarray, " runs"]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _values(study: StudyRuns, metric: str, runs: Sequence[StoredRun]) -> Mapping[int, float]:
    """The metric of every run.

    Raises:
        StudyError: A run lacks it.
    """
    values = metric_values(study, metric, runs)
    lacking = next((run for run in runs if run.id not in values), None)
    if lacking is not None:
        raise StudyError(
            f"run {lacking.id} ({lacking.setup}, seed {lacking.seed}) has no {metric}; choose a "
            "metric that every run has"
        )
    return values
