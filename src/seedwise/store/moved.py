"""A study that is moved, deleted or linked while runs are stored: noticed, and what is there kept.

SQLite goes on writing to a file that has lost its name, and to a log that keeps the old one.
Whoever opens the file under another name sees none of what is in that log.
"""

import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Literal, final

from seedwise.errors import SeedwiseError, StudyError
from seedwise.store.place import anew, log_of

__all__ = ["Change", "Whereabouts", "kept"]

Change = Literal["gone", "linked", "log"]

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

    def change(self) -> Change | None:
        """Words for a change: the file is not there, its log is not, or it has a second name."""
        if _identity(self.file) != self._file_is:
            return "gone"
        if self._log_is is not None and _identity(self._log) != self._log_is:
            return "log"
        with suppress(OSError):
            return "linked" if self.file.stat().st_nlink > 1 else None
        return None

    def now(self) -> Path | None:
        """Under which name it is now; None if it has none, or this system does not say it."""
        with suppress(OSError):
            for file in _OPEN_FILES.iterdir():
                with suppress(OSError):
                    name = file.readlink()
                    if _identity(file) == self._file_is and _identity(name) == self._file_is:
                        return name
        return None


def kept(connection: sqlite3.Connection, place: Whereabouts, change: Change) -> StudyError:
    """Put all that is stored into a file that opens, and say which.

    Returns:
        What is to be raised.
    """
    with suppress(sqlite3.Error):
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        name = place.now() if change == "gone" else place.path
        if not busy and name is not None:
            return StudyError(_WORDS[change].format(path=place.path, name=name))
    saved = _copied(connection, place.file)
    where = f"are kept in {saved}: give it the name back" if saved else "could not be kept"
    return StudyError(
        f"{place.path} was deleted or replaced while runs were stored; the runs so far {where}, "
        "and the same command goes on"
    )


_WORDS = {
    "gone": "{path} was moved to {name} while runs were stored; the runs so far are there: move "
    "it back, and the same command goes on",
    "linked": "{path} has a second name, a hard link, whose users would not see the log that "
    "SQLite keeps beside the first; the runs so far are in the file: remove one name (or copy the "
    "file), and the same command goes on",
    "log": "the log of {path} was removed or replaced while runs were stored; the runs so far are "
    "in the file, and the same command goes on",
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
