"""Scores of single examples: what runs came with, beside logits or instead of them."""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy import ndarray

from seedwise.errors import StudyError
from seedwise.records import Examples
from seedwise.shaped import Float
from seedwise.store.base import Tables
from seedwise.store.rows import as_json
from seedwise.store.schema import checksum, sum_without
from seedwise.store.shapes import texts, unpacked

__all__ = ["ScoreTables"]

_BITS = "bits"
_KINDS = (_BITS, "<f4", "<f8")

_MOST_EXAMPLES = 100_000_000
"""SQLite's largest row holds as many float64."""


class ScoreTables(Tables):
    """The part of `Store` that keeps scores of single examples, and what examples are called."""

    def examples(self) -> Examples | None:
        """Names and groups of the examples; None if none were given."""
        if not self._has_scores:
            return None
        rows = self._rows("SELECT examples, names, groups, checksum FROM examples")
        with self._understanding("the examples"):
            if not rows:
                return None
            number, names, groups = self._intact(rows[0], "the examples")
            return Examples(
                count=number,
                names=texts(json.loads(unpacked(names))),
                groups=texts(json.loads(unpacked(groups))),
            )

    def set_examples(self, examples: Examples) -> None:
        """Say what the scores of this study are of. What was not said before may be said later.

        Raises:
            StudyError: The study has other examples, in another number, order or grouping.
        """
        with self._writing():
            known = self.examples() or Examples(count=examples.count)
            number = self.scored_examples() or known.count
            if number != examples.count:
                raise StudyError(
                    f"there are scores of {examples.count:,} examples, but {self.path} was made "
                    f"with {number:,}; score the same examples"
                )
            _check_same(self.path.name, "names", known.names, examples.names)
            _check_same(self.path.name, "groups", known.groups, examples.groups)
            names, groups = known.names or examples.names, known.groups or examples.groups
            if (names, groups) != (known.names, known.groups):
                packed = (zlib.compress(as_json(each).encode()) for each in (names, groups))
                row = (number, *packed)
                self._connection.execute(
                    "INSERT OR REPLACE INTO examples VALUES (1, ?, ?, ?, ?)",
                    (*row, checksum(*row)),
                )

    def scores(
        self, metric: str, run_ids: Sequence[int]
    ) -> Float[ndarray, "runs examples"] | None:
        """The score of each example in some runs; None where one of them came without.

        Args:
            metric: Name of the metric.
            run_ids: `StoredRun.id` of each.

        Raises:
            StudyError: They are of different numbers of examples, or damaged.
        """
        found = list[ndarray]()
        for run in run_ids if self._has_scores else ():
            rows = self._rows(
                "SELECT run, metric, examples, kind, data, checksum FROM scores "
                "WHERE run = ? AND metric = ?",
                run,
                metric,
            )
            if not rows:
                return None
            what = f"{metric} of each example in run {run}"
            with self._understanding(what):
                _, _, examples, kind, data = self._intact(rows[0], what)
                found.append(_unpacked(examples, kind, data))
            if len(found[-1]) != len(found[0]):
                raise StudyError(
                    f"run {run} of {self.path} has scores of {len(found[-1]):,} examples, run "
                    f"{run_ids[0]} of {len(found[0]):,}; compare them apart"
                )
        return np.stack(found) if found else None

    def _insert_scores(self, run: int, scores: Mapping[str, ndarray]) -> None:
        for metric, values in scores.items():
            row = (run, metric, len(values), *_packed(values))
            *head, data = row
            self._insert("scores", (None, *head, checksum(*row), data))

    def _check_scores(self, scores: Mapping[str, ndarray], what: str) -> None:
        """Refuse scores of another number of examples than the study's."""
        numbers = {len(values) for values in scores.values()}
        known = self.scored_examples() if numbers else None
        if known is not None and numbers - {known}:
            (other, *_) = numbers - {known}
            raise StudyError(
                f"{what} has scores of {other:,} examples, but {self.path} was made with "
                f"{known:,}; score the same examples"
            )

    def scored_examples(self) -> int | None:
        """Number of examples of the study; None if no run has any and it was not given."""
        for table in ("dataset", "examples", "scores"):
            rows = self._rows(f"SELECT examples FROM {table} LIMIT 1")
            if rows:
                return rows[0][0]
        return None

    def _scored(self) -> dict[int, dict[str, tuple[object, ...]]]:
        """The metrics of which runs have scores with a digest of these, by run id.

        The digests are from checksums: the scores are not read.
        """
        found = dict[int, dict[str, tuple[object, ...]]]()
        if self._has_scores:
            rows = self._rows(
                "SELECT run, metric, examples, kind, length(data), checksum FROM scores"
            )
            with self._understanding("the scores"):
                for run, metric, examples, kind, length, total in rows:
                    data = sum_without(total, (run, metric, examples, kind), length)
                    found.setdefault(run, {})[metric] = (examples, kind, data)
        return found

    @cached_property
    def _has_scores(self) -> bool:
        """False in a file of an older format that is only read."""
        return bool(self._rows("SELECT 1 FROM sqlite_schema WHERE name = 'scores'"))


def _check_same(study: str, what: str, known: tuple[str, ...], given: tuple[str, ...]) -> None:
    if not (known and given) or known == given:
        return
    differ = sum(a != b for a, b in zip(known, given, strict=True))
    raise StudyError(
        f"{differ:,} of {len(given):,} examples have other {what} than in {study}; every run must "
        "score the same examples"
    )


def _packed(values: Float[ndarray, " examples"]) -> tuple[str, bytes]:
    """The kind and the bytes of some scores."""
    if np.isin(values, (0, 1)).all():
        return _BITS, np.packbits(values != 0).tobytes()
    kind = "<f4" if values.dtype == np.float32 else "<f8"
    return kind, values.astype(kind).tobytes()


def _unpacked(examples: int, kind: str, data: bytes) -> Float[ndarray, " examples"]:
    """Read what `_packed` wrote, and nothing that it would not have written."""
    if kind not in _KINDS or not 0 < examples <= _MOST_EXAMPLES:
        raise ValueError(f"they are {examples} scores of kind {kind!r}")
    size = math.ceil(examples / 8) if kind == _BITS else examples * int(kind[-1])
    if len(data) != size:
        raise ValueError(f"{len(data)} bytes for {examples} scores of kind {kind}")
    if kind == _BITS:
        return np.unpackbits(np.frombuffer(data, np.uint8), count=examples).astype(np.float32)
    found = np.frombuffer(data, kind).astype(kind[1:], copy=False)
    if not np.isfinite(found).all():
        raise ValueError("one of them is not finite")
    return found
