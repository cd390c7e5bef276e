"""The tables of a study file as the file itself describes them, and their rows one by one.

Checking, repairing and merging treat all tables alike: a row's checksum is over its columns in
their order, without `id` and `checksum`, and what it belongs to are its foreign keys. So a table
that a later format adds is looked after too.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from seedwise.store.files import DAMAGE
from seedwise.store.schema import checksum

__all__ = ["SqlTable", "TableRow", "rows_of", "tables_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlTable:
    """A table.

    Attributes:
        name: Its name.
        columns: Names of its columns, in order.
        number: The column that is the row's number; None where rows have none of their own.
        parents: Column -> the table whose number it holds.
        cache: All of it can be computed again from the others.
    """

    name: str
    columns: tuple[str, ...]
    number: str | None
    parents: dict[str, str]
    cache: bool

    @property
    def owner(self) -> str | None:
        """The table that has at most one row of this for each of its own: its number is theirs."""
        return None if self.number is None else self.parents.get(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A row as it was found.

    Attributes:
        number: Its number in its table.
        values: Its values by column; None where the file cannot be read there.
    """

    number: int
    values: dict[str, Any] | None

    @property
    def whole(self) -> bool:
        """True if these are the values that were stored."""
        if self.values is None:
            return False
        summed = [value for name, value in self.values.items() if name not in ("id", "checksum")]
        return checksum(*summed) == self.values["checksum"]


def tables_of(connection: sqlite3.Connection) -> list[SqlTable]:
    """The tables of a study, those that others belong to first."""
    found = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
        "ORDER BY rowid"
    )
    return [_table(connection, name, sql) for name, sql in found.fetchall()]


def _table(connection: sqlite3.Connection, name: str, sql: str) -> SqlTable:
    columns = connection.execute("SELECT * FROM pragma_table_info(?)", (name,)).fetchall()
    foreign = connection.execute("SELECT * FROM pragma_foreign_key_list(?)", (name,)).fetchall()
    keys = [(column, kind) for _, column, kind, _, _, key in columns if key]
    return SqlTable(
        name=name,
        columns=tuple(column for _, column, *_ in columns),
        number=keys[0][0] if len(keys) == 1 and keys[0][1] == "INTEGER" else None,
        parents={column: parent for _, _, parent, column, *_ in foreign},
        cache="WITHOUT ROWID" in sql.upper(),
    )


def rows_of(connection: sqlite3.Connection, table: SqlTable) -> Iterator[TableRow]:
    """The rows of a table other than a cache, one by one: a bad page takes only its own."""
    columns = ", ".join(table.columns)
    for number in _numbers(connection, table):
        try:
            found = connection.execute(
                f"SELECT {columns} FROM {table.name} WHERE rowid = ?", (number,)
            ).fetchone()
        except DAMAGE:
            yield TableRow(number=number, values=None)
            continue
        if found is not None:
            yield TableRow(number=number, values=dict(zip(table.columns, found, strict=True)))


def _numbers(connection: sqlite3.Connection, table: SqlTable) -> Sequence[int]:
    """The numbers of the rows; all that may have been given where the table cannot be listed."""
    try:
        return [
            number
            for (number,) in connection.execute(f"SELECT rowid FROM {table.name} ORDER BY rowid")
        ]
    except DAMAGE:
        try:
            (most,) = connection.execute("SELECT max(seq) FROM sqlite_sequence").fetchone()
        except DAMAGE:
            most = 0
        return range(1, (most or 0) + 1)
