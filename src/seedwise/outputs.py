"""Files that a command writes for people: written beside and renamed, and never over a study.

A failure on the way (a full disk, an error, Ctrl-C) leaves the file that was there.
"""

import os
import secrets
import stat
from contextlib import suppress
from errno import EACCES, EINVAL, ELOOP, ENXIO
from pathlib import Path

from seedwise.errors import ConfigError

__all__ = ["SIDECARS", "check_output", "create", "open_plain", "write_output"]

SIDECARS = ("-wal", "-shm", "-journal", ".lock", ".live", ".live.tmp")
"""Suffixes of the files that SQLite and a running study keep beside the study file."""

_DATABASE = b"SQLite format 3\0"


def check_output(path: Path, *studies: Path) -> None:
    """Refuse to write where a study is, under whatever name: links to it are the study too.

    Raises:
        ConfigError: The file is one of the studies, or one that is kept beside it.
    """
    place = _resolved(path)
    for study in studies:
        file = _resolved(study)
        if _is_one(place, file):
            raise ConfigError(f"{path} is the study itself; name another file")
        if any(_is_one(place, file.with_name(file.name + end)) for end in SIDECARS):
            raise ConfigError(
                f"{path} belongs to the study {study}; name another file to write to"
            )


def write_output(path: Path, content: str | bytes) -> None:
    """Write a file whole, in place of one that is there. A device or a pipe is written to.

    Raises:
        ConfigError: It cannot be written, or is a database: perhaps another study.
    """
    # Names of files need not be UTF-8, and a page may show them.
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    place = _resolved(path)
    try:
        if place.exists() and not place.is_file() and not place.is_dir():
            place.write_bytes(data)
            return
        if _is_database(place):
            raise ConfigError(f"{path} is a database, perhaps a study; name another file")
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
        _replace(place, data)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def create(path: Path) -> int:
    """A descriptor of a new file. A link planted there is not followed.

    Raises:
        FileExistsError: Something has that name.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, 0o666)


def open_plain(path: Path, flags: int) -> int:
    """A descriptor of a file that has a fixed name in a folder where others may write.

    A link planted there would lead to another file, and a pipe wait for ever.

    Raises:
        OSError: It is not a regular file with one name; or as `os.open` says.
    """
    try:
        descriptor = os.open(path, flags | _SAFE | getattr(os, "O_NONBLOCK", 0), 0o666)
    except OSError as error:
        if error.errno not in (ELOOP, ENXIO):
            raise
    else:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_nlink <= 1:
            return descriptor
        os.close(descriptor)
    raise OSError(EINVAL, "it is a link, a pipe or a device; remove it", str(path))


_SAFE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def _replace(place: Path, data: bytes) -> None:
    draft = place.with_name(f".{place.name[:80]}.{secrets.token_hex(6)}.part")
    try:
        with os.fdopen(create(draft), "wb") as file:
            if place.exists() and hasattr(os, "fchmod"):  # who may read it stays as it was
                os.fchmod(file.fileno(), place.stat().st_mode & 0o777)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave the name with nothing in it
        draft.replace(place)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _is_database(place: Path) -> bool:
    """True if a file is a database, or has a log beside it that holds a database's pages."""
    logged = place.with_name(place.name + "-wal")
    if logged.exists() and logged.stat().st_size:
        return True
    if not place.is_file():
        return False
    with place.open("rb") as file:
        return file.read(len(_DATABASE)) == _DATABASE


def _is_one(place: Path, file: Path) -> bool:
    with suppress(OSError):
        return place == file or place.samefile(file)
    return False


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # links that lead in a circle
        raise ConfigError(f"{path} cannot be written: its links lead in a circle") from None
