"""Rows of a table that are one run: an epoch, a fold or a task is not a run of its own."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from seedwise.errors import ConfigError, DataError, SeedwiseError
from seedwise.importers.cells import number_in
from seedwise.importers.columns import Columns
from seedwise.importers.logs import LogRow
from seedwise.importers.mapped import Mapped
from seedwise.importers.names import FOLDS, PARTS, TASKS, column_of, listed, short
from seedwise.importers.table import LogTable
from seedwise.seeds import Seed
from seedwise.stats.directions import known_direction

__all__ = ["RunRows", "rows_of_runs", "seed_of"]

_WORD = re.compile(r"(?:seed|run|trial|rep|s)[ _=:-]*(?=\d+$)", re.ASCII | re.IGNORECASE)
"""Words that people write before the number of a seed: seed_3, run 3, s3."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunRows:
    """The rows of one run.

    Attributes:
        setup: Name of its setup.
        seed: Its seed; where runs are numbered, its place in the table.
        where: Place of its first row.
        rows: By task, the rows in order; the empty name where there are no tasks.
    """

    setup: str
    seed: Seed
    where: str
    rows: dict[str, list[LogRow]] = field(default_factory=dict[str, list[LogRow]])

    @property
    def last(self) -> LogRow:
        """Its last row."""
        return list(self.rows.values())[-1][-1]


def rows_of_runs(
    table: LogTable, rows: Sequence[LogRow], columns: Columns, mapped: Mapped
) -> list[RunRows]:
    """The runs of a table, each with its rows.

    Raises:
        ConfigError: Rows look like epochs, folds or tasks of a run, and it was not said what to
            do.
        DataError: A row has no setup, a seed that is none, or that of another row.
    """
    for row in rows:
        if not row[columns.setup]:
            raise DataError(f"{table.at(row.where)}: the column {columns.setup} is empty")
        if not row[columns.setup].isprintable():
            raise DataError(
                f"{table.at(row.where)}: a setup needs a printable name, got "
                f"{row[columns.setup]!r}"
            )
    labels = _labels(rows, columns, mapped, several=table.several)
    if not mapped.rows_are_runs:
        _ask(table, rows, labels, columns, mapped)
    found: dict[tuple[str, ...], RunRows] = {}
    seeds = _fold_seeds(rows, columns) if columns.fold else {}
    for row, label in zip(rows, labels, strict=True):
        if label not in found:
            seed = seeds.get(row) if columns.fold else seed_of(table, row, columns, len(found))
            assert seed is not None
            found[label] = RunRows(setup=row[columns.setup], seed=seed, where=row.where)
        task = row[columns.task] if columns.task else ""
        found[label].rows.setdefault(task, []).append(row)
    for run in found.values():
        for task, some in run.rows.items():
            run.rows[task] = _once(table, run, some, columns, mapped)
    return list(found.values())


def _once(
    table: LogTable, run: RunRows, rows: list[LogRow], columns: Columns, mapped: Mapped
) -> list[LogRow]:
    """The rows of one log, where several logs hold the same metrics of a run."""
    by_log: dict[int, list[LogRow]] = {}
    if table.several:
        for row in rows:
            by_log.setdefault(row.log, []).append(row)
    elif mapped.duplicates != "refuse" and not mapped.chooses:
        by_log = {place: [row] for place, row in enumerate(rows)}
    if len(by_log) < 2:
        return rows
    held = [_metrics_in(some, columns) for some in by_log.values()]
    if sum(map(len, held)) == len(set().union(*held)) and table.are_beside(by_log):
        return rows
    if mapped.duplicates == "refuse":
        first, second = list(by_log.values())[:2]
        raise DataError(
            f"{run.setup!r} with seed {run.seed} occurs several times, in {first[-1].where} and "
            f"in {second[-1].where}; give --duplicates last (or first) for the one that counts, "
            "or say with --layout what tells them apart"
        )
    return by_log[(max if mapped.duplicates == "last" else min)(by_log)]


def _metrics_in(rows: Sequence[LogRow], columns: Columns) -> set[str]:
    if columns.long:
        return {row[columns.long[0]] for row in rows}
    return {column for column in columns.metrics for row in rows if row[column]}


def _labels(
    rows: Sequence[LogRow], columns: Columns, mapped: Mapped, *, several: bool
) -> list[tuple[str, ...]]:
    """Labels of the runs: setup and seed; setup and run; else a new start of the epochs."""
    own = tuple(filter(None, (*columns.seed, columns.fold)))
    one = mapped.chooses or columns.task is not None
    if own:
        return [(row[columns.setup], *(row[column] for column in own)) for row in rows]
    if several:
        return [(row[columns.setup], str(row.log), *(row[c] for c in columns.run)) for row in rows]
    if not one or mapped.rows_are_runs:
        return [(row[columns.setup], str(place)) for place, row in enumerate(rows)]
    if columns.run:
        return [(row[columns.setup], *(row[column] for column in columns.run)) for row in rows]
    starts: dict[str, tuple[int, float]] = {}
    labels = list[tuple[str, ...]]()
    for row in rows:
        setup = row[columns.setup]
        start, before = starts.get(setup, (0, -math.inf))
        now = _place(row, columns.progress[0]) if columns.progress else math.inf
        starts[setup] = (start + (now <= before), now)
        labels.append((setup, str(starts[setup][0])))
    return labels


def _place(row: LogRow, progress: str) -> float:
    found = number_in(row[progress])
    return math.inf if found is None else found.value


