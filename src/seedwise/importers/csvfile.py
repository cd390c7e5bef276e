"""CSV files: a row for each run, each value, or each epoch of a run."""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

from seedwise.errors import DataError
from seedwise.importers.cells import decimal_commas, number_in, with_points
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.importers.records import flat, mapping_in

__all__ = ["IMPORTER", "read_csv"]

_DELIMITERS = (",", ";", "\t")
_SEPARATOR = re.compile(r"sep=([,;\t|])", re.I)
_NESTED = ("config", "summary", "metrics", "params")
_SUFFIXES, _TEXTS = (".csv", ".tsv", ".tab"), (".log", ".txt")

_MOST_BYTES, _MOST_CELLS, _MOST_COLUMNS = 2**26, 2_000_000, 4_000
"""More than any table of runs: 4,000 runs with 500 columns each."""


def read_csv(path: Path) -> Log:
    """Read a CSV file: text, a line of names first; separated by commas, semicolons or tabs.

    Read are also what spreadsheets write (a byte order mark, UTF-16, a line `sep=;`, decimal
    commas), lines that begin with `#` (the names themselves may), and cells that hold a mapping,
    as a table of W&B's runs has them in `config` and `summary`.

    Raises:
        DataError: It cannot be read, has no rows, or a row does not fit its names.
    """
    try:
        content = _content(path)
        # Excel's "Unicode text" is UTF-16.
        utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a CSV file: it is not UTF-8 text") from None
    _bound(path, text.count("\n") + text.count("\r"), _MOST_CELLS, "cells and lines")
    skipped, delimiter, text = _begun(text)
    cells = sum(map(text.count, (delimiter, "\n", "\r")))
    _bound(path, cells, _MOST_CELLS, "cells and lines")
    try:
        lines = list(_lines(text, delimiter, skipped))
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: {error}") from None
    if len(lines) < 2:
        raise DataError(f"{path} has no rows; it needs a line of names and a row for each run")
    names = [name or "index" for name in lines[0][1]]  # pandas writes its index under no name
    _bound(path, len(names), _MOST_COLUMNS, "columns")
    if decimal_commas(cell for _, cells in lines[1:] for cell in cells):
        lines[1:] = [(line, list(map(with_points, cells))) for line, cells in lines[1:]]
    rows = [_row(path, names, line, cells) for line, cells in lines[1:]]
    twice = _twice(names, [cells for _, cells in lines[1:]])
    nested = [name for name in names if name.lower() in _NESTED and name not in twice]
    if nested:
        rows = [replace(row, cells=_unfolded(row, nested)) for row in rows]
    return Log(path=str(path), rows=rows, twice=twice)


def _begun(text: str) -> tuple[int, str, str]:
    """The lines before the names, what separates cells, and the text from the names on."""
    skipped, start, delimiter, names = 0, 0, "", ""
    while True:
        end = text.find("\n", start)
        head = text[start:] if end < 0 else text[start:end]
        bare = head.strip(" \r")  # a tab may be what `sep=` names
        if not skipped and (found := _SEPARATOR.fullmatch(bare)):
            delimiter = found[1]
        elif bare.startswith("#"):
            names = bare.lstrip("# ")
        elif bare or end < 0:
            break
        if end < 0:
            head, start = "", len(text)
            break
        skipped, start = skipped + 1, end + 1
    text = text[start:]
    delimiter = delimiter or max(_DELIMITERS, key=head.count)
    if names.count(delimiter) == head.count(delimiter) > 0 and _all_numbers(head, delimiter):
        return skipped - 1, delimiter, f"{names}\n{text}"  # numpy's savetxt has names so
    return skipped, delimiter, text


def _all_numbers(line: str, delimiter: str) -> bool:
    return all(number_in(cell.strip(' "\r')) for cell in line.split(delimiter))


def _unfolded(row: LogRow, columns: Sequence[str]) -> dict[str, str]:
    """The cells of a row, with those of mappings under names of their own.

    Settings stay under their column's name (`config.lr`); a summary holds metrics.
    """
    cells = dict(row.cells)
    for column in columns:
        value = mapping_in(cells[column])
        if value is not None:
            del cells[column]
            of_metrics = column.lower() in ("summary", "metrics")
            cells |= {
                name: cell
                for name, cell in flat(value, "" if of_metrics else f"{column.lower()}.").items()
                if name not in cells
            }
    return cells


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
    """Names of several columns that differ: it is unclear which is meant."""
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


def _lines(text: str, delimiter: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    # Only \n and \r end a line, as Python's csv has it: a cell may hold U+2028 or a form feed.
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    for cells in reader:
        bare = [cell.strip() for cell in cells]
        if any(bare) and not (bare[0].startswith("#") and len(bare) == 1):
            yield reader.line_num + skipped, bare


def _recognises(candidate: Candidate) -> bool:
    suffix = candidate.path.suffix.lower()
    if suffix not in _TEXTS:
        return suffix in _SUFFIXES
    # `training.log` of Keras is a table, and most other files of such a name are not.
    lines = candidate.head.decode("utf-8", "replace").split("\n")
    return len(lines) > 1 and any(
        lines[0].count(delimiter) == lines[1].count(delimiter) > 0 for delimiter in _DELIMITERS
    )


def _read(candidate: Candidate) -> Iterable[Log]:
    return [read_csv(candidate.path)]


IMPORTER = Importer(
    name="csv",
    about="CSV: a row for each run, value or epoch; the exports of W&B and MLflow",
    recognises=_recognises,
    read=_read,
    general=True,
)
