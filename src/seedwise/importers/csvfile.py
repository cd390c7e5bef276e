"""CSV files: a row for each run, each value, or each epoch of a run."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path

from seedwise.errors import DataError
from seedwise.importers.cells import decimal_commas, with_points
from seedwise.importers.logs import Candidate, Importer, Log, LogRow

__all__ = ["IMPORTER", "read_csv"]

_DELIMITERS = (",", ";", "\t")
_SUFFIXES = (".csv", ".tsv", ".txt", ".tab")

_MOST_BYTES, _MOST_CELLS, _MOST_COLUMNS = 2**26, 2_000_000, 4_000
"""More than any table of runs: 4,000 runs with 500 columns each."""


def read_csv(path: Path) -> Log:
    """Read a CSV file: UTF-8, a line of names first; separated by commas, semicolons or tabs.

    Raises:
        DataError: It cannot be read, has no rows, or a row does not fit its names.
    """
    try:
        content = _content(path)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a CSV file: it is not UTF-8 text") from None
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    cells = sum(map(content.count, (delimiter.encode(), b"\n", b"\r")))
    _bound(path, cells, _MOST_CELLS, "cells and lines")
    try:
        lines = list(_lines(text, delimiter))
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: {error}") from None
    if len(lines) < 2:
        raise DataError(f"{path} has no rows; it needs a line of names and one for each run")
    names = _checked(path, lines[0][1])
    _bound(path, len(names), _MOST_COLUMNS, "columns")
    twice = _twice(names, [cells for _, cells in lines[1:]])
    if decimal_commas(cell for _, cells in lines[1:] for cell in cells):
        lines[1:] = [(line, list(map(with_points, cells))) for line, cells in lines[1:]]
    rows = tuple(_row(path, names, line, cells) for line, cells in lines[1:])
    return Log(path=str(path), rows=rows, twice=twice)


def _content(path: Path) -> bytes:
    """All of a file, unless that is more than any table of runs."""
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    _bound(path, len(content), _MOST_BYTES, "bytes")
    return content


def _bound(path: Path, found: int, most: int, what: str) -> None:
    """Refuse by a count what would take gigabytes and minutes to be taken apart."""
    if found > most:
        raise DataError(
            f"{path} has more than {most:,} {what}; leave out what is not setup, seed or metric, "
            "or import it in parts"
        )


def _twice(names: list[str], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Names of several columns that differ: nobody can say which is meant."""
    found = list[str]()
    places_of: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places_of.setdefault(name, []).append(place)
    for name, places in places_of.items():
        if len(places) > 1 and any(
            row[place] != row[places[0]] for row in rows for place in places
        ):
            found.append(name)
    return tuple(found)


def _row(path: Path, names: list[str], line: int, cells: list[str]) -> LogRow:
    if len(cells) != len(names):
        raise DataError(
            f"{path}, line {line}: {len(cells)} cells, but there are {len(names)} columns"
        )
    return LogRow(where=f"line {line}", cells=dict(zip(names, cells, strict=True)))


def _lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    # Only \n and \r end a line, as Python's csv has it: a cell may hold U+2028 or a form feed.
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, [cell.strip() for cell in cells]


def _checked(path: Path, names: list[str]) -> list[str]:
    # pandas writes its index under no name
    named = [name or "index" for name in names]
    chart = next((name for name in named if name.endswith("__MIN")), None)
    if chart is not None:
        raise DataError(
            f"{path} is W&B's export of a chart ({chart!r}), a curve for each run; "
            "export the table of runs instead"
        )
    return named


def _recognises(candidate: Candidate) -> bool:
    return candidate.path.suffix.lower() in _SUFFIXES


def _read(candidate: Candidate) -> Iterable[Log]:
    return [read_csv(candidate.path)]


IMPORTER = Importer(
    name="csv",
    about="CSV: a row for each run, value or epoch; the exports of W&B and MLflow",
    recognises=_recognises,
    read=_read,
    general=True,
)
