"""Checks of a study file: its structure, every row's checksum, and what rows say."""

import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from seedwise.errors import SeedwiseError
from seedwise.store.files import DAMAGE, inspect, misshapen
from seedwise.store.place import is_emptied
from seedwise.store.schema import MIGRATIONS
from seedwise.store.store import Store
from seedwise.store.tables import rows_of, tables_of

__all__ = ["Health", "check_study"]

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Findings in a study file.

    Attributes:
        format: Its format, from 1.
        rows: Number of rows by table; a table that cannot be read has none.
        faults: What is wrong with it, a line each; empty for a whole file.
    """

    format: int
    rows: Mapping[str, int]
    faults: tuple[str, ...]


def check_study(path: Path) -> Health:
    """Look at everything in a study file. Changes nothing.

    Args:
        path: The study file.

    Raises:
        StudyError: It is not a study, or cannot be read at all.
        StudyTooNew: A later seedwise wrote it.
    """
    rows: dict[str, int] = {}
    emptied = is_emptied(path)
    with closing(inspect(path)) as connection:
        (found_format,) = connection.execute("PRAGMA user_version").fetchone()
        faults = [
            *(["the file is empty or gone; what is left of it is in its log"] if emptied else []),
            *_telling(_structure, connection),
            *_telling(_references, connection),
            *_telling(lambda c: _rows(c, rows), connection),
            *_telling(_sense, connection),
        ]
    if not faults and found_format == len(MIGRATIONS):
        faults = list(_values(path))
    return Health(format=found_format, rows=MappingProxyType(rows), faults=tuple(faults))


def _telling(
    look: Callable[[sqlite3.Connection], Iterable[str]], connection: sqlite3.Connection
) -> Generator[str]:
    """Findings of a look at the file; where SQLite cannot go on, that is a fault too."""
    try:
        yield from look(connection)
    except DAMAGE as error:
        yield f"the file cannot be read on: {error}"


def _structure(connection: sqlite3.Connection) -> Generator[str]:
    for (message,) in connection.execute(f"PRAGMA integrity_check({_MOST_NAMED})"):
        if message != "ok":
            yield f"structure: {message}"
    yield from (f"structure: {fault}" for fault in misshapen(connection))


def _references(connection: sqlite3.Connection) -> Generator[str]:
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        yield f"{table} {row} belongs to {parent} that are not there"


def _rows(connection: sqlite3.Connection, counts: dict[str, int]) -> Generator[str]:
    """Rows that are not what was stored; the others are counted."""
    for table in tables_of(connection):
        if table.cache:
            continue
        counts[table.name] = 0
        for row in rows_of(connection, table):
            counts[table.name] += row.whole
            if not row.whole:
                how = "cannot be read" if row.values is None else "is not what was stored"
                yield f"{table.name} {row.number} {how}"


def _sense(connection: sqlite3.Connection) -> Generator[str]:
    """Rows that are each whole and yet do not go together."""
    for setup, init, order, augment, number in connection.execute(
        "SELECT setup, init, ord, augment, count(*) FROM runs NOT INDEXED "
        "WHERE state != 'failed' GROUP BY 1, 2, 3, 4 HAVING count(*) > 1"
    ):
        yield f"setup {setup} has {number} results with seed {init}/{order}/{augment}"
    tables = tables_of(connection)
    for table in tables:
        if table.owner is None:
            continue
        for (number,) in connection.execute(
            f"SELECT id FROM {table.owner} WHERE (views != '[]') != "
            f"(id IN (SELECT {table.number} FROM {table.name}))"
        ):
            yield f"{table.owner} {number} and its {table.name}: only one of them is there"
        for number, examples, known in connection.execute(
            f"SELECT {table.number}, {table.name}.examples, dataset.examples FROM {table.name}, "
            f"dataset WHERE {table.name}.examples != dataset.examples"
        ):
            yield f"{table.name} {number} is for {examples} examples, the dataset has {known}"


def _values(path: Path) -> Generator[str]:
    """Values that cannot be read as what they stand for, though they are as stored."""
    with Store.open(path, readonly=True) as store:
        looks: Mapping[str, Callable[[], object]] = {
            "how the study began": lambda: store.facts,
            "the dataset": store.dataset,
            "setups": store.setups,
            "runs": store.runs,
            "the examples": store.examples,
            "scores": lambda: [
                store.scores(metric, [run.id]) for run in store.runs() for metric in run.scored
            ],
            "repeats": lambda: store.repeats([run.id for run in store.runs()]),
        }
        for what, look in looks.items():
            try:
                look()
            except (SeedwiseError, ValueError, TypeError, KeyError) as error:
                yield f"{what}: {error}"
