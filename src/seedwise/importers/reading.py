"""Runs in some places: each with its setup, its seed and its metrics."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from seedwise.errors import ConfigError, DataError, UnknownName, Unsettled
from seedwise.importers.answers import runs_of_examples
from seedwise.importers.cells import number_in
from seedwise.importers.columns import Columns, columns_of, other_numbers, setup_column
from seedwise.importers.completeness import (
    as_long_as_the_longest,
    ends_note,
    failed_runs,
    has_failed,
    lacking,
)
from seedwise.importers.counting import BestBy, best_by, condensed
from seedwise.importers.finding import Found, Sourced, find_logs, finer, read_found
from seedwise.importers.grouping import RunRows, rows_of_runs
from seedwise.importers.logs import Log, LogRow
from seedwise.importers.mapped import Mapped
from seedwise.importers.names import (
    FOLDS,
    LIKELY_SETUPS,
    PROGRESS,
    REPEATS,
    RUNS,
    SEEDS,
    SETUPS,
    STATES,
    TASKS,
    column_of,
    columns_of_kind,
    listed,
    short,
)
from seedwise.importers.paths import PATH_SEED, Layout
from seedwise.importers.readings import Readings, read_metrics
from seedwise.importers.runs import ReadRun, RunsRead
from seedwise.importers.table import LogTable, of_named_logs, table_of
from seedwise.importers.wide import WIDE, by_setup, setups_in_columns

__all__ = ["read_runs"]

_ENDED = frozenset(
    (
        *("finished", "success", "succeeded", "successful", "complete", "completed", "done"),
        *("terminated", "ok", "passed", "diverged", ""),
    )
)
"""Words of W&B, MLflow, Optuna, Ray Tune, schedulers and seedwise for a run that is a result."""


def read_runs(wheres: Sequence[str], said: Mapped, better: Mapping[str, str]) -> RunsRead:
    """Read the runs of some places.

    Args:
        wheres: Files, folders, or addresses of trackers.
        said: Which column is what, as far as it is not to be guessed, and which rows count.
        better: The directions that were stated, by metric.

    Raises:
        ConfigError: A column that is needed cannot be guessed, or what is there can be read in
            two ways.
        DataError: It cannot be read, or a row cannot be used; the message names its place.
        MissingPackage: The library that reads such logs is not installed.
        UnknownName: There is no such column, or no such format.
    """
    layout = Layout(said.layout) if said.layout is not None else None
    found, left = find_logs(wheres, said.format, layout)
    said, logs, unread = _read_logs(found, said, better)
    if said.test_ratio is not None and said.fold is None:
        raise ConfigError("--test-ratio belongs to folds; give --fold COLUMN too")
    name = wheres[0] if len(wheres) == 1 else f"{wheres[0]} and {len(wheres) - 1} more"
    table = table_of(logs, name, layout)
    detailed = None if said.example else finer(found)
    if detailed and not (said.seed or said.unpaired or _has_seeds(table, said)):
        read = read_runs(wheres, replace(said, format=detailed, last=False), better)
        means = found[0].importer.name
        note = f"no seed is known, so samples are read; --format {means} reads the means"
        return replace(read, notes=(*read.notes, note))
    left += [f"scores of single questions, which --format {detailed} reads"] * bool(detailed)
    rows, unfinished = _ended(table)
    lost = _failed(table)
    table, rows, turned = _turned(table, rows, said)
    if said.example is not None:
        scored = runs_of_examples(table, rows, said, (*left, *unread, *unfinished))
        return replace(scored, better=_better(logs))
    columns = columns_of(table, rows, said)
    rows, unnamed = of_named_logs(table, rows, (columns.setup, *columns.seed))
    run_rows, early = rows_of_runs(table, rows, columns, said), list[str]()
    notes = ends_note(run_rows, columns) if said.chooses and not said.skip_incomplete else []
    if said.skip_incomplete:
        run_rows, early = as_long_as_the_longest(run_rows, columns)
    read = read_metrics(table, run_rows, columns, said, better)
    runs, empty, without = _runs(table, run_rows, read, columns, said)
    fold = columns.fold
    return RunsRead(
        name=table.name,
        several=table.several,
        runs=tuple(runs),
        numbered=not (columns.seed or fold),
        folds=len({row[fold] for row in rows}) if fold else None,
        tasks=_tasks(rows, columns.task),
        failed=failed_runs(table, lost, columns, empty),
        better=_better(logs),
        taken=(*turned, *columns.told(), *(["rows: the last of each run"] if said.last else [])),
        notes=(*notes, *read.notes),
        left_out=(
            *left,
            *unread,
            *unfinished,
            *unnamed,
            *early,
            *without,
            *(f"columns named {name}, of which there are two" for name in table.twice),
            *other_numbers(table, rows, columns),
        ),
    )


def _has_seeds(table: LogTable, said: Mapped) -> bool:
    """True if means can be compared: there are seeds, or a metric was named that has them."""
    seed = column_of(table.columns, (*SEEDS, PATH_SEED))
    return seed is not None or any(name in table.columns for name in said.metrics)


def _better(logs: Sequence[Sourced]) -> Mapping[str, str]:
    """The directions that logs say of their metrics, and none says otherwise."""
    found = dict[str, set[str]]()
    for each in logs:
        for metric, way in each.log.better.items():
            found.setdefault(metric, set()).add(way)
    return {metric: next(iter(ways)) for metric, ways in found.items() if len(ways) == 1}


def _tasks(rows: Sequence[LogRow], column: str | None) -> tuple[str, ...]:
    """The names of the tasks in a column, in their order."""
    return tuple(dict.fromkeys(row[column] for row in rows if row[column])) if column else ()


def _turned(
    table: LogTable, rows: list[LogRow], said: Mapped
) -> tuple[LogTable, list[LogRow], list[str]]:
    """The table with a row per value, where each column is a setup, and the message about it."""
    named = (
        said.setup is not None
        or said.metrics
        or said.example
        or setup_column(table, rows) is not None
    )
    if said.wide is None and (named or said.chooses):
        return table, rows, []
    setups = setups_in_columns(table, rows, seed=said.seed, sure=said.wide is not None)
    if not setups:
        return table, rows, []
    table, rows, turned = by_setup(table, rows, setups, metric=said.wide or WIDE, seed=said.seed)
    return table, rows, [turned]


def _read_logs(
    found: Sequence[Found], said: Mapped, better: Mapping[str, str]
) -> tuple[Mapped, list[Sourced], list[str]]:
    """The logs with the rows that count, which is now said, and the messages about the others."""
    logs, left, errors = list[Sourced](), list[str](), list[DataError]()
    best: BestBy | None = None
    asked = said
    for each in read_found(found, errors):
        if each.log.example and asked.example is None:
            asked = replace(asked, example=each.log.example, last=False)
        is_log = (len(found) > 1 or each.log.one_run) and asked.example is None
        if is_log and not (asked.chooses or asked.rows_are_runs):
            asked = replace(asked, last=True)
        if asked.best is not None and best is None:
            best = _best_of(each.log, asked.best, asked, better)
        log = _with_counting_rows(each.log, asked, best) if is_log and asked.chooses else each.log
        if log.fold and not (asked.fold or asked.unpaired or asked.rows_are_runs):
            asked = replace(asked, fold=log.fold)
        if log.rows:
            logs.append(replace(each, log=log))
        else:
            ends = f"ends before {asked.step:g}" if each.log.rows else "is empty"
            left.append(f"{each.paths[0]} {ends}")
    if not logs:
        raise errors[0] if errors else DataError(f"nothing to import: {listed(left)}")
    return asked, logs, [*map(str, errors), *left]


def _best_of(log: Log, metric: str, said: Mapped, better: Mapping[str, str]) -> BestBy:
    """The metric that rows are to be the best by."""
    try:
        return best_by(metric, said.metrics, better)
    except Unsettled:
        columns = dict.fromkeys(column for row in log.rows for column in row.cells)
        if metric not in columns and metric not in said.metrics.values():
            raise UnknownName("metric", metric, columns) from None
        raise


def _with_counting_rows(log: Log, said: Mapped, best: BestBy | None) -> Log:
    """A log without the epochs and steps that do not count; a table of runs stays as it is."""
    columns = dict.fromkeys(column for row in log.rows for column in row.cells)
    progress = columns_of_kind(columns, PROGRESS)
    if not log.one_run and not progress:
        return log
    kinds = (
        *SEEDS,
        *FOLDS,
        *TASKS,
        *(() if log.one_run else (*SETUPS, *LIKELY_SETUPS, *REPEATS, *RUNS)),
    )
    long = {"metric", "value"} <= set(map(short, columns))
    named = (said.setup, said.seed, said.fold, said.task)
    parts = [
        column
        for column in columns
        if column in named or short(column) in kinds or (long and short(column) == "metric")
    ]
    return condensed(log, progress, parts, said, best)


def _ended(table: LogTable) -> tuple[list[LogRow], tuple[str, ...]]:
    """The rows of runs that ended, and the messages about the others."""
    state = column_of(table.columns, STATES)
    if state is None:
        return list(table.rows), ()
    ended = [row for row in table.rows if row[state].lower() in _ENDED]
    others = Counter(row[state] for row in table.rows if row[state].lower() not in _ENDED)
    if not ended:
        raise DataError(f"{table.name} has no finished run; its {state} says {', '.join(others)}")
    return ended, tuple(f"{count} whose {state} is {value}" for value, count in others.items())


def _failed(table: LogTable) -> list[LogRow]:
    """The rows of runs that failed, as their state says."""
    state = column_of(table.columns, STATES)
    return [row for row in table.rows if has_failed(row[state])] if state else []


def _runs(
    table: LogTable,
    found: Sequence[RunRows],
    read: Readings,
    columns: Columns,
    said: Mapped,
) -> tuple[list[ReadRun], list[RunRows], list[str]]:
    """The runs that have a metric, those that have none, and what is said of what is left out."""
    runs, empty, without = list[ReadRun](), list[RunRows](), list[str]()
    holes = lacking(read.metrics) if said.skip_incomplete else [""] * len(found)
    for each, values, lacks in zip(found, read.metrics, holes, strict=True):
        last = each.last
        diverged = columns.state is not None and last[columns.state].lower() == "diverged"
        lacks = lacks if values else "has no metric"
        if lacks and not diverged:
            if not values:
                empty.append(each)
            seed = f" with seed {each.seed}" if columns.seed or columns.fold else ""
            without.append(
                f"{each.where}: {each.setup}{seed} {lacks}; if that is because of how "
                "it went, the comparison is biased"
            )
            continue
        runs.append(
            ReadRun(
                setup=each.setup,
                seed=each.seed,
                metrics=values,
                seconds=_seconds(last, columns),
                diverged=diverged,
                where=each.where,
            )
        )
    if not runs:
        why = "; ".join(read.notes) or "give --metric COLUMN"
        raise DataError(f"{table.name}: no run has a metric: {why}")
    return runs, empty, without


def _seconds(row: LogRow, columns: Columns) -> float:
    seconds = number_in(row[columns.seconds]) if columns.seconds else None
    known = seconds is not None and 0 <= seconds.value < math.inf
    return seconds.value if seconds and known else 0.0
