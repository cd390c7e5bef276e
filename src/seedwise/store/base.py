"""Base of every table of the study file: reading, writing and checksums, by one connection."""

import json
import sqlite3
import zlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from seedwise.errors import SeedwiseError, StudyError
from seedwise.store.files import faults, transaction
from seedwise.store.moved import Whereabouts, kept
from seedwise.store.schema import checksum
from seedwise.store.shapes import mapping

__all__ = ["Tables"]


_STRANGE = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError),
    *(ValueError, zlib.error),
)
"""Errors that making a value of something may raise that seedwise never wrote."""


class Tables:
    """An open study file, as those see it who read and write rows of it."""

    def __init__(self, path: Path, connection: sqlite3.Connection, *, readonly: bool) -> None:
        """For `Store.open`."""
        self.path = path
        self.readonly = readonly
        self._connection = connection
        self._place = None if readonly else Whereabouts(path)

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with faults(self.path):
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Generator[None]:
        with faults(self.path), transaction(self._connection):
            yield
        self._check_place()

    def _check_place(self) -> None:
        """Find out that the study was moved, deleted or linked, once what is new is in it."""
        change = self._place.change() if self._place else None
        if self._place and change:
            with faults(self.path):
                raise kept(self._connection, self._place, change)

    @cached_property
    def _keeps_code(self) -> bool:
        """False in a file of an older format that is only read."""
        return bool(self._rows("SELECT 1 FROM sqlite_schema WHERE name = 'codes'"))

    def _insert(self, table: str, values: Sequence[Any]) -> int:
        marks = ", ".join("?" * len(values))
        inserted = self._connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)
        assert inserted.lastrowid is not None
        return inserted.lastrowid

    def _intact(self, row: Sequence[Any], what: str, *before: Any) -> tuple[Any, ...]:
        """A row without its checksum, which is its last value; `before` it stood in the sum."""
        *values, expected = row
        if checksum(*before, *values) != expected:
            raise StudyError(
                f"{self.path} is damaged: {what} is not what was stored (its checksum differs); "
                "restore the file from a copy"
            )
        return tuple(values)

    @contextmanager
    def _understanding(self, what: str) -> Generator[None]:
        """Making a value of rows: those of another table may have sums that are right."""
        try:
            yield
        except SeedwiseError:
            raise
        except _STRANGE as error:
            raise StudyError(
                f"{self.path} is damaged: {what} cannot be understood "
                f"({type(error).__name__}: {error}); restore the file from a copy"
            ) from error

    def _environment_id(self, made_by: str) -> int:
        rows = self._rows("SELECT id FROM environments WHERE made_by = ?", made_by)
        if rows:
            return rows[0][0]
        return self._insert("environments", (None, made_by, checksum(made_by)))

    def _environments(self) -> dict[int, Mapping[str, Any]]:
        rows = self._rows("SELECT id, made_by, checksum FROM environments")
        with self._understanding("an environment"):
            texts = {id: self._intact(rest, f"environment {id}")[0] for id, *rest in rows}
            return {id: mapping(json.loads(text)) for id, text in texts.items()}
