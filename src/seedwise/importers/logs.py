"""The interface of importers: a place that may hold results, and what a reader finds there.

Every format becomes the same thing: rows of named cells. An epoch, a step, a run or a fold is a
row; metrics, counters and settings are its columns. Which row counts, what is the setup and what
the seed is decided for all formats at once, by the names and values of the columns.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from seedwise.errors import DataError

__all__ = ["Candidate", "Importer", "Log", "LogRow"]

_HEAD = 2**16
_MOST_ENTRIES = 100_000


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A file, a folder, or the address of a tracker, that may hold results.

    What importers look at to recognise it is read once, and is bounded.

    Attributes:
        text: As it was given, or found in a folder that was.
    """

    text: str

    @cached_property
    def path(self) -> Path:
        """The file or folder; there is none of this name if this is an address."""
        return Path(self.text)

    @cached_property
    def is_folder(self) -> bool:
        """True if it is a folder."""
        return self.path.is_dir()

    @cached_property
    def names(self) -> frozenset[str]:
        """Names in the folder; none of a file.

        Raises:
            DataError: It cannot be listed, or holds more than 100,000 entries.
        """
        if not self.is_folder:
            return frozenset()
        found = set[str]()
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    found.add(entry.name)
                    if len(found) > _MOST_ENTRIES:
                        raise DataError(
                            f"{self.path} holds more than {_MOST_ENTRIES:,} entries; name the "
                            "folders in it that are to be read"
                        )
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror}") from None
        return frozenset(found)

    @cached_property
    def head(self) -> bytes:
        """The first 64 KiB of a file; nothing of anything else, or of what cannot be read."""
        if not self.path.is_file():
            return b""
        try:
            with self.path.open("rb") as file:
                return file.read(_HEAD)
        except OSError:
            return b""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogRow:
    """A row of named cells: a run, or an epoch, a step, a fold or a value of one.

    Attributes:
        where: Its place in its log, in words: `line 3` of a text, `step 100` of what has no lines.
        cells: Text by column, without spaces around it. A column that it lacks is an empty cell.
        log: Number of its log; counted where logs are put together, not by readers.
        end: Last epoch or step of its run, where the other rows are left away; not by readers.
    """

    where: str
    cells: Mapping[str, str]
    log: int = 0
    end: float | None = None

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Log:
    """Content of one file, one folder of a run, or one run of a tracker.

    Attributes:
        path: Where it lies: the path of a file or folder, or a tracker's address and its run.
        rows: Its rows, in order. Epochs and steps are told by a column of such a name (`step`,
            `epoch`); an empty cell says nothing, so that metrics may stand in rows of their own.
        facts: Cells that hold for each of its rows, such as settings (`config.lr`), how the run
            ended (`state`), or what the tracker calls it (`name`). They are not metrics.
        one_run: All of it is one run. False of a table that may list several.
        twice: Columns that are there several times, and differ.
        fold: Column of the fold of a cross-validation, where the format leaves no doubt.
        example: Column of the example, where each row is one of a run's; likewise.
        better: Whether a `lower` or a `higher` value is better, by metric, where the log says it.
    """

    path: str
    rows: Sequence[LogRow]
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    one_run: bool = False
    twice: tuple[str, ...] = ()
    fold: str | None = None
    example: str | None = None
    better: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """A reader of one format, and everything that is known of it.

    Attributes:
        name: As `--format` has it.
        about: What it reads, in a line.
        recognises: Whether a candidate is of this format, by its names and its first bytes. A
            folder that is recognised is read whole, with all that lies in it, as the folder of a
            run or of a tracker; any other folder is looked through.
        read: The logs of a candidate: one of a file or the folder of a run, many of a tracker.
            Raises `MissingPackage` without the library that it needs, and `DataError` where it
            cannot be read. Nothing is executed or unpickled.
        extra: The extra of seedwise that brings the library that it needs.
        general: Files of this format hold anything, such as CSV: in a folder that holds logs of
            another format they are left alone.
        means: Name of the format that has the means over what this one reads. In a folder in which
            each file of that format lies beside one of this, of the same run by the end of its
            name, those are left alone.
    """

    name: str
    about: str
    recognises: Callable[[Candidate], bool]
    read: Callable[[Candidate], Iterable[Log]]
    extra: str | None = None
    general: bool = False
    means: str | None = None
