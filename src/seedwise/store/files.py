"""Opening a study file, and saying in one line what is wrong with one that cannot be used."""

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache, partial
from importlib.metadata import version
from itertools import chain
from pathlib import Path

from seedwise.errors import StudyError, StudyTooNew
from seedwise.store.place import NO_STUDY, has_log, is_emptied, log_of, look_at
from seedwise.store.schema import APPLICATION_ID, MIGRATIONS, PAGE_BYTES, READABLE, checksum

__all__ = ["DAMAGE", "connect", "faults", "inspect", "misshapen", "transaction"]

_BUSY_SECONDS = 10.0
"""Longest wait for another process that is writing; storing a run takes it a few ms."""

DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""Errors of reading a damaged file; the second where SQLite's message quotes the damage."""

_SECONDS_BETWEEN_TRIES = 0.02

_REASONS = {
    sqlite3.SQLITE_NOTADB: NO_STUDY,
    sqlite3.SQLITE_CORRUPT: "is damaged or cut off; restore it from a copy",
    sqlite3.SQLITE_BUSY: "is being written by another program; wait until that ends",
    sqlite3.SQLITE_LOCKED: "is being written by another program; wait until that ends",
    sqlite3.SQLITE_READONLY: "cannot be written: the file or its folder is read-only",
    sqlite3.SQLITE_PERM: "may not be read or written: no permission",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: the file or its folder may not be read or written",
    sqlite3.SQLITE_FULL: "cannot be written: the disk is full; stored runs are kept",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error, or is full",
}


@contextmanager
def faults(path: Path) -> Generator[None]:
    """Turn what SQLite says about a file into a StudyError. Our own mistakes pass through."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        reason = None if code is None else _REASONS.get(code & 0xFF)
        if reason is None:
            raise
        raise StudyError(f"{path} {reason}") from error
    except UnicodeDecodeError as error:  # SQLite quotes a damaged text, which Python cannot read
        raise StudyError(f"{path} {_REASONS[sqlite3.SQLITE_CORRUPT]}") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """All of what is written inside, or nothing of it. Takes the writer's lock first."""
    _begin(connection)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite has rolled back by itself, e.g. on a full disk
            connection.execute("ROLLBACK")
        raise


def _begin(connection: sqlite3.Connection) -> None:
    """Take the writer's lock; wait for it for as long as others write.

    Of 48 runs of 100 MB that were recorded at once, two had to wait for more than ten seconds.
    """
    seen = _written(connection)
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            before, seen = seen, _written(connection)
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or seen == before:
                raise


def _written(connection: sqlite3.Connection) -> Sequence[tuple[int, int]]:
    """Marks that change while somebody writes: times and sizes of the file and of its log."""
    (_, _, file), *_ = connection.execute("PRAGMA database_list")
    found = list[tuple[int, int]]()
    for path in (file, f"{file}-wal"):
        with suppress(OSError):
            facts = os.stat(path)  # noqa: PTH116
            found.append((facts.st_mtime_ns, facts.st_size))
    return found


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Generator[None]:
    """Hold one moment of the file for all reads inside, whoever makes or writes it meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        with suppress(sqlite3.Error):  # what went wrong inside is told instead
            connection.execute("ROLLBACK")


def connect(
    path: Path, *, create: bool, readonly: bool, steps: int | None = None
) -> sqlite3.Connection:
    """A connection to a study file of this version.

    Args:
        path: The file.
        create: Make it if there is none; a file of 0 bytes counts as none.
        readonly: Leave the file as it is.
        steps: Bring it only to this older format; None brings it to this version's.

    Raises:
        StudyError: There is no such file, or it cannot be used; the message says why.
        StudyTooNew: A later seedwise wrote it.
    """
    look_at(path, create=create)
    with faults(path):
        connection = _reader(path) if readonly else _raw(path, "rwc" if create else "rw")
        try:
            with _snapshot(connection):
                unborn = _is_unborn(connection, path)
                if unborn and not create:
                    raise StudyError(f"{path} is empty; name a study file")
                _check_size(connection, path)
                _check_version(connection, path, readonly=readonly)
                _check_structure(connection, path)
            if not readonly:
                _make_writer(connection, unborn=unborn, steps=steps or len(MIGRATIONS))
        except BaseException:
            connection.close()
            raise
    return connection


def inspect(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, to a study of this or an older format, damaged or not.

    Where the file is empty or gone and its log is not, it is to a copy of what the log holds.

    Raises:
        StudyError: There is no such file, or it is not a study as far as can be told.
        StudyTooNew: A later seedwise wrote it.
    """
    emptied = is_emptied(path)
    if not emptied:
        look_at(path, create=False)
    with faults(path):
        connection = _from_log(path) if emptied else _reader(path)
        try:
            if _is_unborn(connection, path):
                raise StudyError(f"{path} is empty; name a study file")
            _check_version(connection, path, readonly=False)
        except BaseException:
            connection.close()
            raise
    return connection


