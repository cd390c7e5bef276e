"""JSON and JSON lines: records of runs or epochs, flat or nested."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedwise.errors import DataError
from seedwise.importers.logs import Candidate, Importer, Log, LogRow
from seedwise.importers.records import flat

__all__ = ["IMPORTER", "parsed", "read_json", "read_lines", "text_of"]

_MOST_BYTES, _MOST_ROWS = 2**26, 400_000
_LINES = (".jsonl", ".ndjson", ".jsonlines")


def read_json(path: Path) -> Log:
    """Read a JSON file.

    A list of records has a row for each; so has a mapping of equally long lists (a history of
    Keras), what pandas writes by default or as "split", and a record with one list of records in
    it, whose other values hold for each of them; so has a mapping from setups to seeds to metrics.
    Any other record is one row.

    Raises:
        DataError: It cannot be read, is no JSON, or holds no records.
    """
    value = parsed(text_of(path), str(path))
    facts: Mapping[str, Any] = {}
    records: Sequence[Any]
    if isinstance(value, Mapping):
        facts, records = _records_of(value)
    else:
        records = value if isinstance(value, list) else []
    if not records or not all(isinstance(record, Mapping) for record in records):
        raise DataError(f"{path} holds no records: a list of them is needed, or names with values")
    alone = len(records) == 1
    rows = [
        _row(path, "its record" if alone else f"record {number}", record)
        for number, record in enumerate(_bounded(path, records), 1)
    ]
    return Log(path=str(path), rows=rows, facts=_flat(path, "its record", facts))


def read_lines(path: Path) -> Log:
    """Read a file with a record of JSON in each line; a last line that was cut off is none.

    Raises:
        DataError: It cannot be read, or a line is not a record.
    """
    rows = list[LogRow]()
    lines = text_of(path).split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip() or (number > 1 and number == len(lines) and _is_cut_off(line)):
            continue
        record = parsed(line, f"{path}, line {number}")
        if not isinstance(record, Mapping):
            raise DataError(f'{path}, line {number} is no record, such as {{"loss": 0.1}}')
        rows.append(_row(path, f"line {number}", record))
        _bounded(path, rows)
    if not rows:
        raise DataError(f"{path} has no rows")
    return Log(path=str(path), rows=rows)


def _is_cut_off(line: str) -> bool:
    """Of a line without an end: its program was killed while it wrote."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return True
    return False


def text_of(path: Path) -> str:
    """All of a file of UTF-8 text.

    Raises:
        DataError: It cannot be read, has more than 64 MiB, or is not such text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise DataError(f"{path} has more than {_MOST_BYTES:,} bytes; import it in parts")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} cannot be read: it is not UTF-8 text") from None


def parsed(text: str, where: str) -> Any:
    """Parse a JSON text; NaN and Infinity are numbers, as Python writes them.

    Raises:
        DataError: It is no JSON, is nested too deeply, or has one name twice in a record.
    """

    def record(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in found if names.count(name) > 1)
            raise DataError(f"{where} has the name {twice!r} twice in one record")
        return found

    try:
        return json.loads(text, object_pairs_hook=record)
    except json.JSONDecodeError as error:
        place = f" (line {error.lineno})" if "\n" in text.strip() else ""
        raise DataError(f"{where} is not JSON: {error.msg}{place}") from None
    except RecursionError:
        raise DataError(f"{where} is nested too deeply") from None
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where} has a number that is too long") from None


def _records_of(value: Mapping[str, Any]) -> tuple[Mapping[str, Any], Sequence[Any]]:
    """Entries that hold for all records of a mapping, and the records."""
    columns, data = value.get("columns"), value.get("data")
    if isinstance(columns, list) and isinstance(data, list):
        return {}, [dict(zip(map(str, columns), row, strict=False)) for row in data]
    values = list(value.values())
    lists = [each for each in values if isinstance(each, list)]
    if values and len(lists) == len(values) and len(set(map(len, lists))) == 1:
        rows = [dict(zip(value, row, strict=True)) for row in zip(*lists, strict=True)]
        counted = any(name in value for name in ("epoch", "step"))
        return {}, rows if counted else [{"epoch": i, **row} for i, row in enumerate(rows)]
    maps = [each for each in values if isinstance(each, Mapping)]
    keys = list(maps[0]) if maps else []
    numbered = bool(keys) and all(str(key).isdecimal() for key in keys)
    if maps and len(maps) == len(values) and (nested := _by_seed(value)):
        return {}, nested
    if numbered and len(maps) == len(values) and all(list(each) == keys for each in maps):
        return {}, [{name: value[name][key] for name in value} for key in keys]
    tables = [
        name
        for name, each in value.items()
        if isinstance(each, list) and each and all(isinstance(one, Mapping) for one in each)
    ]
    if len(tables) == 1:
        return {k: v for k, v in value.items() if k != tables[0]}, value[tables[0]]
    return {}, [value]


def _by_seed(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Records of a mapping from setups to seeds to metrics; empty if it is none."""
    inner = [(setup, seed, each) for setup, of in value.items() for seed, each in of.items()]
    if not all(seed.isdecimal() and isinstance(each, Mapping) for _, seed, each in inner):
        return []
    return [{"setup": setup, "seed": seed, **each} for setup, seed, each in inner]


def _row(path: Path, where: str, record: Mapping[str, Any]) -> LogRow:
    return LogRow(where=where, cells=_flat(path, where, record))


def _flat(path: Path, where: str, record: Mapping[str, Any]) -> dict[str, str]:
    try:
        return flat(record)
    except DataError as error:
        raise DataError(f"{path}, {where}: {error}") from None


def _bounded(path: Path, records: Sequence[Any]) -> Sequence[Any]:
    if len(records) > _MOST_ROWS:
        raise DataError(f"{path} has more than {_MOST_ROWS:,} records; import it in parts")
    return records


def _recognises(candidate: Candidate) -> bool:
    return candidate.path.suffix.lower() in (".json", *_LINES) and not candidate.is_folder


def _read(candidate: Candidate) -> Iterable[Log]:
    path = candidate.path
    first, _, rest = candidate.head.strip().partition(b"\n")
    lines = path.suffix.lower() in _LINES or (
        first.startswith(b"{") and first.rstrip().endswith(b"}") and rest.lstrip().startswith(b"{")
    )  # `result.json` and others hold a record in each line
    return [read_lines(path) if lines else read_json(path)]


IMPORTER = Importer(
    name="json",
    about="JSON and JSON lines: records of runs or epochs",
    recognises=_recognises,
    read=_read,
    general=True,
)
