"""SQLite databases of other programs, read without a byte written to them or beside them."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from seedwise.errors import DataError
from seedwise.importers.logs import Candidate

__all__ = ["copy_of", "reading", "tables_of"]

_MAGIC = b"SQLite format 3\0"
_LOGS = ("-wal", "-journal")
_BUSY_SECONDS = 10.0


def tables_of(candidate: Candidate) -> frozenset[str]:
    """The names of a file's tables; none if it is not a database, or cannot be read."""
    if not candidate.head.startswith(_MAGIC):
        return frozenset()
    try:
        with reading(candidate.path) as database:
            found = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            return frozenset(str(name) for (name,) in found)
    except DataError:
        return frozenset()


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write.

    SQLite writes beside a database in WAL mode even where it only reads, and rolls back what a
    killed program left in a journal: those are read from a temporary copy.

    Raises:
        DataError: It cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            if _has_log(path):
                file, mode = _copied(path, Path(folder)), "rw"
            else:
                file, mode = path.resolve(), "ro"
            uri = f"{file.as_uri()}?mode={mode}"
            with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as database:
                database.text_factory = lambda text: text.decode("utf-8", errors="replace")
                database.execute("PRAGMA trusted_schema = OFF")
                yield database
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from None
        except sqlite3.Error as error:
            raise DataError(f"{path} cannot be read: {error}") from None


@contextmanager
def copy_of(path: Path) -> Iterator[Path]:
    """A temporary copy, for a library that would write to what it opens.

    Raises:
        DataError: It cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        with reading(path) as database, closing(sqlite3.connect(copy)) as target:
            database.backup(target)
        yield copy


def _has_log(path: Path) -> bool:
    with path.open("rb") as file:
        written_by_wal = 2 in file.read(20)[18:]
    return written_by_wal or any(Path(f"{path}{log}").exists() for log in _LOGS)


def _copied(path: Path, folder: Path) -> Path:
    file = folder / "copy.db"
    for log in ("", *_LOGS):
        if Path(f"{path}{log}").exists():
            shutil.copyfile(f"{path}{log}", f"{file}{log}")
    return file