def seed_of(table: LogTable, row: LogRow, columns: Columns, place: int) -> Seed:
    """The seed of a row; its place where runs are numbered.

    Raises:
        DataError: It is none.
    """
    if not columns.seed:
        return Seed.of(place)
    numbers = (_WORD.sub("", row[column]) for column in columns.seed)
    text = "/".join(number.removesuffix(".0") for number in numbers)  # pandas' 3.0
    try:
        return _parsed(text)
    except SeedwiseError as error:
        raise DataError(f"{table.at(row.where)}: {error}") from None


@lru_cache(2**16)
def _parsed(text: str) -> Seed:
    """The seed of a text; all setups have the same ones."""
    return Seed.parse(text)


def _fold_seeds(rows: Sequence[LogRow], columns: Columns) -> Mapping[LogRow, Seed]:
    """Fold f of k in repetition r as seed r k + f, the same in all setups."""
    assert columns.fold is not None
    folds = _ordered({row[columns.fold] for row in rows})
    repeats = _ordered({tuple(row[column] for column in columns.seed) for row in rows})
    return {
        row: Seed.of(
            repeats.index(tuple(row[column] for column in columns.seed)) * len(folds)
            + folds.index(row[columns.fold])
        )
        for row in rows
    }


def _ordered(labels: set) -> list:  # type: ignore[type-arg]
    return sorted(labels, key=lambda label: (len(str(label)), str(label)))


def _ask(
    table: LogTable,
    rows: Sequence[LogRow],
    labels: Sequence[tuple[str, ...]],
    columns: Columns,
    mapped: Mapped,
) -> None:
    """Refuse what looks like parts of runs, by its names and by what repeats."""
    for column in columns.seed:
        if parts := PARTS.get(short(column)):
            raise ConfigError(
                f"{table.name}: the column {column} tells {parts}, which are parts of one run, "
                f"not runs of their own: it is not a seed; give the column that is, or "
                f"--rows-are-runs "
                "if each of them was trained anew"
            )
    fold = column_of(table.columns, FOLDS)
    if fold and not columns.fold and fold not in columns.metrics and _several(rows, fold):
        raise ConfigError(
            f"{table.name}: the column {fold} tells the folds of a cross-validation, which share "
            f"their training data and are not independent runs; give --fold {fold}"
        )
    task = column_of(table.columns, TASKS)
    taken = {columns.setup, *columns.seed, columns.task, columns.fold, *columns.metrics}
    if task and not columns.task and task not in taken and _within(rows, columns.setup, task):
        values = listed(sorted({row[task] for row in rows}))
        raise ConfigError(
            f"{table.name}: the column {task} tells tasks ({values}), which must not be pooled; "
            f"give --task {task} for a metric of each, or import each into a study of its own"
        )
    if mapped.chooses:
        return
    known = labels
    if not columns.seed and columns.run:  # numbered: does the table know which run a row is of?
        known = [(row[columns.setup], *(row[c] for c in columns.run)) for row in rows]
    # Of a table with a row for each value, what is there twice is told where the values are read.
    twice = None if columns.long and not columns.progress else _twice(rows, known, columns)
    progress = columns.progress[0] if columns.progress else None
    if progress and (twice or (not columns.seed and not columns.run and _counts(rows, columns))):
        raise ConfigError(
            f"{table.name}: the column {progress} counts within a run, so rows are not runs of "
            f"their own; give --last, or --best METRIC, for the row of each run that counts"
        )
    if twice and mapped.duplicates == "refuse":
        first, second = twice
        differ = [c for c in table.columns if first[c] != second[c] and not known_direction(c)]
        by = f" and differ in {listed(differ)}" if differ else ""
        raise DataError(
            f"{table.at(second.where)}: setup {second[columns.setup]!r} with "
            f"{_described(second, columns)} is in {first.where} already{by}; each run needs a "
            "seed of its own: give --last, --best METRIC, --task COLUMN or --fold COLUMN for what "
            "rows are of one run, --duplicates last if one of them counts, or --unpaired "
            "--rows-are-runs if each is a run"
        )


def _described(row: LogRow, columns: Columns) -> str:
    names = columns.seed or columns.run
    if columns.seed:
        return f"seed {'/'.join(row[name] for name in names)}"
    return ", ".join(f"{name} {row[name]}" for name in names)


def _twice(
    rows: Sequence[LogRow], labels: Sequence[tuple[str, ...]], columns: Columns
) -> tuple[LogRow, LogRow] | None:
    """Two rows of one run that say the same thing of it."""
    seen: dict[tuple[str, ...], LogRow] = {}
    for row, label in zip(rows, labels, strict=True):
        says = row[columns.long[0]] if columns.long else ""
        task = row[columns.task] if columns.task else ""
        key = (*label, task, says)
        if key in seen:
            return seen[key], row
        seen[key] = row
    return None


def _several(rows: Sequence[LogRow], column: str) -> bool:
    return len({row[column] for row in rows}) > 1


def _within(rows: Sequence[LogRow], setup: str, column: str) -> bool:
    """True if a column varies within a setup."""
    return len({(row[setup], row[column]) for row in rows}) > len({row[setup] for row in rows})


def _counts(rows: Sequence[LogRow], columns: Columns) -> bool:
    """True if the rows of a setup count on in even steps, as epochs do and last epochs don't."""
    for setup in {row[columns.setup] for row in rows}:
        places = [_place(row, columns.progress[0]) for row in rows if row[columns.setup] == setup]
        steps = {after - before for before, after in pairwise(places)}
        if len(places) > 2 and len({step for step in steps if step > 0}) == 1:
            return True
    return False
