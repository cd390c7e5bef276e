"""Summary of a study: its runs as a table, and the means and deviations of each setup."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np

from seedwise.comparison.measured import random_sample
from seedwise.comparison.metrics import (
    accuracy_over,
    direction_of,
    directions_note,
    stated_directions,
)
from seedwise.comparison.scores import metric_values
from seedwise.comparison.study_runs import (
    StudyRuns,
    all_have_logits,
    metrics_of_any,
)
from seedwise.data.splits import Split
from seedwise.figures import figure, html_table, spread
from seedwise.stats.catalog import plain_metrics
from seedwise.stats.intervals import Sample
from seedwise.store import StoredRun

__all__ = ["RunTable", "SetupSummary", "Summary", "run_table", "summarise"]


_METRICS = ("accuracy", "smoothed_accuracy")
"""Metrics that a summary shows of runs with predictions."""


_COLUMNS = ("setup", "metric", "runs", "mean", "sd", "diverged", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupSummary:
    """The runs of one setup.

    Attributes:
        name: Name of the setup.
        finished: Number of finished runs.
        diverged: Number of diverged runs: results too, counted and never dropped.
        failed: Number of failed tries.
        metrics: The finished runs that have it, under each metric: accuracy and smoothed accuracy
            where there are logits, else what the training function returned.
        seconds: Mean wall time of a finished run; 0 for none.
        sharing: Finished runs that are left out of the metrics, as they share a seed of some
            stream with another: of crossed seeds only those count that share none.
        identical: Finished runs that are left out, as they have the predictions of another.
    """

    name: str
    finished: int
    diverged: int
    failed: int
    metrics: Mapping[str, Sample]
    seconds: float
    sharing: int = 0
    identical: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All setups of a study, in the order in which they were added.

    Attributes:
        dataset: The dataset and split, in words; empty where the study has none.
        examples: Number of validation examples; 0 where the study has none.
        setups: The setups.
        stated: The directions that the study states, by metric.
        tasks: The tasks of a suite.
    """

    dataset: str
    examples: int
    setups: tuple[SetupSummary, ...]
    stated: Mapping[str, str] = field(default_factory=dict[str, str])
    tasks: tuple[str, ...] = ()

    @property
    def directions(self) -> str:
        """Direction of each metric whose direction could be doubted; empty if none could.

        What is known of a metric is known of it in every task, and is said once.
        """
        names = (name for setup in self.setups for name in setup.metrics)
        return directions_note(dict.fromkeys(map(self._within, names)), self.stated)

    def _within(self, name: str) -> str:
        """Name of a metric within its task, if that settles its direction."""
        inner = next(
            (name.removeprefix(f"{task}/") for task in self.tasks if name.startswith(f"{task}/")),
            name,
        )
        return name if direction_of(inner, self.stated) is None else inner

    def __str__(self) -> str:
        """A line for each setup."""
        return "\n".join(map(summary_line, self.setups)) or "nothing stored"

    def _repr_html_(self) -> str:
        caption = "nothing stored"
        if self.setups:
            caption = f"{self.dataset}: {self.examples:,} examples" if self.dataset else ""
        rows = [row for setup in self.setups for row in _cells(setup)]
        return html_table(caption, _COLUMNS, rows)


def summary_line(setup: SetupSummary) -> str:
    """The runs of a setup in words; of accuracies, standard deviations (ddof 1) are in points.

    >>> sample = Sample.of(np.array([0.83, 0.85]))
    >>> summary_line(SetupSummary(name="a", finished=2, diverged=1, failed=0,
    ...     metrics={"accuracy": sample}, seconds=3.0))
    'a: 2 finished, 1 diverged, 0 failed; accuracy 84.00 % (sd 1.41)'
    """
    counts = f"{setup.finished} finished, {setup.diverged} diverged, {setup.failed} failed"
    figures = (
        f"; {metric} {figure(metric, sample.mean)} (sd {spread(metric, sample.sd)}"
        f"{f', n = {sample.n}' if sample.n != setup.finished - setup.sharing else ''})"
        for metric, sample in setup.metrics.items()
    )
    return f"{setup.name}: {counts}{''.join(figures)}"


