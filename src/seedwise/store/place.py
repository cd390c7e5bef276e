"""Place of a study file: may it be opened there, and a new one in a name of its own."""

import errno
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from seedwise.errors import StudyError
from seedwise.outputs import check_output

__all__ = ["NO_STUDY", "anew", "has_log", "is_emptied", "log_of", "look_at"]

NO_STUDY = "is not a study file, or its beginning is damaged; name another file"

_BEGINNING = b"SQLite format 3\0"

_SMALLEST = 512
"""Bytes of the smallest page, and so of the smallest database."""


@contextmanager
def anew(target: Path, *studies: Path) -> Generator[Path]:
    """A study that does not exist, to be written beside and to take its name when it is whole.

    Args:
        target: Its name.
        studies: What it is made of.

    Raises:
        StudyError: Something has that name, before or by then.
        ConfigError: It is the name of what one of the studies keeps beside it.
    """
    exists = StudyError(f"{target} exists; name a file that does not, to be written anew")
    if os.path.lexists(target):
        raise exists
    check_output(target, *studies)
    look_at(target, create=True)
    work = target.with_name(f".{target.name[:80]}.{secrets.token_hex(6)}.part")
    try:
        yield work
        try:
            os.link(work, target)  # never over a file that was made meanwhile, as a renaming would
        except FileExistsError:
            raise exists from None
        except OSError:  # a file system without links
            work.rename(target)
    finally:
        for end in ("", "-wal", "-shm"):
            work.with_name(work.name + end).unlink(missing_ok=True)


def look_at(path: Path, *, create: bool) -> None:
    """Refuse in clear words what SQLite would refuse in unhelpful ones.

    A file that may be a database is not opened for it: where a process closes a file, POSIX drops
    all locks that the process has on it, those of SQLite's connections among them. Another process
    would then take itself for the last one and remove the log that this one writes to.
    """
    if path.is_dir():
        raise StudyError(f"{path} is a folder; name a study file in it")
    if not path.absolute().parent.is_dir():
        raise StudyError(f"{path} cannot be used: there is no folder {path.parent}; make it first")
    _refuse_strange(path)
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        if not create:
            raise StudyError(f"{path} does not exist; `seedwise run` makes it") from None
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror}") from None
    else:
        if not os.access(path, os.R_OK):
            raise StudyError(f"{path} cannot be read: {os.strerror(errno.EACCES)}")
        # SQLite would take so short a file for an empty one. Nobody has it open as a database.
        if 0 < size < _SMALLEST and not path.read_bytes().startswith(_BEGINNING):
            raise StudyError(f"{path} {NO_STUDY}")


def _refuse_strange(path: Path) -> None:
    """Refuse links, pipes and devices, which SQLite would follow or wait for, and a mere log."""
    try:
        beside = _beside(path)
    except RuntimeError:
        raise StudyError(f"{path} cannot be used: its links lead in a circle") from None
    if _is_foreign(path.resolve()):
        raise StudyError(f"{path} is a pipe or a device, not a file; name a study file")
    for file in beside:
        if _is_foreign(file):
            raise StudyError(f"{file} is a link, a pipe or a device, not a file; remove it")
    if is_emptied(path):
        raise StudyError(
            f"{path} is {'empty' if path.exists() else 'gone'}, but its log "
            f"{log_of(path).name} holds what was stored last; "
            f"`seedwise check {path} --repair NEW.db` saves it (delete the log to begin anew)"
        )


def _beside(path: Path) -> list[Path]:
    """Files that SQLite opens beside a study."""
    file = path.resolve()
    return [file.with_name(file.name + end) for end in ("-wal", "-shm", "-journal")]


def _is_foreign(file: Path) -> bool:
    """True if a name leads to something that is not a regular file, which SQLite would open."""
    try:
        return not stat.S_ISREG(file.lstat().st_mode)
    except OSError:
        return False


def log_of(path: Path) -> Path:
    """The log that SQLite keeps beside a study."""
    file = path.resolve()
    return file.with_name(file.name + "-wal")


def has_log(path: Path) -> bool:
    """True if something was written that is not in the file itself yet."""
    log = log_of(path)
    return log.exists() and log.stat().st_size > 0


def is_emptied(path: Path) -> bool:
    """True if a study has nothing but its log, which SQLite would delete as that of no database.

    A study that is killed at any moment is no such: its file has bytes before there is a log.
    """
    return has_log(path) and (not path.exists() or not path.stat().st_size)
