"""Repair: whole rows of a damaged study file, written to a new one."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seedwise.errors import StudyError
from seedwise.store.files import DAMAGE, connect, faults, inspect, transaction
from seedwise.store.place import anew
from seedwise.store.tables import SqlTable, rows_of, tables_of

__all__ = ["Repaired", "repair_study"]

RowValues = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """Result of a repair: the rows that were kept and lost.

    Attributes:
        kept: Number of rows that are in the new file, by table.
        lost: Numbers of the rows that are not, by table: those that are damaged, and those that
            are nothing without one that is, such as the runs of a setup or a run without logits.
    """

    kept: Mapping[str, int]
    lost: Mapping[str, tuple[int, ...]]


def repair_study(path: Path, target: Path) -> Repaired:
    """Write the intact rows of a study to a new file; the study stays as it is.

    Rows keep their numbers, and no number of a lost one is given again. RowValues that can be
    computed again from the logits are left out.

    Raises:
        StudyError: `path` is not a study or cannot be read at all, or `target` exists or cannot be
            written.
    """
    with closing(inspect(path)) as source:
        try:
            (steps,) = source.execute("PRAGMA user_version").fetchone()
            tables = [table for table in tables_of(source) if not table.cache]
            whole, lost = _sorted_out(source, tables)
            numbers = _numbers_given(source)
        except DAMAGE as error:
            raise StudyError(f"{path} cannot be repaired: {error}; restore a copy") from None
    with anew(target, path) as work:
        with (
            faults(target),
            closing(connect(work, create=True, readonly=False, steps=steps)) as new,
            transaction(new),
        ):
            for table in tables:
                _insert(new, table, whole[table.name])
            for name, number in numbers.items():
                new.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (number, name))
        connect(work, create=False, readonly=False).close()  # brings it to this format
    return Repaired(
        kept=MappingProxyType({name: len(rows) for name, rows in whole.items()}),
        lost=MappingProxyType({name: tuple(sorted(rows)) for name, rows in lost.items() if rows}),
    )


def _sorted_out(
    source: sqlite3.Connection, tables: Sequence[SqlTable]
) -> tuple[dict[str, dict[int, RowValues]], dict[str, set[int]]]:
    """The rows to keep, by table and number, and the numbers of the lost ones."""
    whole: dict[str, dict[int, RowValues]] = {}
    lost: dict[str, set[int]] = {}
    for table in tables:
        rows = list(rows_of(source, table))
        whole[table.name] = {row.number: row.values for row in rows if row.values and row.whole}
        lost[table.name] = {row.number for row in rows if not row.whole}
    while fallen := {table.name: _fallen(table, tables, whole) for table in tables}:
        if not any(fallen.values()):
            break
        for name, numbers in fallen.items():
            lost[name] |= numbers
            whole[name] = {n: row for n, row in whole[name].items() if n not in numbers}
    return whole, lost


def _fallen(
    table: SqlTable, tables: Sequence[SqlTable], whole: Mapping[str, Mapping[int, RowValues]]
) -> set[int]:
    """Rows that are whole themselves, but have lost what they belong to or consist of."""
    rows = whole[table.name]
    orphans = {
        number
        for number, values in rows.items()
        if any(values[column] not in whole[parent] for column, parent in table.parents.items())
    }
    parts = [each.name for each in tables if each.owner == table.name]
    torn = {
        number
        for number, values in rows.items()
        if any(values["views"] != "[]" and number not in whole[part] for part in parts)
    }
    return orphans | torn


def _numbers_given(source: sqlite3.Connection) -> Mapping[str, int]:
    """The highest number that each table has ever given to a row."""
    return dict(source.execute("SELECT name, seq FROM sqlite_sequence").fetchall())


def _insert(new: sqlite3.Connection, table: SqlTable, rows: Mapping[int, RowValues]) -> None:
    """Rows with the numbers that they had; they replace what every new file holds."""
    columns, marks = ", ".join(table.columns), ", ".join("?" * len(table.columns))
    new.executemany(
        f"INSERT OR REPLACE INTO {table.name} ({columns}) VALUES ({marks})",
        [tuple(values.values()) for values in rows.values()],
    )
