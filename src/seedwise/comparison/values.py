"""Metric values of stored runs: computed from the logits once, then kept in the study."""

from collections.abc import Mapping, Sequence

from seedwise.comparison.metrics import (
    BuiltInMetric,
    Metric,
    OwnMetric,
    ReturnedMetric,
    find_metric,
)
from seedwise.comparison.scored import KEPT_METRICS, score
from seedwise.comparison.study_runs import StudyRuns
from seedwise.stats.catalog import CATALOG, plain_metrics
from seedwise.store import StoredRun

__all__ = [
    "keep_large",
    "keep_metric_values",
    "metric_values",
]


def metric_values(
    study: StudyRuns, metric: str | Metric, runs: Sequence[StoredRun]
) -> Mapping[int, float]:
    """The value of a metric for each finished run that has it, by run id.

    A text may come from the study file, so it never loads a function; a `Metric` may be one.

    Raises:
        UnknownName: No run has such a metric, nor the logits to compute it from.
        ConfigError: The metric cannot be computed as named.
        StudyError: What it is computed from cannot be read.
    """
    finished = [run for run in runs if run.state == "finished"]
    found = find_metric(metric, finished) if isinstance(metric, str) else metric
    if isinstance(found, ReturnedMetric):
        return _returned(study, found, finished)
    key = found.key if isinstance(found, OwnMetric) else str(found)
    known = study.kept_values(key)
    unknown = [run for run in finished if run.id not in known]
    for some in study.chunks(unknown):
        study.keep_values(key, _computed(study, found, some))
    return {run.id: known[run.id] for run in finished}


def keep_metric_values(study: StudyRuns) -> None:
    """Keep, in a study that may be written, what later summaries and verdicts will ask for."""
    with_logits = [run for run in study.all if run.state == "finished" and run.has_logits]
    for run in with_logits:
        keep_large(study, run)
    for metric in KEPT_METRICS if with_logits else ():
        metric_values(study, metric, with_logits)


def keep_large(study: StudyRuns, run: StoredRun) -> None:
    """Keep what a finished run scores under every metric, if its logits are large.

    They are read once for all metrics: to compare, export and report 40 runs of 50,000
    predictions of 1,000 classes took minutes and gigabytes each time.
    """
    if study.large(run) and any(run.id not in study.kept_values(name) for name in plain_metrics()):
        for name, values in score(study, [run], plain_metrics()).values.items():
            study.keep_values(name, {run.id: float(values[0])})


def _computed(
    study: StudyRuns, metric: BuiltInMetric | OwnMetric, runs: Sequence[StoredRun]
) -> dict[int, float]:
    if isinstance(metric, BuiltInMetric) and any(study.large(run) for run in runs):
        fresh = score(study, runs, [str(metric)]).values[str(metric)]
        return dict(zip((run.id for run in runs), fresh.tolist(), strict=True))
    logits = study.logits(runs)
    if isinstance(metric, OwnMetric):
        pairs = zip(runs, logits, strict=True)
        return {run.id: metric.value(each, study.targets, run) for run, each in pairs}
    fresh = metric.values(logits, study.targets)
    return dict(zip((run.id for run in runs), map(float, fresh), strict=True))  # type: ignore[arg-type]


def _returned(
    study: StudyRuns, metric: ReturnedMetric, finished: Sequence[StoredRun]
) -> Mapping[int, float]:
    """What the runs came with, and of a built-in metric what the others' predictions give."""
    values = {run.id: run.metrics[metric.name] for run in finished if metric.name in run.metrics}
    others = [run for run in finished if run.id not in values and run.has_logits]
    if others and metric.name in CATALOG:
        return {**values, **metric_values(study, metric.name, others)}
    return values
