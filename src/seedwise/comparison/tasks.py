"""The tasks of a suite, and the metric of each: named "task/metric" in every run."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set

from seedwise.comparison.measured import Measurements
from seedwise.comparison.metrics import (
    DECIDING,
    Metric,
    deciding_metric,
    direction_of,
    stated_directions,
)
from seedwise.comparison.rule import Rule
from seedwise.comparison.study_runs import StudyRuns, metrics_of_any
from seedwise.errors import ConfigError, DataError, StudyError
from seedwise.figures import count
from seedwise.stats.directions import is_share, mixed_units
from seedwise.store import StoredRun

__all__ = ["check_units", "common_tasks", "suite_metric", "task_metrics"]


def suite_metric(study: StudyRuns, metric: str | None) -> str | None:
    """The metric over whose tasks a comparison goes; None for one that is of no suite.

    Args:
        study: The study.
        metric: The name that was given or fixed: that within each task; None for the usual one.

    Raises:
        ConfigError: None is named, the study has tasks, and there are several to choose from.
    """
    if not study.tasks:
        return None
    known = metrics_of_any(study.all)
    if metric is not None and metric in known:
        return None
    within = _within_tasks(known, study.tasks)
    if metric is not None:
        return metric if metric in within else None
    if not within or known - {f"{task}/{name}" for task in study.tasks for name in within}:
        return None
    names = sorted(within, key=lambda name: (name != "accuracy", name))
    if len(names) == 1 or names[0] == "accuracy":
        return names[0]
    raise ConfigError(
        f"the tasks have several metrics ({', '.join(names)}); choose one with --metric (metric= "
        "in Python)"
    )


def _within_tasks(known: Set[str], tasks: Sequence[str]) -> set[str]:
    """Names of metrics that two or more tasks have."""
    found = Counter(
        name.removeprefix(f"{task}/")
        for task in tasks
        for name in known
        if name.startswith(f"{task}/")
    )
    return {name for name, times in found.items() if times > 1}


def common_tasks(
    study: StudyRuns, runs: Mapping[str, Sequence[StoredRun]], metric: str
) -> tuple[str, ...]:
    """The tasks of which each setup has a run under the metric.

    Raises:
        StudyError: There are fewer than two.
    """
    has = {name: metrics_of_any(each) for name, each in runs.items()}
    tasks = tuple(
        task for task in study.tasks if all(f"{task}/{metric}" in each for each in has.values())
    )
    if len(tasks) < 2:
        raise StudyError(
            f"{', '.join(runs)} have {count(len(tasks), 'task')} with {metric} in common, and a "
            f"suite takes two; the study has {', '.join(study.tasks)}"
        )
    return tasks


def task_metrics(
    study: StudyRuns, runs: Sequence[StoredRun], rule: Rule, metric: str, tasks: Sequence[str]
) -> Mapping[str, Metric]:
    """The metric of each task; what is stated of the metric is stated of it in every task."""
    stated = dict(stated_directions(study, rule.better))
    way = stated.pop(DECIDING, None) or direction_of(metric, stated)
    if way:  # the name of a task says nothing of the direction
        stated = {f"{task}/{metric}": way for task in tasks} | stated
    finished = [run for run in runs if run.state == "finished"]
    found = {task: deciding_metric(f"{task}/{metric}", finished, stated) for task in tasks}
    if len({each.higher_is_better for each in found.values()}) > 1:
        raise ConfigError(
            f"{metric} points one way in some tasks and the other way in others, as stated; "
            "compare the tasks one by one"
        )
    return found


def check_units(
    measured: Mapping[str, Mapping[str, Measurements]], metrics: Mapping[str, Metric], metric: str
) -> None:
    """Refuse a share that is a fraction in some tasks and in per cent in others."""
    if not is_share(metric):
        return
    values = [
        (task, float(value))
        for task, setups in measured.items()
        for each in setups.values()
        for value in each.metrics[str(metrics[task])].values
    ]
    apart = mixed_units([value for _, value in values])
    if apart:
        (small, low), (large, high) = (values[place] for place in apart)
        raise DataError(
            f"{metric} is in two units: {low:g} (task {small}) looks like a fraction, {high:g} "
            f"(task {large}) like per cent; record or import them again in one unit"
        )
