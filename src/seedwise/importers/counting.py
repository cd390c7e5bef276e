"""Choice of the row of a run that counts: the last, the best, or that of a step."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from seedwise.comparison.metrics import DECIDING, direction_of, unsettled
from seedwise.errors import Unsettled
from seedwise.importers.cells import number_in
from seedwise.importers.logs import Log, LogRow
from seedwise.importers.mapped import Mapped

__all__ = [
    "BestBy",
    "best_by",
    "condensed",
    "counting_row",
    "end_of",
    "merged",
    "ordered",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BestBy:
    """The metric by which a row is the best.

    Attributes:
        column: Its column.
        higher: Whether higher is better.
    """

    column: str
    higher: bool


def best_by(metric: str, columns: Mapping[str, str], better: Mapping[str, str]) -> BestBy:
    """The column of a metric by which rows are to be the best, and which way it points.

    Args:
        metric: The metric's name, or its column's.
        columns: The names of metrics by column, where these differ.
        better: The directions that were stated, by metric.

    Raises:
        Unsettled: Nobody said which way that metric points.
    """
    of_name = {name: column for column, name in columns.items()}
    column = metric if metric in columns else of_name.get(metric, metric)
    name = columns.get(column, column)
    way = direction_of(name, better) or better.get(DECIDING)
    if way is None:
        raise Unsettled(unsettled(name))
    return BestBy(column=column, higher=way == "higher")


def counting_row(
    rows: Sequence[LogRow], progress: Sequence[str], said: Mapped, best: BestBy | None
) -> LogRow | None:
    """The row that counts, its empty cells filled from the rows beside it.

    The last row has the last value of each column, as loggers write validation and training in
    rows of their own. The best row has what was written in the same epoch or step, and what was
    written once for the whole run. The row of a step has the last values up to it.

    Args:
        rows: The rows of one run.
        progress: Columns that count epochs or steps, the slowest first.
        said: Which row is meant; the last, if nothing is said.
        best: The metric that the row is the best by.

    Returns:
        The row; None if the run ends before the step.
    """
    if len(rows) == 1 and said.step is None:
        return rows[0]
    if best is not None:
        return _best(rows, progress, best)
    if said.step is not None:
        column = progress[-1] if progress else None
        places = [_place(row, column) for row in rows]
        if max(places) < said.step:
            return None
        rows = [row for row, place in zip(rows, places, strict=True) if place <= said.step]
    return merged(ordered(rows, progress)) if rows else None


def condensed(
    log: Log, progress: Sequence[str], parts: Sequence[str], said: Mapped, best: BestBy | None
) -> Log:
    """A log with the row that counts of each run, task or fold in it.

    Args:
        log: The log.
        progress: Its columns that count epochs or steps, the slowest first.
        parts: Its columns that tell runs, tasks and folds apart.
        said: Which row is meant.
        best: The metric that the row is the best by.
    """
    groups: dict[tuple[str, ...], list[LogRow]] = {}
    for row in log.rows:
        groups.setdefault(tuple(row[column] for column in parts), []).append(row)
    found = list[LogRow]()
    for rows in groups.values():
        row = counting_row(rows, progress, said, best)
        if row is not None:
            found.append(replace(row, end=end_of(rows, progress)))
    return replace(log, rows=found)


def end_of(rows: Sequence[LogRow], progress: Sequence[str]) -> float | None:
    """The last epoch or step of some rows of a run; None if they have none."""
    known = [row.end for row in rows if row.end is not None]
    places = [_place(row, progress[0]) for row in rows] if progress and not known else known
    return max((place for place in places if math.isfinite(place)), default=None)


def ordered(rows: Sequence[LogRow], progress: Sequence[str]) -> Sequence[LogRow]:
    """Rows by their epoch or step; in the table's order where one has none."""
    if not progress or len(rows) < 2:
        return rows
    places = [number_in(row[progress[0]]) for row in rows]
    if any(place is None for place in places):
        return rows
    by = sorted(range(len(rows)), key=lambda i: places[i].value)  # type: ignore[union-attr]
    return [rows[i] for i in by]


def _best(rows: Sequence[LogRow], progress: Sequence[str], best: BestBy) -> LogRow:
    finite = list[tuple[float, LogRow]]()
    for row in rows:
        number = number_in(row[best.column])
        if number is not None and not math.isnan(number.value):
            finite.append((number.value, row))
    if not finite:
        return merged(ordered(rows, progress))
    chosen = (max if best.higher else min)(finite, key=lambda pair: pair[0])[1]
    once = _written_once(rows)
    beside = [
        row
        for row in rows
        if row is not chosen and progress and row[progress[0]] == chosen[progress[0]]
    ]
    filled = merged([*once, *beside, chosen])
    return replace(filled, where=chosen.where)


def _written_once(rows: Sequence[LogRow]) -> list[LogRow]:
    """A row of the cells that only one row has, such as a test after the training."""
    times: dict[str, int] = {}
    for row in rows:
        for column, cell in row.cells.items():
            if cell:
                times[column] = times.get(column, 0) + 1
    cells = {
        column: cell
        for row in rows
        for column, cell in row.cells.items()
        if cell and times[column] == 1
    }
    return [LogRow(where="", cells=cells)]


def merged(rows: Sequence[LogRow]) -> LogRow:
    """A row with the last cell of each column that is not empty, at the place of the last row."""
    cells = dict[str, str]()
    for row in rows:
        cells |= {
            column: cell for column, cell in row.cells.items() if cell or column not in cells
        }
    return replace(rows[-1], cells=cells)


def _place(row: LogRow, column: str | None) -> float:
    found = number_in(row[column]) if column else None
    return -math.inf if found is None else found.value
