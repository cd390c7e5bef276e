"""Runs that have ended, with the figures that a live table sums up."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from seedwise.comparison import StoppingRule
from seedwise.comparison.rule import fixed_rule
from seedwise.comparison.scores import metric_values
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import SeedwiseError
from seedwise.live.events import Planned
from seedwise.records import RunRecord, State
from seedwise.seeds import Seed
from seedwise.setups import BUILT_IN, Setup
from seedwise.stats.catalog import CATALOG, BuiltInMetric
from seedwise.stats.scores import Targets
from seedwise.store import Store, StoredRun

__all__ = ["EndedRun", "LiveFigures", "ended_runs", "with_metric"]

_OF_EPOCHS = ("accuracy", "smoothed_accuracy")
"""Figures of the built-in training's last epoch that are those of the run's predictions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """A run that has ended.

    Attributes:
        setup: Name of its setup.
        state: `finished`, `diverged` or `failed`.
        metrics: What it returned, and what its predictions score.
    """

    setup: str
    state: State
    metrics: Mapping[str, float]


def ended_runs(
    study: StudyRuns, setups: Collection[str], seeds: Collection[Seed]
) -> list[EndedRun]:
    """The stored runs of some setups and seeds; no seeds stand for all of them."""
    runs, known = study.wanted(setups, seeds), study.setups
    own = [run for run in runs if known[run.setup].train != BUILT_IN]
    scored = _scored(study, [run for run in own if run.state == "finished" and run.has_logits])
    return [
        EndedRun(
            setup=run.setup,
            state=run.state,
            metrics={**_told(run, known[run.setup]), **scored.get(run.id, {})},
        )
        for run in runs
    ]


def with_metric(planned: Planned, study: StudyRuns) -> Planned:
    """A plan with the metric that was fixed to decide, and the directions that are stated."""
    return replace(planned, metric=_fixed_metric(study), better=dict(study.stated))


class LiveFigures:
    """The figures of each run that a call makes, as soon as it is stored.

    Args:
        store: The study.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._metrics = _of_predictions(StudyRuns(store))
        self._targets: Targets | None = None

    def of(self, setup: Setup, record: RunRecord) -> Mapping[str, float]:
        """The figures of a run of a setup."""
        found = dict(_told(record, setup))
        if setup.train == BUILT_IN or record.logits is None or record.state != "finished":
            return found
        with suppress(SeedwiseError):  # no targets yet, or another number of them
            if self._targets is None:
                self._targets = StudyRuns(self._store).targets
            for metric in self._metrics:
                found[str(metric)] = float(metric.values(record.logits, self._targets))
        return found


def _fixed_metric(study: StudyRuns) -> str | None:
    stopping = StoppingRule.of(study)
    return stopping.stop.metric if stopping else fixed_rule(study).metric


def _of_predictions(study: StudyRuns) -> Sequence[BuiltInMetric]:
    """The metrics that are shown of runs with predictions: accuracy, and what was fixed."""
    found = dict[str, BuiltInMetric]()
    for name in (_fixed_metric(study), "accuracy"):
        if name is not None and name.partition(":")[0] in CATALOG:
            with suppress(SeedwiseError):  # a setting of it that nobody knows: `compare` says so
                metric = BuiltInMetric.parse(name)
                found[str(metric)] = metric
    return list(found.values())


def _told(run: StoredRun | RunRecord, setup: Setup) -> Mapping[str, float]:
    """Figures that a run returned, or that the built-in training knows after its last epoch."""
    if setup.train != BUILT_IN or run.state != "finished" or not run.epochs:
        return run.metrics
    last = run.epochs[-1].figures
    return {**run.metrics, **{name: last[name] for name in _OF_EPOCHS if name in last}}


def _scored(study: StudyRuns, runs: Sequence[StoredRun]) -> Mapping[int, dict[str, float]]:
    """Metrics of the predictions of some runs, by run."""
    found: dict[int, dict[str, float]] = {run.id: {} for run in runs}
    with suppress(SeedwiseError):  # no targets, or other shapes: `compare` says so
        for metric in _of_predictions(study) if runs else ():
            for run, value in metric_values(study, metric, runs).items():
                found[run][str(metric)] = value
    return found
