"""Stored runs under metrics: computed from the logits once, then kept in the study."""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from seedwise.comparison.metrics import (
    Metric,
    OwnMetric,
    ReturnedMetric,
    accuracy_over,
    find_metric,
)
from seedwise.comparison.study_runs import StudyRuns, all_have_logits, metrics_of_all
from seedwise.errors import StudyError
from seedwise.shaped import Float, Float16, Float64, Integer
from seedwise.stats.blocks import class_by_class
from seedwise.stats.catalog import CATALOG, BuiltInMetric, plain_metrics
from seedwise.stats.images import flip_rates
from seedwise.store import StoredRepeat, StoredRun

__all__ = [
    "KEPT_METRICS",
    "NOISE_METRICS",
    "READS_LARGE",
    "Scored",
    "example_scores",
    "keep_large",
    "keep_metric_values",
    "metric_names",
    "metric_values",
    "not_kept",
    "repeat_values",
    "score",
]


NOISE_METRICS = (
    "accuracy",
    "accuracy:views=original",
    "smoothed_accuracy:beta=1",
    "smoothed_accuracy",
    "smoothed_accuracy:beta=10",
    "matched_accuracy:level=0.7",
    "matched_accuracy",
    "matched_accuracy:level=0.9",
    "ranked_accuracy",
    "cross_entropy",
    "calibrated_cross_entropy",
    "brier",
)
"""The metrics whose noise is looked at where there are predictions: which one, and at which
setting, needs the fewest runs?"""

_PREDICTED = "predicted class"
"""Under what name the file keeps the classes that a run predicts."""

KEPT_METRICS = ("accuracy", "smoothed_accuracy", "matched_accuracy", "ranked_accuracy")
"""The metrics whose scores are kept of runs with large logits: those that verdicts ask for."""

_KEPT = (*KEPT_METRICS, _PREDICTED)

