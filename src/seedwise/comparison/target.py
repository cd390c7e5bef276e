"""One setup against a fixed number: a published accuracy, or what a release must reach."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from seedwise.comparison.beforehand import Standing, standing
from seedwise.comparison.directions import stated_directions
from seedwise.comparison.measured import RunCounts, measure, results_of
from seedwise.comparison.metrics import deciding_metric, default_metric
from seedwise.comparison.rule import Rule
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError, StudyError
from seedwise.stats.intervals import (
    Difference,
    Sample,
    corrected_for_folds,
    difference_from_target,
)

__all__ = ["TargetValues", "compare_with_target"]


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
        ConfigError: The metric cannot be computed as named, or the target is no number.
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
            f"setup {setup!r} has no run that {metric} can be told of: it is missing or not "
            "finite in all"
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
    )
