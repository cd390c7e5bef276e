"""Studies made by hand: one value of one row is another, and the row's checksum is right."""

import json
import sqlite3
import zlib
from contextlib import closing

from seedwise.store.schema import checksum

__all__ = ["ODD", "changed", "places"]

KEYS = {"metric_values": "metric, run", "run_scores": "score, run"}
"""The columns that tell the rows of a table without numbers."""

ODD = {
    int: [0, 1, -1, 2, 7, 2**31, 2**40, 2**63 - 1, -(2**63)],
    float: [0.0, -1.0, 1e300, -1e300, float("inf"), float("-inf"), 1e-320],
    str: [
        *("", "x", "\0", "0", "-1", "nan", "[]", "{}", "null", "true", "1e999"),
        *("\ud7ff\u202e", "evil:f"),
    ],
    bytes: [b"", b"\0", b"\xff" * 64, *map(zlib.compress, (b"", b"[]", b"{}"))],
}
"""What stands instead of a value, by its type. SQLite keeps NaN as NULL, which no column takes."""

PARTS = [
    *(None, True, False, 0, 1, -1, 2, 3, 2**40, 10**400, -(10**400), 0.5, 1e300, float("inf")),
    *(float("nan"), "", "x", "0", "\0", "../x", [], {}, [[]], [None], {"x": None}, [1, "a"]),
    *(["a", "a"], "evil:f", "2026-13-01", 10**20),
]
"""What stands instead of a part of JSON."""


def places(path):
    """Every value of every row, as (table, rowid, column)."""
    with closing(sqlite3.connect(path)) as raw:
        tables = raw.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        found = []
        for name, sql in tables:
            columns = [row[1] for row in raw.execute(f"PRAGMA table_info({name})")]
            key = "rowid"
            if "WITHOUT ROWID" in sql:
                key = KEYS.get(name)
                if key is None:
                    continue
            for number in raw.execute(f"SELECT {key} FROM {name}").fetchall():
                found += [(name, number, column) for column in columns if column != "checksum"]
        return found


def changed(path, place, rng):
    """Change the value at a place; whether the file took it."""
    table, number, column = place
    key = KEYS.get(table, "rowid")
    where = " AND ".join(f"{name} = ?" for name in key.split(", "))
    with closing(sqlite3.connect(path)) as raw:
        columns = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
        row = raw.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {where}", number)
        values = dict(zip(columns, row.fetchone(), strict=True))
        values[column] = _other(values[column], rng)
        summed = [value for name, value in values.items() if name not in ("id", "checksum")]
        try:
            total = checksum(*summed)
            raw.execute(
                f"UPDATE {table} SET {column} = ?, checksum = ? WHERE {where}",
                (values[column], total, *number),
            )
            raw.commit()
        except (sqlite3.Error, UnicodeError, OverflowError):
            return False
    return True


def _other(value, rng):
    if isinstance(value, str) and value[:1] in "[{":
        return _odd_json(value, rng)
    if isinstance(value, bytes) and value[:1] == b"x":
        text = zlib.decompress(value)
        if text[:1] == b"[" and rng.random() < 0.7:
            return zlib.compress(_odd_json(text.decode(), rng).encode(errors="replace"))
    if value is None:
        return "x"
    return _one(ODD[type(value)], rng)


def _odd_json(text, rng):
    if rng.random() < 0.15:
        return _one(ODD[str], rng)
    whole = json.loads(text)
    spots = list(_spots(whole))
    if not spots or rng.random() < 0.1:
        return json.dumps(_one(PARTS, rng))
    holder, key = _one(spots, rng)
    match int(rng.integers(0, 4)):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[_one(ODD[str], rng)] = holder.pop(key)
        case 1:
            holder.append(_one(PARTS, rng))
        case _:
            holder[key] = _one(PARTS, rng)
    return json.dumps(whole)


def _spots(value):
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from _spots(each)


def _one(choices, rng):
    return choices[int(rng.integers(0, len(choices)))]
