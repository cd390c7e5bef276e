"""Lock files between processes: who holds one says so in it.

The lock is the system's (`flock`), so that it ends with its process however that ends; a lock file
that no process holds is stale, and is taken over. Where the system has no `flock` (Windows),
nothing is locked.
"""

import json
import os
import platform
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from seedwise.outputs import open_plain

try:
    import fcntl
except ModuleNotFoundError:  # pragma: no cover - Windows
    fcntl = None

__all__ = ["Held", "Holder", "holder", "locked"]

_LOOKS = 3
_SECONDS_OF_A_LOOK = 0.02
"""Asking who holds a lock takes it for some microseconds, which refuses no one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Holder of a lock.

    Attributes:
        host: Name of the machine.
        pid: Number of the process on it.
        since: When it took the lock: UTC, ISO 8601.
    """

    host: str
    pid: int
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"

    @classmethod
    def this(cls) -> "Holder":
        """This process, now."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(host=platform.node(), pid=os.getpid(), since=now)


class Held(Exception):
    """Another process holds the lock.

    Attributes:
        holder: What its file says of it; None where it says nothing that can be read.
        elsewhere: The holder is of another machine, and this one cannot see whether it lives.
    """

    def __init__(self, holder: Holder | None, *, elsewhere: bool) -> None:
        super().__init__(str(holder))
        self.holder, self.elsewhere = holder, elsewhere


@contextmanager
def locked(path: Path, *, wait: bool) -> Generator[None]:
    """Hold a lock file as long as this is open, and remove it afterwards.

    Args:
        path: The lock file; its folder exists.
        wait: Wait until no one else holds it, instead of refusing. Only between processes of one
            machine, or where the file system passes locks on to other machines.

    Raises:
        Held: Another process holds it and `wait` is false, or it was left behind by another
            machine, of which this one cannot know whether it goes on.
        OSError: The lock file cannot be written.
    """
    if fcntl is None:  # pragma: no cover - Windows
        yield
        return
    with _taken(path, wait=wait) as file:
        left = _holder(file)
        if left is not None and left.host != platform.node() and not wait:
            raise Held(left, elsewhere=True)
        file.seek(0)
        file.truncate()
        json.dump(asdict(Holder.this()), file)
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def holder(path: Path) -> tuple[Holder, bool | None] | None:
    """Whom a lock file names, and whether it still holds the lock.

    Returns:
        None where there is no such file, or nothing in it. The second value is False for a process
        that has ended without removing the file, and None for one of another machine, of which
        this one cannot know.
    """
    if fcntl is None:  # pragma: no cover - Windows
        return None
    try:
        file = os.fdopen(open_plain(path, os.O_RDONLY), "r", encoding="utf-8", errors="replace")
    except OSError:
        return None
    with file:
        found = _holder(file)
        if found is None:
            return None
        if found.host != platform.node():
            return found, None
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return found, True
        return found, False


@contextmanager
def _taken(path: Path, *, wait: bool) -> Generator[IO[str]]:
    """The lock file, open and locked."""
    assert fcntl is not None
    refused = 0
    while True:
        descriptor = open_plain(path, os.O_RDWR | os.O_CREAT)
        with os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                refused += 1
                if refused == _LOOKS:
                    raise Held(_holder(file), elsewhere=False) from None
                time.sleep(_SECONDS_OF_A_LOOK)
                continue
            if _is_at(path, file):
                yield file
                return


def _is_at(path: Path, file: IO[str]) -> bool:
    """True if an open file still has that name: its last holder may just have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _holder(file: IO[str]) -> Holder | None:
    """Whom a lock file names."""
    file.seek(0)
    try:
        return Holder(**json.loads(file.read()))
    except (ValueError, TypeError):
        return None