READS_LARGE = ContextVar[Callable[[int, bool], None] | None]("READS_LARGE", default=None)
"""Told, by whoever has set it, of runs whose large predictions are about to be read, which takes
seconds a run: how many, and whether what the file may keep of them is kept."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """Some runs under some metrics.

    Attributes:
        runs: The runs.
        values: Each metric of each run.
        scores: Each metric's score of each example in each run; of runs without predictions, for
            the metrics that came with scores.
        flips: Chance that two of the runs predict different classes for an example; without
            predictions, that one gets it right and the other wrong; empty where neither is known.
        predicted: The class that each run predicts; empty without predictions.
    """

    runs: tuple[StoredRun, ...]
    values: Mapping[str, Float64[ndarray, " runs"]]
    scores: Mapping[str, Float[ndarray, "runs images"]]
    flips: Float64[ndarray, " images"]
    predicted: Integer[ndarray, "runs views images"]


def metric_names(runs: Sequence[StoredRun]) -> tuple[str, ...]:
    """The metrics that all of some finished runs have, accuracy first where there is one."""
    if runs and all_have_logits(runs):
        more = accuracy_over(runs)
        return NOISE_METRICS if more == "accuracy" else ("accuracy", more, *NOISE_METRICS[1:])
    return tuple(sorted(metrics_of_all(runs), key=lambda name: (name != "accuracy", name)))


def score(study: StudyRuns, runs: Sequence[StoredRun], metrics: Sequence[str]) -> Scored:
    """Score finished runs under some of their metrics.

    Raises:
        StudyError: The study has no targets, or the runs' logits differ in shape.
    """
    if not runs or not all_have_logits(runs):
        values = {name: np.array([run.metrics[name] for run in runs], float) for name in metrics}
        tables = {name: example_scores(study, name, runs) for name in metrics}
        scores = {name: table for name, table in tables.items() if table is not None}
        return Scored(
            runs=tuple(runs),
            values=values,
            scores=scores,
            flips=_flips_of_scores(scores),
            predicted=np.empty((0, 0, 0), np.int16),
        )
    parts = [_of_some(study, some, metrics) for some in study.chunks(runs)]
    scores = {name: np.concatenate([part[name] for part in parts]) for name in metrics}
    predicted = np.concatenate([part[_PREDICTED] for part in parts])
    return Scored(
        runs=tuple(runs),
        values={name: found.mean(axis=1, dtype=np.float64) for name, found in scores.items()},
        scores=scores,
        flips=flip_rates(predicted),
        predicted=predicted,
    )


def _flips_of_scores(scores: Mapping[str, ndarray]) -> Float64[ndarray, " images"]:
    """Chance that two runs differ on an example, by the first metric of right and wrong."""
    for table in scores.values():
        if np.isin(table, (0, 1)).all():
            return flip_rates(table.astype(np.int8)[:, None])
    return np.empty(0)


def example_scores(
    study: StudyRuns, metric: str, runs: Sequence[StoredRun]
) -> Float[ndarray, "runs examples"] | None:
    """Score of each example in some finished runs; None if a run has none.

    Runs came with scores, or a built-in metric is computed from their logits.
    """
    with_scores = [run for run in runs if metric in run.scored]
    others = [run for run in runs if metric not in run.scored]
    if not runs or (others and metric not in CATALOG):
        return None
    if not all_have_logits(others):
        return None
    found = study.scores(metric, with_scores) if with_scores else None
    if not others:
        return found
    computed = score(study, others, (metric,)).scores[metric]
    if found is None:
        return computed
    if found.shape[1] != computed.shape[1]:
        raise StudyError(f"{study.path} has scores of other examples than predictions")
    row = {
        run.id: each
        for run, each in zip([*with_scores, *others], [*found, *computed], strict=True)
    }
    return np.stack([row[run.id] for run in runs])


def _of_some(
    study: StudyRuns, runs: Sequence[StoredRun], metrics: Sequence[str]
) -> Mapping[str, ndarray]:
    """The scores of some runs, and the classes they predict: as kept, or from their logits."""
    known = [_kept(study, run, (*metrics, _PREDICTED)) for run in runs]
    missing = [name for name in (*metrics, _PREDICTED) if any(name not in each for each in known)]
    found = {
        name: np.stack([each[name] for each in known])
        for name in (*metrics, _PREDICTED)
        if name not in missing
    }
    if not missing:
        return found
    tell = READS_LARGE.get()
    if tell is not None and any(map(study.large, runs)):
        tell(len(runs), not any(name in _KEPT for name in missing))
    logits = study.logits(runs)
    if _PREDICTED in missing:
        found[_PREDICTED] = _classes(logits)
    if len(missing) > 2:  # 50,000 x 1,000 logits take 0.5 s and 0.3 GB more
        logits = class_by_class(logits)
    for name in missing:
        if name != _PREDICTED:
            metric = BuiltInMetric.parse(name)
            shown = metric.view_count
            some = logits if shown is None else study.logits(runs, views=shown)
            found[name] = metric.image_scores(some, study.targets)
    for place, run in enumerate(runs):
        fresh = {name: found[name][place] for name in missing if name in _KEPT}
        if fresh:
            study.keep_scores(run, fresh)
    return found


def _kept(study: StudyRuns, run: StoredRun, names: Sequence[str]) -> Mapping[str, ndarray]:
    found = {name: study.kept_scores(name, run) for name in names if name in _KEPT}
    return {name: each for name, each in found.items() if each is not None}


def repeat_values(
    study: StudyRuns, repeats: Sequence[StoredRepeat], metrics: Sequence[str]
) -> Mapping[str, Float64[ndarray, " repeats"]]:
    """Some metrics of finished repeats; NaN where a repeat lacks one that its run has."""
    if not repeats or not all_have_logits(repeats):
        return {
            name: np.array([one.metrics.get(name, np.nan) for one in repeats], float)
            for name in metrics
        }
    targets = study.targets
    scores = dict[str, ndarray]()
    for metric in map(BuiltInMetric.parse, metrics):
        shown = [study.repeat_logits(repeat, views=metric.view_count) for repeat in repeats]
        # As `score` does it, to the last bit: an identical repeat must not differ by rounding.
        scores[str(metric)] = metric.image_scores(np.stack(shown), targets)
    return {name: found.mean(axis=1, dtype=np.float64) for name, found in scores.items()}


def _classes(
    logits: Float16[ndarray, "runs views examples classes"],
) -> Integer[ndarray, "runs views examples"]:
    """The class that each run predicts; of several with the same logit, the first."""
    kind = np.int16 if logits.shape[-1] <= np.iinfo(np.int16).max else np.int32
    found = np.empty(logits.shape[:-1], kind)
    for place, run in enumerate(logits):  # one by one, as float32 takes twice the memory
        found[place] = run.astype(np.float32).argmax(axis=-1)  # of float16 it takes 1.5 times
    return found


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
    for run in not_kept(study):
        keep_large(study, run)
    for metric in (*KEPT_METRICS, accuracy_over(with_logits)) if with_logits else ():
        metric_values(study, metric, with_logits)


def not_kept(study: StudyRuns) -> list[StoredRun]:
    """The finished runs with large logits of which not all is kept that `keep_large` keeps."""
    known = [study.kept_values(name) for name in plain_metrics()]
    return [
        run
        for run in study.all
        if run.state == "finished" and run.has_logits and study.large(run)
        if any(run.id not in values for values in known)
    ]


def keep_large(study: StudyRuns, run: StoredRun) -> None:
    """Keep what a finished run with large logits scores under every metric.

    They are read once for all metrics: to compare, export and report 40 runs of 50,000
    predictions of 1,000 classes took minutes and gigabytes each time.
    """
    for name, values in score(study, [run], plain_metrics()).values.items():
        study.keep_values(name, {run.id: float(values[0])})


def _computed(
    study: StudyRuns, metric: BuiltInMetric | OwnMetric, runs: Sequence[StoredRun]
) -> dict[int, float]:
    if isinstance(metric, BuiltInMetric) and any(study.large(run) for run in runs):
        fresh = score(study, runs, [str(metric)]).values[str(metric)]
        return dict(zip((run.id for run in runs), fresh.tolist(), strict=True))
    shown = metric.view_count if isinstance(metric, BuiltInMetric) else None
    logits = study.logits(runs, views=shown)
    if isinstance(metric, OwnMetric):
        pairs = zip(runs, logits, strict=True)
        return {run.id: metric.value(each, study.targets, run) for run, each in pairs}
    fresh = metric.values(logits, study.targets)
    return dict(zip((run.id for run in runs), map(float, fresh), strict=True))  # type: ignore[arg-type]


def _returned(
    study: StudyRuns, metric: ReturnedMetric, finished: Sequence[StoredRun]
) -> Mapping[int, float]:
    """Values that runs came with; of a built-in metric also those of the others' predictions."""
    values = {run.id: run.metrics[metric.name] for run in finished if metric.name in run.metrics}
    others = [run for run in finished if run.id not in values and run.has_logits]
    if others and metric.name in CATALOG:
        return {**values, **metric_values(study, metric.name, others)}
    return values
