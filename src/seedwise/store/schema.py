"""The tables of a study file, and how a file of an older seedwise becomes one of this.

Every row carries a checksum of its values (`checksum`), looked at when the row is read: a bit that
flipped on the disk is an error, never another number. It is over the row's columns in their order,
without `id` and `checksum`: what checks, repairs and merges studies relies on that for all tables,
and on foreign keys saying what belongs to what.
"""

import zlib
from collections.abc import Sequence
from functools import lru_cache

__all__ = [
    "APPLICATION_ID",
    "MIGRATIONS",
    "PAGE_BYTES",
    "READABLE",
    "checksum",
    "sum_joined",
    "sum_without",
]

APPLICATION_ID = int.from_bytes(b"SEED", "big")
"""Stands in the header of every study file, so that another program's file is known as such."""

PAGE_BYTES = 16384
"""A run's logits take 10 KB to 100 KB: storing 100 KB took 0.41 ms with such pages, 0.59 with the
usual 4 KB."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        """
        CREATE TABLE study (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            created TEXT NOT NULL,       -- UTC, ISO 8601
            seedwise TEXT NOT NULL,      -- version of the program that made the file
            checksum INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE choices (           -- what was fixed before the first run
            key TEXT PRIMARY KEY,
            value TEXT NOT NULL,         -- JSON
            fixed TEXT NOT NULL,         -- UTC, ISO 8601
            checksum INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE dataset (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            name TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            split TEXT NOT NULL,         -- JSON
            classes TEXT NOT NULL,       -- JSON, names
            examples INTEGER NOT NULL,
            names BLOB NOT NULL,         -- zlib of JSON
            targets BLOB NOT NULL,       -- zlib of int64, little-endian
            checksum INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE environments (      -- machines, versions, threads: RunRecord.made_by
            id INTEGER PRIMARY KEY,
            made_by TEXT NOT NULL UNIQUE, -- JSON, sorted by key
            checksum INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE setups (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE,
            key TEXT NOT NULL,
            setup TEXT NOT NULL,         -- canonical JSON
            checksum INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE runs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            setup INTEGER NOT NULL REFERENCES setups,
            init INTEGER NOT NULL,
            ord INTEGER NOT NULL,        -- the seed's `order`, which is a word of SQL
            augment INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('finished', 'diverged', 'failed')),
            seconds REAL NOT NULL,
            ended TEXT NOT NULL,         -- UTC, ISO 8601
            environment INTEGER NOT NULL REFERENCES environments,
            error TEXT,
            metrics TEXT NOT NULL,       -- JSON, name -> value; of a run without logits
            epochs TEXT NOT NULL,        -- JSON, field of EpochRecord -> its values
            views TEXT NOT NULL,         -- JSON, names; empty for a run without logits
            checksum INTEGER NOT NULL
        ) STRICT
        """,
        # A failed try blocks no other: only results are unique.
        """
        CREATE UNIQUE INDEX one_result ON runs (setup, init, ord, augment)
        WHERE state != 'failed'
        """,
        """
        CREATE TABLE logits (
            run INTEGER PRIMARY KEY REFERENCES runs,
            views INTEGER NOT NULL,
            examples INTEGER NOT NULL,
            classes INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            data BLOB NOT NULL           -- float16, little-endian: views, examples, classes
        ) STRICT
        """,
        """
        CREATE TABLE metric_values (     -- a cache: all of it can be computed again
            metric TEXT NOT NULL,
            run INTEGER NOT NULL REFERENCES runs,
            value REAL,                  -- NULL stands for NaN
            checksum INTEGER NOT NULL,
            PRIMARY KEY (metric, run)
        ) STRICT, WITHOUT ROWID
        """,
    ),
    (
        """
        CREATE TABLE repeats (           -- runs trained again; stored beside them, not as runs
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            run INTEGER NOT NULL REFERENCES runs,
            state TEXT NOT NULL CHECK (state IN ('finished', 'diverged')),
            seconds REAL NOT NULL,
            ended TEXT NOT NULL,         -- UTC, ISO 8601
            environment INTEGER NOT NULL REFERENCES environments,
            error TEXT,
            metrics TEXT NOT NULL,       -- JSON; as those of a run
            epochs TEXT NOT NULL,        -- JSON; as those of a run
            views TEXT NOT NULL,         -- JSON; as those of a run
            checksum INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX repeats_of_run ON repeats (run)",
        """
        CREATE TABLE repeat_logits (
            repeat INTEGER PRIMARY KEY REFERENCES repeats,
            views INTEGER NOT NULL,
            examples INTEGER NOT NULL,
            classes INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            data BLOB NOT NULL           -- float16, little-endian: views, examples, classes
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE run_scores (        -- a cache: what large logits say of each example
            score TEXT NOT NULL,         -- a metric, or the class that is predicted
            run INTEGER NOT NULL REFERENCES runs,
            shape TEXT NOT NULL,         -- JSON
            kind TEXT NOT NULL,          -- numpy's, little-endian: <f4, <i2
            checksum INTEGER NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (score, run)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE more_logits (       -- of a run whose logits are too large for one row
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL REFERENCES runs,
            part INTEGER NOT NULL,       -- from 1; what stands in logits comes before
            checksum INTEGER NOT NULL,
            data BLOB NOT NULL
        ) STRICT
        """,
        "CREATE INDEX more_of_run ON more_logits (run, part)",
    ),
    (
        """
        CREATE TABLE examples (          -- what scores are of, as far as it was said
            id INTEGER PRIMARY KEY CHECK (id = 1),
            examples INTEGER NOT NULL,
            names BLOB NOT NULL,         -- zlib of JSON; [] for examples told by their places
            groups BLOB NOT NULL,        -- zlib of JSON, the group of each; [] for none
            checksum INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE scores (            -- what each example is worth in a run that says it
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL REFERENCES runs,
            metric TEXT NOT NULL,
            examples INTEGER NOT NULL,
            kind TEXT NOT NULL,          -- bits; or numpy's, little-endian: <f4, <f8
            checksum INTEGER NOT NULL,
            data BLOB NOT NULL
        ) STRICT
        """,
        "CREATE INDEX scores_of_run ON scores (run, metric)",
    ),
    (
        """
        CREATE TABLE codes (             -- what trained a setup, as far as it is the user's
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            setup INTEGER NOT NULL REFERENCES setups,
            parts TEXT NOT NULL,         -- JSON, a list: kind, name, digest, what is shown, state
            accepted TEXT NOT NULL,      -- first, layout or said
            since TEXT NOT NULL,         -- UTC, ISO 8601
            checksum INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE code_texts (        -- source texts of parts
            id INTEGER PRIMARY KEY,
            digest TEXT NOT NULL UNIQUE,
            text BLOB NOT NULL,          -- zlib of UTF-8
            checksum INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE run_codes (
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL REFERENCES runs,
            code INTEGER NOT NULL REFERENCES codes,
            checksum INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE run_commits (
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL REFERENCES runs,
            revision TEXT NOT NULL,      -- the commit's name, hexadecimal
            dirty INTEGER,               -- 1 for uncommitted changes; NULL where nobody knows
            checksum INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE dropped (           -- setups that were set aside; their runs stay
            id INTEGER PRIMARY KEY,
            setup INTEGER NOT NULL REFERENCES setups,
            name TEXT NOT NULL,          -- the name that it had
            at TEXT NOT NULL,            -- UTC, ISO 8601
            checksum INTEGER NOT NULL
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE asked (             -- what calls asked for; of a setup, the last one counts
            id INTEGER PRIMARY KEY,
            setup INTEGER NOT NULL REFERENCES setups,
            seeds TEXT NOT NULL,         -- JSON
            at TEXT NOT NULL,            -- UTC, ISO 8601
            checksum INTEGER NOT NULL
        ) STRICT
        """,
    ),
    # Figures of any name in `epochs`, which an earlier seedwise would take for damage.
    (),
)
"""The statements of each step. A file whose `user_version` is n has had the first n of them; a
step that was released is never edited."""


READABLE = 2
"""The first format that is read as it is: what later ones add is missing from it."""


def checksum(*values: str | float | bytes | None) -> int:
    """CRC-32 of a row's values, in the order of its columns.

    >>> checksum("a", 1, 0.5, None) == checksum("a", 1, 0.5, None) != checksum("a", 1, 0.5, 0)
    True
    """
    total = 0
    for value in values:
        total = zlib.crc32(value if isinstance(value, bytes) else repr(value).encode(), total)
    return total


def sum_without(total: int, head: Sequence[int | str], length: int) -> int:
    """The CRC-32 of some bytes, from the checksum of a row that ends with them.

    CRC-32 is linear: what the values before the bytes have left in the sum is that sum, shifted by
    as many zero bytes as there are bytes, and comes off by exclusive or.

    >>> sum_without(checksum(7, 2, b"some"), (7, 2), 4) == checksum(b"some")
    True

    Args:
        total: `checksum(*head, data)`.
        head: The values before the bytes.
        length: Number of the bytes.
    """
    return total ^ _shifted(checksum(*head), length)


def sum_joined(first: int, second: int, length: int) -> int:
    """The CRC-32 of two strings of bytes in one, the second of which has this length.

    >>> sum_joined(checksum(b"so"), checksum(b"me"), 2) == checksum(b"some")
    True
    """
    return _shifted(first, length) ^ second


def _shifted(total: int, length: int) -> int:
    """A CRC-32 remainder times x^(8 length)."""
    return _times(total, _power(length))


@lru_cache(maxsize=256)
def _power(length: int) -> int:
    """x^(8 length), by squaring; kept, as the rows of a study are of few lengths."""
    power, factor = 0x80000000, 0x00800000  # 1 and x^8, the lowest power in the highest bit
    while length:
        if length & 1:
            power = _times(power, factor)
        factor = _times(factor, factor)
        length >>= 1
    return power


def _times(a: int, b: int) -> int:
    """The product of two polynomials over GF(2), modulo CRC-32's, bits reversed."""
    product = 0
    while a:
        if a & 0x80000000:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ (0xEDB88320 if b & 1 else 0)
    return product