def summarise(study: StudyRuns) -> Summary:
    """Sum up a study: what became of each setup's runs, and what they scored.

    Args:
        study: The open study.
    """
    dataset = study.dataset
    runs = study.all
    return Summary(
        dataset=Split.from_json(dataset.split).after(dataset.name) if dataset else "",
        examples=len(dataset.targets) if dataset else 0,
        setups=tuple(
            _summarise(study, name, [run for run in runs if run.setup == name])
            for name in study.setups
        ),
        stated=stated_directions(study),
        tasks=study.tasks,
    )


def _summarise(study: StudyRuns, name: str, runs: list[StoredRun]) -> SetupSummary:
    states = Counter(run.state for run in runs)
    finished = [run for run in runs if run.state == "finished"]
    sample, sharing, identical = random_sample(finished)
    logits = bool(finished) and all_have_logits(finished)
    metrics = sorted(metrics_of_any(sample))
    if logits:
        metrics = list(dict.fromkeys((_METRICS[0], accuracy_over(finished), *_METRICS[1:])))
    values = {metric: metric_values(study, metric, sample) for metric in metrics}
    return SetupSummary(
        name=name,
        finished=states["finished"],
        diverged=states["diverged"],
        failed=states["failed"],
        metrics={
            metric: Sample.of(np.array(list(by_run.values())))
            for metric, by_run in values.items()
            if by_run
        },
        seconds=float(np.mean([run.seconds for run in finished])) if finished else 0.0,
        sharing=sharing,
        identical=identical,
    )


def _cells(setup: SetupSummary) -> Iterable[tuple[str, ...]]:
    counts = (str(setup.diverged), str(setup.failed))
    if not setup.metrics:
        yield setup.name, "", str(setup.finished), "-", "-", *counts
    for metric, sample in setup.metrics.items():
        shown = (figure(metric, sample.mean), spread(metric, sample.sd))
        yield setup.name, metric, str(sample.n), *shown, *counts


_FIRST = ("setup", "init", "order", "augment", "state", "seconds", "ended_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTable:
    """A row for each run, in the order in which they were stored.

    Attributes:
        columns: `setup`, the three seeds, `state`, `seconds`, `ended_at`, each metric, `error`.
        rows: Their values; None where a run has no such metric or no error.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def run_table(study: StudyRuns) -> RunTable:
    """The runs of a study with all their metrics; accuracies are fractions.

    Args:
        study: The open study.
    """
    runs = study.all
    metrics = _all_metrics(study, runs)
    return RunTable(
        columns=(*_FIRST, *metrics, "error"),
        rows=tuple(
            (*_first(run), *(values.get(run.id) for values in metrics.values()), run.error)
            for run in runs
        ),
    )


def _first(run: StoredRun) -> tuple[Any, ...]:
    seed = run.seed
    return run.setup, seed.init, seed.order, seed.augment, run.state, run.seconds, run.ended_at


def _all_metrics(study: StudyRuns, runs: Sequence[StoredRun]) -> Mapping[str, Mapping[int, float]]:
    """Every metric by name, with its value for each finished run that has it.

    What can be computed from a run's logits is, whatever its training function said of it.
    """
    finished = [run for run in runs if run.state == "finished"]
    with_logits = [run for run in finished if run.has_logits]
    found: dict[str, dict[int, float]] = {}
    computed = (*plain_metrics(), accuracy_over(with_logits)) if with_logits else ()
    for metric in dict.fromkeys(computed):
        found[metric] = dict(metric_values(study, metric, with_logits))
    for run in finished:
        for name, value in (*run.metrics.items(), *dict.fromkeys(run.not_finite, nan).items()):
            found.setdefault(name, {}).setdefault(run.id, value)
    return found
