"""Setups compared with one another or with a fixed number, from the runs that are stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from seedwise.comparison.judging import SetupPair, as_by_seeds, judged, margin_metric
from seedwise.comparison.measured import Measurements, RunCounts, measure, results_of
from seedwise.comparison.metrics import (
    Metric,
    ReturnedMetric,
    accuracy_over,
    deciding_metric,
    default_metric,
    find_metric,
    stated_directions,
)
from seedwise.comparison.result import ComparisonValues
from seedwise.comparison.rule import PlannedComparisons, Rule, Standing, standing
from seedwise.comparison.stopping import stopped
from seedwise.comparison.study_runs import StudyRuns, all_have_logits
from seedwise.comparison.tradeoff import costs_of, with_tradeoffs
from seedwise.comparison.verdict import SOFT
from seedwise.errors import ConfigError, DataError, SeedwiseError, StudyError
from seedwise.figures import in_points
from seedwise.stats.directions import is_share, mixed_units
from seedwise.stats.intervals import (
    Difference,
    Sample,
    corrected_for_folds,
    difference_from_target,
)
from seedwise.stats.multiplicity import Correction
from seedwise.store import StoredRun

__all__ = ["TargetValues", "compare", "compare_several", "compare_with_target"]


def compare(
    study: StudyRuns, a: str, b: str, rule: Rule, *, code: bool = False
) -> ComparisonValues:
    """Compare two setups of a study.

    Where it is one of several comparisons that were planned, its p-values are corrected for all
    of them, by Holm.

    Args:
        study: The study.
        a: Name of the setup to compare with.
        b: Name of the setup that is compared.
        rule: How the verdict is reached.
        code: Whether the rule's metric may be a function: as in `find_metric`.

    Raises:
        UnknownName: No such setup, or no such metric.
        StudyError: A setup has no result, or nothing that could be compared.
        ConfigError: The metric cannot be computed as named.
    """
    (comparison,) = _compared(study, [(a, b)], rule, correction="holm", code=code)
    return comparison


def compare_several(
    study: StudyRuns,
    setups: Sequence[str],
    rule: Rule,
    *,
    against: Literal["first", "all"] = "first",
    correction: Correction = "holm",
    code: bool = False,
) -> tuple[ComparisonValues, ...]:
    """Compare several setups of a study, with p-values corrected for their number.

    Args:
        study: The study.
        setups: Their names, the baseline first.
        rule: How verdicts are reached.
        against: Each with the first, or every pair.
        correction: `holm` for verdicts, `bh` for a screening.
        code: As in `compare`.

    Raises:
        ConfigError: Fewer than two setups, or one of them twice; or as in `compare`.
        UnknownName: As in `compare`.
        StudyError: As in `compare`.
    """
    if len(setups) < 2 or len(set(setups)) < len(setups):
        raise ConfigError(f"give two or more different setups, got {', '.join(setups) or 'none'}")
    pairs = list(combinations(setups, 2))
    if against == "first":
        pairs = pairs[: len(setups) - 1]
    return _compared(study, pairs, rule, correction=correction, code=code)


def _compared(
    study: StudyRuns,
    pairs: Sequence[tuple[str, str]],
    rule: Rule,
    *,
    correction: Correction,
    code: bool,
) -> tuple[ComparisonValues, ...]:
    """The comparisons asked for, corrected with those planned beside them; setups read once."""
    found = {name: results_of(study, name) for name in dict.fromkeys(sum(pairs, ()))}
    stated = stated_directions(study, rule.better)
    runs = [run for results, _ in found.values() for run in results]
    metrics = _metrics(runs, rule, stated, code=code)
    _check_margin(rule, metrics)
    measured = {
        name: measure(study, results, counts, list(metrics.values()))
        for name, (results, counts) in found.items()
    }
    _check_units(measured, metrics)
    by_rule, planned = stopped(study, pairs), PlannedComparisons.of(study)
    settings = [
        SetupPair(
            a=measured[a],
            b=measured[b],
            standing=standing(
                study,
                as_by_seeds(measured[a], measured[b], rule),
                (a, b),
                also=planned.strays((a, b), pairs),
            ),
            stopping=by_rule.get((a, b)),
        )
        for a, b in pairs
    ]
    beside = [
        _others(study, pair, measured, list(metrics.values())) for pair in planned.beside(pairs)
    ]
    compared = judged(settings, metrics, rule, correction, beside=beside)
    if rule.cost is None:
        return compared
    priced = {
        name: (measured[name], costs_of(results, rule.cost))
        for name, (results, _) in found.items()
    }
    return with_tradeoffs(compared, [(priced[a], priced[b]) for a, b in pairs], rule, correction)


def _others(
    study: StudyRuns,
    pair: tuple[str, str],
    measured: dict[str, Measurements],
    metrics: Sequence[Metric],
) -> tuple[Measurements, Measurements] | None:
    """The setups of a planned comparison that is not shown; None where it cannot be made yet."""
    try:
        for name in pair:
            if name not in measured:
                measured[name] = measure(study, *results_of(study, name), metrics)
    except SeedwiseError:
        return None
    return measured[pair[0]], measured[pair[1]]


def _metrics(
    results: Sequence[StoredRun], rule: Rule, stated: Mapping[str, str], *, code: bool
) -> Mapping[str, Metric]:
    """The metrics to compare under, by name: the one that decides first."""
    finished = [run for run in results if run.state == "finished"]
    name = rule.metric or default_metric(finished)
    main = deciding_metric(name, finished, stated, code=code)
    whole = all_have_logits(finished)
    names = [*((accuracy_over(finished), "accuracy", *SOFT) if whole else ())]
    setups = {run.setup for run in results}
    if not names and setups == {run.setup for run in finished if "accuracy" in run.metrics}:
        names = ["accuracy"]
    return {str(metric): metric for metric in (main, *(find_metric(n, finished) for n in names))}


def _check_units(measured: Mapping[str, Measurements], metrics: Mapping[str, Metric]) -> None:
    """Refuse a share that some runs came with as a fraction and others in per cent."""
    for name, metric in metrics.items():
        if not (isinstance(metric, ReturnedMetric) and is_share(name)):
            continue
        runs = [
            (f"{setup} seed {seed}", float(value))
            for setup, each in measured.items()
            for seed, value in zip(each.seeds, each.metrics[name].values, strict=True)
        ]
        apart = mixed_units([value for _, value in runs])
        if apart:
            (small, low), (large, high) = (runs[place] for place in apart)
            raise DataError(
                f"{name} is in two units: {low:g} ({small}) looks like a fraction, {high:g} "
                f"({large}) like per cent; record or import them again in one unit"
            )


def _check_margin(rule: Rule, metrics: Mapping[str, Metric]) -> None:
    """Refuse a margin that was meant in points: no two accuracies differ by 1 or more."""
    if rule.margin is not None and rule.margin >= 1 and in_points(margin_metric(metrics)):
        raise ConfigError(
            f"margin is a fraction of accuracy, e.g. 0.005 for half a point, got {rule.margin:g}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetValues:
    """A setup against a fixed number.

    Attributes:
        setup: Name of the setup, with what became of its runs.
        metric: The metric that the number is of.
        higher_is_better: Which way is up.
        target: The number, taken as exact.
        rule: How the verdict was reached.
        sample: The runs, diverged ones at what chance gives.
        difference: Mean less target, with its interval for new seeds on these images.
        outcome: `better` or `worse` than the target, or `undecided`.
        standing: Whether all was fixed before the first run.
        called: What the examples are called, as a plural.
    """

    setup: RunCounts
    metric: str
    higher_is_better: bool
    target: float
    rule: Rule
    sample: Sample
    difference: Difference
    outcome: Literal["better", "worse", "undecided"]
    standing: Standing
    called: str = "images"


def compare_with_target(
    study: StudyRuns, setup: str, target: float, rule: Rule, *, code: bool = False
) -> TargetValues:
    """Compare a setup with a fixed number.

    Args:
        study: The study.
        setup: Name of the setup.
        target: The number, in the metric's units; an accuracy as a fraction.
        rule: Its metric decides, accuracy where it names none; its margin is not looked at.
        code: Whether that metric may be a function: as in `find_metric`.

    Raises:
        ConfigError: The metric cannot be computed as named, or the target is not a number.
        UnknownName: No such setup or metric.
        StudyError: The setup has no result.
    """
    if not np.isfinite(target):
        raise ConfigError(f"target must be a number, got {target}")
    results, counts = results_of(study, setup)
    finished = [run for run in results if run.state == "finished"]
    name = rule.metric or default_metric(finished)
    name = "accuracy" if name == "matched_accuracy" else name
    stated = stated_directions(study, rule.better)
    metric = deciding_metric(name, finished, stated, code=code)
    measured = measure(study, results, counts, [metric])
    values = measured.metrics[str(metric)].values
    known = values[np.isfinite(values)]
    if not len(known):
        raise StudyError(
            f"no run of setup {setup!r} has a value of {metric}: it is missing or not finite in "
            "all"
        )
    difference = difference_from_target(known, target, confidence=rule.confidence)
    if study.test_to_train:
        difference = corrected_for_folds(difference, study.test_to_train)
    up = (difference.estimate > 0) == metric.higher_is_better
    outcome = ("better" if up else "worse") if difference.clear_of_zero else "undecided"
    return TargetValues(
        setup=counts,
        metric=str(metric),
        higher_is_better=bool(metric.higher_is_better),
        target=target,
        rule=rule,
        sample=Sample.of(known),
        difference=difference,
        outcome=outcome,
        standing=standing(study, rule, [setup]),
        called=study.called,
    )
