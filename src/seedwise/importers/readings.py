"""The metrics of each run of a table: which of its rows counts, in one unit, holes said."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from seedwise.comparison.metrics import DECIDING, direction_of, unsettled
from seedwise.errors import DataError, UnknownName, Unsettled
from seedwise.importers.cells import Number, in_one_unit, number_in
from seedwise.importers.columns import Columns, Mapped, listed
from seedwise.importers.grouping import RunRows
from seedwise.importers.logs import LogRow
from seedwise.importers.table import LogTable

__all__ = ["Readings", "read_metrics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What was read.

    Attributes:
        metrics: The metrics of each run by name, in the order of the runs.
        notes: What a person should know of it, in words.
    """

    metrics: tuple[Mapping[str, float], ...]
    notes: tuple[str, ...]


def read_metrics(
    table: LogTable,
    runs: Sequence[RunRows],
    columns: Columns,
    mapped: Mapped,
    better: Mapping[str, str],
) -> Readings:
    """The metrics of the runs of a table.

    Args:
        table: The table.
        runs: Its runs with their rows.
        columns: Which column is what.
        mapped: What a person said; `last` and `best` of it.
        better: The directions that were stated, by metric, for `best`.

    Raises:
        DataError: Several rows of a run say one metric, or a metric is in two units.
        UnknownName: There is no metric to be best by.
        Unsettled: Nobody said which way that metric points.
    """
    found: list[dict[str, Number]] = []
    holes: dict[str, list[str]] = {}
    notes = list[str]()
    best = _best_by(columns, mapped, better)
    for run in runs:
        numbers: dict[str, Number] = {}
        for task, rows in run.rows.items():
            for name, row, cell in _cells(table, run, rows, columns, mapped, best):
                where = row.where
                whole = f"{task}/{name}" if task else name
                number = number_in(cell, where=where)
                if number is None:
                    told = f" ({cell!r})" if cell else ""
                    holes.setdefault(whole, []).append(f"{where}{told}")
                else:
                    numbers[whole] = number
        found.append(numbers)
    lengths = {run.where: sum(map(len, run.rows.values())) for run in runs}
    if (mapped.last or best) and len(set(lengths.values())) > 1:
        few = min(lengths, key=lambda where: lengths[where])
        notes.append(
            f"runs have {min(lengths.values())} to {max(lengths.values())} rows; the shortest "
            f"begins in {few}: was it cut off?"
        )
    values, said = _in_one_unit(found)
    notes += said
    notes += [f"{name} is missing in {listed(places)}" for name, places in holes.items()]
    return Readings(metrics=tuple(values), notes=tuple(notes))


def _best_by(
    columns: Columns, mapped: Mapped, better: Mapping[str, str]
) -> tuple[str, str, int] | None:
    """Column and name of the metric to be best by, and 1 where higher is better."""
    if mapped.best is None:
        return None
    known = {**{name: column for column, name in columns.metrics.items()}}
    known |= {column: column for column in columns.metrics}
    if mapped.best not in known:
        raise UnknownName("metric", mapped.best, known)
    column = known[mapped.best]
    name = columns.metrics[column]
    way = direction_of(name, better) or better.get(DECIDING)
    if way is None:
        raise Unsettled(unsettled(name))
    return column, name, 1 if way == "higher" else -1


def _cells(
    table: LogTable,
    run: RunRows,
    rows: Sequence[LogRow],
    columns: Columns,
    mapped: Mapped,
    best: tuple[str, str, int] | None,
) -> Iterator[tuple[str, LogRow, str]]:
    """The cell of each metric of a run, with its row."""
    if columns.long:
        yield from _long_cells(table, run, rows, columns, mapped)
        return
    if best:
        rows = [_best_row(table, rows, best)]
    elif len(rows) > 1 and not mapped.last:
        raise DataError(
            f"{table.at(rows[1].where)}: the run of {rows[0].where} again; each run "
            "needs a seed of its own: give --last, --best METRIC, --task COLUMN or --fold COLUMN"
        )
    ordered = _ordered(table, rows, columns)
    for column, name in columns.metrics.items():
        filled = [row for row in ordered if row[column]]
        row = filled[-1] if filled else ordered[-1]
        yield name, row, row[column]


def _long_cells(
    table: LogTable, run: RunRows, rows: Sequence[LogRow], columns: Columns, mapped: Mapped
) -> Iterator[tuple[str, LogRow, str]]:
    assert columns.long is not None
    metric, value = columns.long
    found: dict[str, LogRow] = {}
    for row in _ordered(table, rows, columns):
        if row[metric] in found and not mapped.last:
            raise DataError(
                f"{table.at(row.where)}: {run.setup!r} with seed {run.seed} has "
                f"{row[metric]} twice, in {found[row[metric]].where} "
                "too; give --last if rows are epochs"
            )
        found[row[metric]] = row
    for name, row in found.items():
        yield name, row, row[value]


def _ordered(table: LogTable, rows: Sequence[LogRow], columns: Columns) -> list[LogRow]:
    """Rows by their epoch or step; in the table's order where they have none."""
    progress = columns.progress
    if progress is None or len(rows) < 2:
        return list(rows)
    places = [number_in(row[progress]) for row in rows]
    if any(place is None for place in places):
        return list(rows)
    by = sorted(range(len(rows)), key=lambda i: places[i].value)  # type: ignore[union-attr]
    return [rows[i] for i in by]


def _best_row(table: LogTable, rows: Sequence[LogRow], best: tuple[str, str, int]) -> LogRow:
    column, _, sign = best
    known = [(number_in(row[column]), row) for row in rows]
    finite = [(n.value, row) for n, row in known if n is not None and n.value == n.value]
    return max(finite, key=lambda pair: sign * pair[0])[1] if finite else rows[-1]


def _in_one_unit(
    found: Sequence[Mapping[str, Number]],
) -> tuple[list[dict[str, float]], list[str]]:
    names = dict.fromkeys(name for numbers in found for name in numbers)
    values: list[dict[str, float]] = [{} for _ in found]
    notes = list[str]()
    for name in names:
        have = [i for i, numbers in enumerate(found) if name in numbers]
        scaled, said = in_one_unit(name, [found[i][name] for i in have])
        notes += [said] if said else []
        for i, value in zip(have, scaled, strict=True):
            values[i][name] = value
    return values, notes