def _raw(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
    # Damaged text is read, and then found out by its checksum.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    return connection


def _reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write.

    A `mode=ro` connection would leave its -wal and -shm files behind, so it is for files that may
    not be written. Where the folder may not be written either and no -wal file holds anything,
    nobody is writing, and SQLite may do without them.
    """
    file = path.resolve()
    if os.access(file, os.W_OK) and os.access(file.parent, os.W_OK):
        connection = _raw(path, "rw")
    elif not has_log(path):
        connection = _raw(path, "ro&immutable=1")
    else:
        connection = _raw(path, "ro")
    connection.execute("PRAGMA query_only = ON")
    return connection


def _from_log(path: Path) -> sqlite3.Connection:
    """A connection to a temporary copy of what a log holds; the log itself is only read."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        copy.write_bytes(bytes(PAGE_BYTES))  # of a file of 0 bytes SQLite would not read the log
        shutil.copyfile(log_of(path), log_of(copy))
        found = sqlite3.connect("", isolation_level=None)
        with closing(_raw(copy, "rw")) as source:
            found.text_factory = source.text_factory
            source.backup(found)
    return found


def _check_size(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that lacks its end. SQLite reads half a last page as if it held nothing."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    if not has_log(path) and path.stat().st_size < pages * page_bytes:
        raise StudyError(f"{path} {_REASONS[sqlite3.SQLITE_CORRUPT]}")


def _is_unborn(connection: sqlite3.Connection, path: Path) -> bool:
    """True if the file is still to become a study; refuses other programs' files.

    A program that is killed while it makes a study leaves a database with nothing in it.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application == APPLICATION_ID:
        return False
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application or tables or _version(connection):
        raise StudyError(
            f"{path} is a database of another program, not a study; name another file"
        )
    return True


def _make_writer(connection: sqlite3.Connection, *, unborn: bool, steps: int) -> None:
    """Settings of a connection that writes; brings the file to the format of so many steps.

    WAL: a run is appended to the log whole, and readers go on meanwhile. A killed program loses
    nothing that was stored under any setting of `synchronous`, since the system still has what it
    wrote. FULL waits for the disk at each commit, so that a power cut loses nothing either; it
    costs 0.1 ms a run more than NORMAL, under which a cut may lose the last runs.
    """
    if unborn:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    _keep_log(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    for step in range(_version(connection), steps):
        _migrate(connection, step)
    with transaction(connection):  # what cannot be written is told now, not after the first run
        connection.execute(f"PRAGMA user_version = {steps}")


def _keep_log(connection: sqlite3.Connection) -> None:
    """Write to a log. Where several processes make a file at once, SQLite does not wait here."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(_SECONDS_BETWEEN_TRIES)


def _check_version(connection: sqlite3.Connection, path: Path, *, readonly: bool) -> None:
    """Refuse a file of another format that is not to be brought to this one."""
    found, ours = _version(connection), len(MIGRATIONS)
    if found > ours:
        raise StudyTooNew(
            f"{path} was written by a newer seedwise (format {found}, this one knows {ours}); "
            "upgrade: pip install --upgrade seedwise"
        )
    if found < READABLE and readonly:
        raise StudyError(
            f"{path} has the older format {found}, and reading leaves it so; "
            "`seedwise run` with its study.toml brings it up to date"
        )


def _check_structure(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that may hold fewer rows than it should, or other tables.

    One flipped bit in the header of a page, or in the number of the page where a table begins,
    makes rows vanish, and no checksum misses them; the indexes do, which are counted against their
    tables. Pages of logits are left out: a run misses its own. 15 ms in a study of 10,000 runs.
    """
    fault = next(misshapen(connection), None)
    for (kind, name), statement in _schema_of(MIGRATIONS[: _version(connection)]).items():
        if fault is None and kind == "table" and "data BLOB" not in statement:
            (found,) = connection.execute(f"PRAGMA integrity_check({name})").fetchone()
            fault = None if found == "ok" else f"the table {name} has a damaged page"
    if fault is not None:
        raise StudyError(
            f"{path} is damaged: {fault}; `seedwise check {path} --repair NEW.db` saves the rest"
        )


def misshapen(connection: sqlite3.Connection) -> Generator[str]:
    """Parts of a study's schema that are not as seedwise makes them: damaged, missing, a trigger.

    Tables, indexes and views that users added change nothing, and are allowed.
    """
    theirs = _schema(connection)
    ours = _schema_of(MIGRATIONS[: _version(connection)])
    for thing, statement in ours.items():
        if theirs.get(thing) != statement:
            yield f"the {' '.join(thing)} is not as seedwise makes it"
    yield from (f"the trigger {name} is not ours" for kind, name in theirs if kind == "trigger")
    places = "SELECT rootpage FROM sqlite_schema WHERE rootpage > 0"
    for (page,) in connection.execute(f"{places} GROUP BY 1 HAVING count(*) > 1"):
        yield f"two tables or indexes begin at page {page}"


def _schema(connection: sqlite3.Connection) -> Mapping[tuple[str, str], str]:
    """The statements that made the tables, indexes and so on, by kind and name."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {(kind, name): sql for kind, name, sql in rows}


@lru_cache(maxsize=4)
def _schema_of(steps: tuple[tuple[str, ...], ...]) -> Mapping[tuple[str, str], str]:
    """The schema that some migrations make; found out once a process, in 1 ms."""
    with closing(sqlite3.connect(":memory:")) as fresh:
        for statement in chain.from_iterable(steps):
            fresh.execute(statement)
        return _schema(fresh)


def _migrate(connection: sqlite3.Connection, step: int) -> None:
    """One step and its version, both or neither."""
    with transaction(connection):
        if _version(connection) > step:  # another process was faster
            return
        for statement in MIGRATIONS[step]:
            connection.execute(statement)
        if step == 0:
            facts = (datetime.now(UTC).isoformat(), version("seedwise"))
            connection.execute("INSERT INTO study VALUES (1, ?, ?, ?)", (*facts, checksum(*facts)))
        connection.execute(f"PRAGMA user_version = {step + 1}")


def _version(connection: sqlite3.Connection) -> int:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    return found
