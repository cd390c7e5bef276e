"""A CSV file as rows of named cells, with the line of each."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seedwise.errors import DataError

__all__ = ["CsvFile", "Row", "read_csv"]

_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One row: a cell by the name of its column, without spaces around it."""

    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CsvFile:
    """A CSV file with at least one row.

    Attributes:
        path: Where it lies.
        columns: Its columns, in order; each name once.
        rows: Its rows that hold anything.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_csv(path: Path) -> CsvFile:
    """Read a CSV file: UTF-8, a line of names first; separated by commas, semicolons or tabs.

    Raises:
        DataError: It cannot be read, has no rows, or a row does not fit its names.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a CSV file: it is not UTF-8 text") from None
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    try:
        lines = list(_lines(text, delimiter))
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: {error}") from None
    if len(lines) < 2:
        raise DataError(f"{path} has no rows; it needs a line of names and one for each run")
    names = _checked(path, lines[0][1])
    rows = (_row(path, names, line, cells) for line, cells in lines[1:])
    return CsvFile(path=path, columns=tuple(names), rows=tuple(rows))


def _row(path: Path, names: list[str], line: int, cells: list[str]) -> Row:
    if len(cells) != len(names):
        raise DataError(
            f"{path}, line {line}: {len(cells)} cells, but there are {len(names)} columns"
        )
    return Row(line=line, cells=dict(zip(names, cells, strict=True)))


def _lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, [cell.strip() for cell in cells]


def _checked(path: Path, names: list[str]) -> list[str]:
    # pandas writes its index under no name
    named = [name or "index" for name in names]
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path} has two columns named {twice!r}; give each a name of its own")
    chart = next((name for name in named if name.endswith("__MIN")), None)
    if chart is not None:
        raise DataError(
            f"{path} is W&B's export of a chart ({chart!r}), a curve for each run; "
            "export the table of runs instead"
        )
    return named
