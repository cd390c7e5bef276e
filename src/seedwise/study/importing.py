"""Runs in a CSV file of somebody else's, put into a study file.

Read are long files (a row for each setup, seed and metric), wide ones (a row for each run, a
column for each metric), the CSV exports of W&B's table of runs (`Name`, `State`, ..., then
configuration and summary under their own names) and of MLflow (`Start Time`, `Duration`, ... from
its page; `run_id`, `metrics.*`, `params.*` from `mlflow experiments csv`), and seedwise's own.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

from seedwise.comparison.directions import (
    DECIDING,
    check_better,
    direction_of,
    directions_note,
    state_directions,
    stated_directions,
)
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError, DataError, SeedwiseError, StudyError, UnknownName
from seedwise.executors.outcome import as_record
from seedwise.records import RunRecord
from seedwise.seeds import Seed
from seedwise.setups import ELSEWHERE, Setup
from seedwise.store import Store
from seedwise.study.columns import (
    STATES,
    Columns,
    Mapped,
    column_of,
    columns_of,
    number_in,
    other_numbers,
)
from seedwise.study.csvfile import CsvFile, Row, read_csv
from seedwise.study.orders import Wanted

__all__ = ["Imported", "import_runs"]

_ENDED = frozenset(("finished", "success", "succeeded", "completed", "done", "diverged", ""))
"""What W&B, MLflow, schedulers and seedwise say of a run that is a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was read, and what became of it.

    Attributes:
        taken: What was taken as what, in words.
        directions: Which way the metrics point, in words; empty where nobody could doubt it.
        left_out: What was left out and why, in words.
        setups: Names of the setups.
        stored: Runs that this import stored.
        known: Runs that the study had already, with the same metrics.
    """

    taken: tuple[str, ...]
    directions: str
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
        mapped: Which column is what, as far as it is not to be guessed.
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
    columns = columns_of(file, rows, mapped or Mapped())
    runs = _runs(file, rows, columns)
    setups = tuple(dict.fromkeys(each.run.setup for each in runs))
    names = tuple(dict.fromkeys(name for each in runs for name in each.record.metrics))
    ways = check_better(_directions(better or {}, names))
    with Store.open(path, create=True) as store:
        state_directions(store, ways)
        stated = stated_directions(StudyRuns(store))
        fresh = _fresh(store, runs, numbered=not columns.seed)
        for name in setups:
            store.add_setup(name, Setup(train=ELSEWHERE))
        for each in fresh:
            store.add_run(each.run.setup, each.run.seed, each.record, ended_at=datetime.now(UTC))
    return Imported(
        taken=columns.told(),
        directions=directions_note(names, stated),
        left_out=(*unfinished, *other_numbers(file, rows, columns)),
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


def _runs(file: CsvFile, rows: Sequence[Row], columns: Columns) -> list[_Run]:
    """The runs of the rows; without a column of seeds they are numbered from 0."""
    metrics: dict[Wanted, dict[str, float]] = {}
    firsts: dict[Wanted, Row] = {}
    for number, row in enumerate(rows):
        where = f"{file.path}, line {row.line}"
        seed = _seed(where, row, columns.seed) if columns.seed else Seed.of(number)
        if not row[columns.setup]:
            raise DataError(f"{where}: the column {columns.setup} is empty")
        if not row[columns.setup].isprintable():
            raise DataError(f"{where}: a setup needs a printable name, got {row[columns.setup]!r}")
        run = Wanted(setup=row[columns.setup], seed=seed)
        if run in firsts and columns.long is None:
            raise DataError(
                f"{where}: setup {run.setup!r} with seed {seed} is in line {firsts[run].line} "
                "already; each run needs a seed of its own"
            )
        firsts.setdefault(run, row)
        found = metrics.setdefault(run, {})
        for name, value in _metrics(where, row, columns):
            if name in found:
                raise DataError(f"{where}: {run.setup!r} with seed {seed} has {name} twice")
            found[name] = value
    return [
        _Run(line=row.line, run=run, record=_record(file, row, metrics[run], columns))
        for run, row in firsts.items()
    ]


def _seed(where: str, row: Row, columns: Sequence[str]) -> Seed:
    text = "/".join(row[column].removesuffix(".0") for column in columns)  # pandas writes 3.0
    try:
        return Seed.parse(text)
    except SeedwiseError as error:
        raise DataError(f"{where}: {error}") from None


def _metrics(where: str, row: Row, columns: Columns) -> Iterable[tuple[str, float]]:
    """The metrics of a row, by name; an empty cell is none."""
    if columns.long:
        metric, value = columns.long
        cells = {value: row[metric]}
    else:
        cells = columns.metrics
    for column, name in cells.items():
        number = number_in(row[column])
        if number is not None:
            yield name, number
        elif row[column]:
            raise DataError(f"{where}: {column} must be a number, got {row[column]!r}")


def _record(file: CsvFile, row: Row, metrics: Mapping[str, float], columns: Columns) -> RunRecord:
    where = f"{file.path}, line {row.line}"
    seconds = number_in(row[columns.seconds]) if columns.seconds else None
    if seconds is None or not 0 <= seconds < math.inf:
        seconds = 0.0
    diverged = columns.state is not None and row[columns.state].lower() == "diverged"
    if not metrics and not diverged:
        raise DataError(f"{where}: the run has no metric; leave the row out, or say what it was")
    try:
        record = as_record(metrics or {"metric": math.nan}, seconds=seconds)
    except SeedwiseError as error:
        raise DataError(f"{where}: {error}") from None
    if diverged:
        record = replace(record, state="diverged", error=f"diverged, says {file.path.name}")
    return replace(record, made_by={**record.made_by, "imported_from": file.path.name})


def _fresh(store: Store, runs: Sequence[_Run], *, numbered: bool) -> list[_Run]:
    """The runs that the study lacks; those that it has must be the same."""
    results = [run for run in store.runs() if run.state != "failed"]
    if numbered:  # after all seeds that the study has, of whatever setup
        first = max((run.seed.init + 1 for run in results), default=0)
        return [replace(each, run=_later(each.run, first)) for each in runs]
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


def _later(run: Wanted, first: int) -> Wanted:
    return replace(run, seed=Seed.of(first + run.seed.init))
