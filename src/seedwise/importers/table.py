"""The rows of all logs under one set of columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from seedwise.importers.logs import Log, LogRow

__all__ = ["LogTable", "table_of"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogTable:
    """Rows of one log or of several.

    Attributes:
        name: What messages call it.
        columns: Its columns, in order; each name once.
        rows: Its rows.
        twice: Names that several columns have, which differ: they are left out.
        several: Whether it holds several logs, so that a row's place names its log.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[LogRow, ...]
    twice: tuple[str, ...] = ()
    several: bool = False

    def at(self, where: str) -> str:
        """The place of a row, as a message begins with it."""
        return where if self.several else f"{self.name}, {where}"


def table_of(logs: Sequence[Log], name: str) -> LogTable:
    """The rows of some logs, with what holds for each log in every row of it."""
    several = len(logs) > 1
    rows, columns = list[LogRow](), dict[str, None]()
    for log in logs:
        columns |= dict.fromkeys(log.facts)
        for row in log.rows:
            columns |= dict.fromkeys(row.cells)
            where = f"{log.path}, {row.where}" if several else row.where
            rows.append(LogRow(where=where, cells={**log.facts, **row.cells}))
    twice = tuple(dict.fromkeys(name for log in logs for name in log.twice))
    return LogTable(
        name=name,
        columns=tuple(column for column in columns if column not in twice),
        rows=tuple(rows),
        twice=twice,
        several=several,
    )
