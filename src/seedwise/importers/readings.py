"""The metrics of each run of a table: which of its rows counts, in one unit, holes said."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from seedwise.errors import DataError, UnknownName
from seedwise.importers.cells import Number, in_one_unit, number_in
from seedwise.importers.columns import Columns
from seedwise.importers.counting import BestBy, best_by, counting_row, merged, ordered
from seedwise.importers.grouping import RunRows
from seedwise.importers.logs import LogRow
from seedwise.importers.mapped import Mapped
from seedwise.importers.names import listed
from seedwise.importers.table import LogTable

__all__ = ["Readings", "read_metrics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Values that were read.

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
        mapped: What a person said; which row of a run counts.
        better: The directions that were stated, by metric, for `best`.

    Raises:
        DataError: Several rows of a run say one metric, or a metric is in two units.
        UnknownName: There is no metric to be best by.
        Unsettled: Nobody said which way that metric points.
    """
    found: list[dict[str, Number]] = []
    holes: dict[str, list[str]] = {}
    best = _best_by(columns, mapped, better)
    for run in runs:
        numbers: dict[str, Number] = {}
        for task, rows in run.rows.items():
            for name, where, cell in _cells(table, run, rows, columns, mapped, best):
                whole = f"{task}/{name}" if task else name
                number = number_in(cell, where=where)
                if number is None:
                    told = f" ({cell!r})" if cell else ""
                    holes.setdefault(whole, []).append(f"{where}{told}")
                else:
                    numbers[whole] = number
        found.append(numbers)
    values, notes = _in_one_unit(found)
    notes += [f"{name} is missing in {listed(places)}" for name, places in holes.items()]
    return Readings(metrics=tuple(values), notes=tuple(notes))


def _best_by(columns: Columns, mapped: Mapped, better: Mapping[str, str]) -> BestBy | None:
    if mapped.best is None:
        return None
    if mapped.best not in {*columns.metrics, *columns.metrics.values()}:
        raise UnknownName("metric", mapped.best, columns.metrics.values())
    return best_by(mapped.best, columns.metrics, better)


def _cells(
    table: LogTable,
    run: RunRows,
    rows: Sequence[LogRow],
    columns: Columns,
    mapped: Mapped,
    best: BestBy | None,
) -> Iterator[tuple[str, str, str]]:
    """The name of each metric of a run, its place, and its cell."""
    if columns.long:
        yield from _long_cells(table, run, rows, columns, mapped)
        return
    if len({row.log for row in rows}) > 1:  # logs of one run, with metrics of their own
        row = merged(rows)
    elif len(rows) > 1 and not mapped.chooses:
        raise DataError(
            f"{table.at(rows[1].where)}: the run of {rows[0].where} again; each run "
            "needs a seed of its own: give --last, --best METRIC, --task COLUMN or --fold COLUMN"
        )
    else:
        row = counting_row(rows, columns.progress, mapped, best)
        if row is None:  # it ends before the step that is meant
            return
    for column, name in columns.metrics.items():
        yield name, row.where, row[column]


def _long_cells(
    table: LogTable, run: RunRows, rows: Sequence[LogRow], columns: Columns, mapped: Mapped
) -> Iterator[tuple[str, str, str]]:
    assert columns.long is not None
    metric, value = columns.long
    found: dict[str, LogRow] = {}
    for row in ordered(rows, columns.progress):
        if row[metric] in found and not mapped.chooses:
            raise DataError(
                f"{table.at(row.where)}: {run.setup!r} with seed {run.seed} has "
                f"{row[metric]} twice, in {found[row[metric]].where} "
                "too; give --last if rows are epochs"
            )
        found[row[metric]] = row
    for name, row in found.items():
        yield name, row.where, row[value]


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
