"""Runs in a CSV file of somebody else's, put into a study file.

Read are long files (a row for each setup, seed and metric), wide ones (a row for each run, a
column for each metric), the CSV exports of W&B's table of runs (`Name`, `State`, ..., then
configuration and summary under their own names) and of MLflow (`Start Time`, `Duration`, ... from
its page; `run_id`, `metrics.*`, `params.*` from `mlflow experiments csv`), and seedwise's own.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

from seedwise.comparison.metrics import (
    DECIDING,
    check_better,
    direction_of,
    directions_note,
    state_directions,
    stated_directions,
)
from seedwise.comparison.study_runs import FOLDS_KEPT, StudyRuns
from seedwise.errors import ConfigError, DataError, SeedwiseError, StudyError, UnknownName
from seedwise.executors.outcome import as_record
from seedwise.records import RunRecord
from seedwise.seeds import Seed
from seedwise.setups import ELSEWHERE, Setup
from seedwise.store import Store, StoredRun
from seedwise.study.cells import Number, in_one_unit, number_in
from seedwise.study.columns import (
    STATES,
    Columns,
    Mapped,
    column_of,
    columns_of,
    other_numbers,
)
from seedwise.study.csvfile import CsvFile, Row, read_csv
from seedwise.study.grouping import RunRows, rows_of_runs
from seedwise.study.known import already_there, result_of
from seedwise.study.orders import Wanted
from seedwise.study.readings import Readings, read_metrics

__all__ = ["Imported", "import_runs"]

_ENDED = frozenset(
    (
        *("finished", "success", "succeeded", "successful", "complete", "completed", "done"),
        *("terminated", "ok", "passed", "diverged", ""),
    )
)
"""What W&B, MLflow, Optuna, Ray Tune, schedulers and seedwise say of a run that is a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was read, and what became of it.

    Attributes:
        taken: What was taken as what, in words.
        directions: Which way the metrics point, in words; empty where nobody could doubt it.
        notes: What was made of numbers, and which are missing, in words.
        left_out: What was left out and why, in words.
        setups: Names of the setups.
        stored: Runs that this import stored.
        known: Runs that the study had already, with the same metrics.
    """

    taken: tuple[str, ...]
    directions: str
    notes: tuple[str, ...]
    left_out: tuple[str, ...]
    setups: tuple[str, ...]
    stored: int
    known: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    line: int
    run: Wanted
    record: RunRecord


def import_runs(
    table: str | PathLike[str],
    path: str | PathLike[str],
    mapped: Mapped | None = None,
    *,
    better: Mapping[str, str] | None = None,
) -> Imported:
    """Put the runs of a CSV file into a study file, which is made if there is none.

    The whole file is read and checked before anything is stored. A run that the study has already
    with the same metrics is left alone, so that a longer export may be imported over a shorter.

    Args:
        table: The CSV file.
        path: The study file.
        mapped: Which column is what, as far as it is not to be guessed, and which rows count.
        better: Whether a `lower` or a `higher` value is better, by the name of a metric, where the
            name does not settle it; under "" of the only metric that needs it. Kept in the file.

    Raises:
        ConfigError: A column that is needed cannot be guessed, or a direction cannot be used.
        DataError: The file is no CSV, or a row cannot be used; the message names the line.
        StudyError: The study file cannot be used, trains one of the setups itself, or has other
            metrics for one of the runs.
        UnknownName: There is no such column.
    """
    file = read_csv(Path(table))
    rows, unfinished = _ended(file)
    said = mapped or Mapped()
    columns = columns_of(file, rows, said)
    found = rows_of_runs(file, rows, columns, said)
    read = read_metrics(file, found, columns, said, better or {})
    runs, without = _runs(file, found, read, columns)
    setups = tuple(dict.fromkeys(each.run.setup for each in runs))
    names = tuple(
        dict.fromkeys(
            name for each in runs for name in (*each.record.metrics, *each.record.not_finite)
        )
    )
    ways = check_better(_directions(better or {}, names))
    with Store.open(path, create=True) as store:
        state_directions(store, ways)
        stated = stated_directions(StudyRuns(store))
        _check_units(store, runs)
        _keep_folds(store, rows, columns, said)
        fresh = _fresh(store, runs, columns, said)
        for name in setups:
            store.add_setup(name, Setup(train=ELSEWHERE))
        for each in fresh:
            store.add_run(each.run.setup, each.run.seed, each.record, ended_at=datetime.now(UTC))
    return Imported(
        taken=columns.told(),
        directions=directions_note(names, stated),
        notes=read.notes,
        left_out=(
            *unfinished,
            *without,
            *(f"columns named {name}, of which there are two" for name in file.twice),
            *other_numbers(file, rows, columns),
        ),
        setups=setups,
        stored=len(fresh),
        known=len(runs) - len(fresh),
    )


def _directions(better: Mapping[str, str], names: Sequence[str]) -> Mapping[str, str]:
    """The directions that were given, each of a metric of the file."""
    for name in better:
        if name != DECIDING and name not in names:
            raise UnknownName("metric", name, names)
    if DECIDING not in better:
        return better
    open_ = [name for name in names if direction_of(name, better) is None] or list(names)
    if len(open_) != 1:
        raise ConfigError(
            f"--better {better[DECIDING]} does not say of which metric; write e.g. "
            f"--better {open_[0]}={better[DECIDING]}; there are {', '.join(open_)}"
        )
    return {open_[0]: better[DECIDING], **{k: v for k, v in better.items() if k != DECIDING}}


def _ended(file: CsvFile) -> tuple[list[Row], tuple[str, ...]]:
    """The rows of runs that ended, and what is said of the others."""
    state = column_of(file.columns, STATES)
    if state is None:
        return list(file.rows), ()
    ended = [row for row in file.rows if row[state].lower() in _ENDED]
    others = Counter(row[state] for row in file.rows if row[state].lower() not in _ENDED)
    if not ended:
        raise DataError(f"{file.path} has no finished run; its {state} says {', '.join(others)}")
    return ended, tuple(f"{count} whose {state} is {value}" for value, count in others.items())


def _runs(
    file: CsvFile, found: Sequence[RunRows], read: Readings, columns: Columns
) -> tuple[list[_Run], list[str]]:
    """The runs that have a metric, and what is said of the others."""
    runs, without = list[_Run](), list[str]()
    for each, values in zip(found, read.metrics, strict=True):
        last = each.last
        diverged = columns.state is not None and last[columns.state].lower() == "diverged"
        if not values and not diverged:
            seed = f" with seed {each.seed}" if columns.seed or columns.fold else ""
            without.append(
                f"line {each.line}: {each.setup}{seed} has no metric; if that is because of how "
                "it went, the comparison is biased"
            )
            continue
        run = Wanted(setup=each.setup, seed=each.seed)
        record = _record(file, last, values, columns, diverged=diverged)
        runs.append(_Run(line=each.line, run=run, record=record))
    if not runs:
        why = "; ".join(read.notes) or "give --metric COLUMN"
        raise DataError(f"{file.path}: no run has a metric: {why}")
    return runs, without


def _record(
    file: CsvFile, row: Row, metrics: Mapping[str, float], columns: Columns, *, diverged: bool
) -> RunRecord:
    seconds = number_in(row[columns.seconds]) if columns.seconds else None
    known = seconds is not None and 0 <= seconds.value < math.inf
    try:
        record = as_record(
            metrics or {"metric": math.nan}, seconds=seconds.value if seconds and known else 0.0
        )
    except SeedwiseError as error:
        raise DataError(f"{file.path}, line {row.line}: {error}") from None
    if diverged:
        said = f"diverged, says {file.path.name}"
        lost = record.not_finite if metrics else ()
        record = replace(record, state="diverged", error=said, not_finite=lost)
    return replace(record, made_by={**record.made_by, "imported_from": file.path.name})


def _fresh(store: Store, runs: Sequence[_Run], columns: Columns, mapped: Mapped) -> list[_Run]:
    """The runs that the study lacks; those that it has must be the same."""
    results = [run for run in store.runs() if run.state != "failed"]
    if not (columns.seed or columns.fold):
        return _numbered(results, runs, mapped)
    stored = {(run.setup, run.seed): run for run in results}
    fresh = list[_Run]()
    for each in runs:
        known = stored.get((each.run.setup, each.run.seed))
        if known is None:
            fresh.append(each)
        elif dict(known.metrics) != dict(each.record.metrics) or known.has_logits:
            raise StudyError(
                f"{store.path} has other results for setup {each.run.setup!r} with seed "
                f"{each.run.seed} than line {each.line}; runs never change: give the setup "
                "another name, or use another study file"
            )
    return fresh


def _numbered(results: Sequence[StoredRun], runs: Sequence[_Run], mapped: Mapped) -> list[_Run]:
    """The runs that are new, numbered after all seeds that the study has of whatever setup."""
    known = [False] * len(runs)
    if not mapped.rows_are_runs:
        new = [
            result_of(each.run.setup, each.record.metrics, each.record.not_finite) for each in runs
        ]
        known = already_there(new, results)
    first = max((run.seed.init + 1 for run in results), default=0)
    fresh = [each for each, there in zip(runs, known, strict=True) if not there]
    return [
        replace(each, run=replace(each.run, seed=Seed.of(first + place)))
        for place, each in enumerate(fresh)
    ]


def _keep_folds(store: Store, rows: Sequence[Row], columns: Columns, mapped: Mapped) -> None:
    """Keep that runs are folds, which makes their differences dependent.

    Raises:
        StudyError: The study has runs that are none, or of another number of folds.
        DataError: There is one fold only.
    """
    known = store.choice(FOLDS_KEPT)
    if columns.fold is None:
        if known is not None and rows:
            raise StudyError(f"{store.path} has folds of a cross-validation; give --fold COLUMN")
        return
    folds = len({row[columns.fold] for row in rows})
    if folds < 2 and mapped.test_ratio is None:
        raise DataError(f"the column {columns.fold} has one fold only; there must be two or more")
    if known is None and any(run.state != "failed" for run in store.runs()):
        raise StudyError(f"{store.path} has runs that are no folds; use another study file")
    ratio = 1 / (folds - 1) if mapped.test_ratio is None else mapped.test_ratio
    store.fix_choice(FOLDS_KEPT, {"folds": folds, "test_to_train": ratio})


def _check_units(store: Store, runs: Sequence[_Run]) -> None:
    """Refuse a metric in per cent where the study has fractions, or the other way round."""
    stored = [run for run in store.runs() if run.state == "finished"]
    for name in dict.fromkeys(name for each in runs for name in each.record.metrics):
        numbers = [
            Number(
                value=run.metrics[name],
                percent=False,
                where=f"{run.setup} with seed {run.seed} in {store.path}",
            )
            for run in stored
            if name in run.metrics
        ] + [
            Number(value=each.record.metrics[name], percent=False, where=f"line {each.line}")
            for each in runs
            if name in each.record.metrics
        ]
        in_one_unit(name, numbers)
