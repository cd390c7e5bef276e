"""Metric values of stored runs: computed from the logits once, then kept in the study."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float16
from numpy import ndarray

from seedwise.comparison.metrics import BuiltInMetric, OwnMetric, ReturnedMetric, find_metric
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import StudyError
from seedwise.stats.scores import Logits, Targets
from seedwise.store import StoredRun

__all__ = [
    "keep_metric_values",
    "logits_in_chunks",
    "metric_values",
]

_AT_ONCE = 64
"""Runs whose logits are in memory together: 64 of 5,000 predictions are 6 MB."""

_KEPT = ("accuracy", "matched_accuracy", "ranked_accuracy", "smoothed_accuracy")
"""What summaries and verdicts ask for."""


def metric_values(study: StudyRuns, metric: str, runs: Sequence[StoredRun]) -> Mapping[int, float]:
    """The value of a metric for each finished run, by run id.

    Raises:
        UnknownName: No run has such a metric, nor the logits to compute it from.
        ConfigError: The metric cannot be computed as named.
        StudyError: Some runs have it and some do not.
    """
    finished = [run for run in runs if run.state == "finished"]
    found = find_metric(metric, finished)
    if isinstance(found, ReturnedMetric):
        return _returned(found, finished)
    key = found.key if isinstance(found, OwnMetric) else str(found)
    known = dict(study.kept_values(key, [run.id for run in finished]))
    unknown = [run for run in finished if run.id not in known]
    targets = study.targets if unknown else np.empty(0, np.int64)
    for some, logits in logits_in_chunks(study, unknown):
        fresh = _computed(found, some, logits, targets)
        study.keep_values(key, fresh)
        known |= fresh
    return known


def keep_metric_values(study: StudyRuns) -> None:
    """Keep, in a study that may be written, what later summaries and verdicts will ask for."""
    finished = [run for run in study.all if run.state == "finished"]
    with_logits = [run for run in finished if run.has_logits]
    for metric in _KEPT if with_logits else ():
        metric_values(study, metric, with_logits)


def logits_in_chunks(
    study: StudyRuns, runs: Sequence[StoredRun]
) -> Iterator[tuple[Sequence[StoredRun], Float16[ndarray, "runs views examples classes"]]]:
    """Runs with their logits, some at a time."""
    for start in range(0, len(runs), _AT_ONCE):
        some = runs[start : start + _AT_ONCE]
        yield some, study.logits(some)


def _computed(
    metric: BuiltInMetric | OwnMetric,
    runs: Sequence[StoredRun],
    logits: Logits,
    targets: Targets,
) -> dict[int, float]:
    if isinstance(metric, OwnMetric):
        pairs = zip(runs, logits, strict=True)
        return {run.id: metric.value(each, targets, run) for run, each in pairs}
    fresh = metric.values(logits, targets)
    return dict(zip((run.id for run in runs), map(float, fresh), strict=True))  # type: ignore[arg-type]


def _returned(metric: ReturnedMetric, finished: Sequence[StoredRun]) -> Mapping[int, float]:
    values = {run.id: run.metrics.get(metric.name, math.nan) for run in finished}
    missing = [run for run in finished if math.isnan(values[run.id])]
    if missing:
        raise StudyError(
            f"run {missing[0].id} ({missing[0].setup}, seed {missing[0].seed}) has no {metric}; "
            "choose a metric that every run has"
        )
    return values
