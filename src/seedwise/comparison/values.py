"""Metric values of stored runs: computed from the logits once, then kept in the study."""

import math
from collections.abc import Mapping, Sequence

from seedwise.errors import StudyError, UnknownName
from seedwise.stats import METRICS
from seedwise.store import Store, StoredRun

__all__ = ["metric_values"]

_AT_ONCE = 64
"""Runs whose logits are in memory together: 64 of 5,000 predictions are 6 MB."""


def metric_values(store: Store, metric: str, runs: Sequence[StoredRun]) -> Mapping[int, float]:
    """The value of a metric for each finished run, by run id.

    A metric of `stats.METRICS` is computed from the logits; any other is looked up among the
    values that the training function returned.

    Raises:
        UnknownName: No run has such a metric, nor the logits to compute it from.
        StudyError: Some runs have it and some do not.
    """
    finished = [run for run in runs if run.state == "finished"]
    if metric in METRICS and all(run.has_logits for run in finished):
        return _from_logits(store, metric, finished)
    values = {run.id: run.metrics.get(metric, math.nan) for run in finished}
    missing = [run for run in finished if math.isnan(values[run.id])]
    if missing and len(missing) == len(finished):
        known = {name for run in finished for name in run.metrics} | set(METRICS)
        raise UnknownName("metric", metric, known)
    if missing:
        raise StudyError(
            f"run {missing[0].id} ({missing[0].setup}, seed {missing[0].seed}) has no {metric}; "
            "choose a metric that every run has"
        )
    return values


def _from_logits(store: Store, metric: str, runs: Sequence[StoredRun]) -> Mapping[int, float]:
    ids = [run.id for run in runs]
    known = dict(store.metric_values(metric, ids))
    unknown = [run for run in ids if run not in known]
    dataset = store.dataset()
    if unknown and dataset is None:
        raise StudyError(f"{store.path} has logits but no targets; give the study its targets")
    for start in range(0, len(unknown), _AT_ONCE):
        some = unknown[start : start + _AT_ONCE]
        assert dataset is not None
        fresh = METRICS[metric](store.logits(some), dataset.targets)
        found = dict(zip(some, map(float, fresh), strict=True))  # type: ignore[arg-type]
        store.put_metric_values(metric, found)
        known |= found
    return known
