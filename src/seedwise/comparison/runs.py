"""All runs of a study as a table: what `export` writes and a DataFrame holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from seedwise.comparison.study_runs import StudyRuns
from seedwise.comparison.values import metric_values
from seedwise.stats.catalog import plain_metrics
from seedwise.store import StoredRun

__all__ = ["RunTable", "run_table"]

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
    for metric in plain_metrics() if with_logits else ():
        found[metric] = dict(metric_values(study, metric, with_logits))
    for run in finished:
        for name, value in (*run.metrics.items(), *dict.fromkeys(run.not_finite, nan).items()):
            found.setdefault(name, {}).setdefault(run.id, value)
    return found
