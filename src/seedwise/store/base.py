"""Base of every table of the study file: reading, writing and checksums, by one connection."""

import json
import os
import sqlite3
import tempfile
import zlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Literal, final

from seedwise.errors import SeedwiseError, StudyError
from seedwise.store.files import faults, transaction
from seedwise.store.place import anew, log_of
from seedwise.store.schema import checksum
from seedwise.store.shapes import mapping

__all__ = ["PlaceChange", "Tables", "Whereabouts", "kept"]


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
        self._together = False

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._faults():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Generator[None]:
        if self._together:
            yield
            return
        with self._faults(), transaction(self._connection):
            yield
        self._check_place()

    @contextmanager
    def _faults(self) -> Generator[None]:
        """As `faults`; where the file has changed meanwhile, that is reported instead."""
        try:
            with faults(self.path):
                yield
        except StudyError as error:
            if isinstance(error.__context__, sqlite3.Error):  # and not one of ours, told already
                self._check_place()
            raise

    def _check_place(self) -> None:
        """Find out that the study is not where or what it was, once what is new is in it."""
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


PlaceChange = Literal["gone", "emptied", "linked", "log"]

_OPEN_FILES = Path("/proc/self/fd")
"""Folder in which Linux names each file that this process has open, as it is called now."""


@final
class Whereabouts:
    """Place of a study that is open for writing: the file and its log, by device and inode.

    Args:
        path: The study file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.file = path, path.resolve()
        self._log = log_of(self.file)
        self._file_is, self._log_is = _identity(self.file), _identity(self._log)
        self._size = 0
        self.saved: Path | None = None

    def change(self) -> PlaceChange | None:
        """The file is not there, was cut off, has lost its log, or has a second name."""
        if _identity(self.file) != self._file_is:
            return "gone"
        if self._cut_off():
            return "emptied"
        if self._log_is is not None and _identity(self._log) != self._log_is:
            return "log"
        with suppress(OSError):
            return "linked" if self.file.stat().st_nlink > 1 else None
        return None

    def _cut_off(self) -> bool:
        """A study only ever grows: no row is deleted, and SQLite keeps what it has."""
        with suppress(OSError):
            before, now = self._size, self.file.stat().st_size
            self._size = max(before, now)
            return now < before
        return False

    def now(self) -> Path | None:
        """Under which name it is now; None if it has none, or this system does not say it."""
        with suppress(OSError):
            for file in _OPEN_FILES.iterdir():
                with suppress(OSError):
                    name = file.readlink()
                    if _identity(file) == self._file_is and _identity(name) == self._file_is:
                        return name
        return None


def kept(connection: sqlite3.Connection, place: Whereabouts, change: PlaceChange) -> StudyError:
    """Put all that is stored into a file that opens, and say which.

    Returns:
        What is to be raised.
    """
    if change == "emptied":
        return _emptied(connection, place)
    with suppress(sqlite3.Error):
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        name = place.now() if change == "gone" else place.path
        if not busy and name is not None:
            return StudyError(_WORDS[change].format(path=place.path, name=name))
    saved = _copied(connection, place.file)
    where = f"are kept in {saved}: give it the name back" if saved else "could not be kept"
    return StudyError(
        f"{place.path} was deleted or replaced while runs were stored; the runs so far {where}, "
        "and the same command continues"
    )


def _emptied(connection: sqlite3.Connection, place: Whereabouts) -> StudyError:
    """Remains of a file that was cut off: what this connection and the log still have."""
    if place.saved:  # by a write before this one, whoever was told
        place.saved.unlink(missing_ok=True)
    saved = place.saved = _copied(connection, place.file)
    told = f"{place.path} was emptied or cut off while runs were stored"
    if saved is None:
        return StudyError(f"{told}, and nothing of it could be kept; restore it from a copy")
    if _is_whole(saved):
        return StudyError(
            f"{told}; the runs so far are kept in {saved}: give it the name back, and the same "
            f"command continues"
        )
    return StudyError(
        f"{told}; what is left of it is in {saved}: `seedwise check {saved} --repair NEW.db` "
        "keeps the runs that are whole"
    )


def _is_whole(file: Path) -> bool:
    with suppress(sqlite3.Error), closing(sqlite3.connect(file)) as copy:
        return copy.execute("PRAGMA quick_check").fetchone() == ("ok",)
    return False


_WORDS = {
    "gone": "{path} was moved to {name} while runs were stored; the runs so far are there: move "
    "it back, and the same command continues",
    "linked": "{path} has a second name, a hard link, whose users would not see the log that "
    "SQLite keeps beside the first; the runs so far are in the file: remove one name (or copy the "
    "file), and the same command continues",
    "log": "the log of {path} was removed or replaced while runs were stored; the runs so far are "
    "in the file, and the same command continues",
}


def _copied(connection: sqlite3.Connection, file: Path) -> Path | None:
    """A copy of an open study that has lost its file, as near to it as may be."""
    for folder in (file.parent, Path.cwd(), Path(tempfile.gettempdir())):
        names = (folder / f"{file.stem}-saved{n or ''}{file.suffix}" for n in count())
        target = next(name for name in names if not os.path.lexists(name))
        with (
            suppress(OSError, SeedwiseError, sqlite3.Error),
            anew(target) as work,
            closing(sqlite3.connect(work)) as new,
        ):
            connection.backup(new)
        if target.exists():
            return target
    return None


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
