"""Values that a study keeps and could compute again: metrics of runs, and scores of examples."""

import json
import math
from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np
from numpy import ndarray

from seedwise.errors import StudyError
from seedwise.store.base import Tables
from seedwise.store.rows import (
    as_json,
    kept,
)
from seedwise.store.schema import checksum

__all__ = ["Caches"]


class Caches(Tables):
    """The part of `Store` that keeps what was computed.

    A store that was opened with `readonly` keeps nothing and says nothing.
    """

    def metric_values(self, metric: str, run_ids: Iterable[int]) -> dict[int, float]:
        """The values of a metric that `put_metric_values` kept, for those runs that have one.

        Args:
            metric: As in `put_metric_values`.
            run_ids: `StoredRun.id` of each.

        Returns:
            By run id; NaN where the metric has no value.
        """
        wanted = set(run_ids)
        rows = self._rows(
            "SELECT metric, run, value, checksum FROM metric_values WHERE metric = ?", metric
        )
        kept = [self._intact(row, f"{metric} of run {row[1]}") for row in rows if row[1] in wanted]
        if any(value is not None and not math.isfinite(value) for _, _, value in kept):
            raise StudyError(f"{self.path} is damaged: a value of {metric} is infinite")
        return {run: float("nan") if value is None else value for _, run, value in kept}

    def put_metric_values(self, metric: str, values: Mapping[int, float]) -> None:
        """Keep values of a metric, by run id, so that they need not be computed again.

        This is a cache: a store that was opened with `readonly` keeps nothing and says nothing.

        Args:
            metric: Name of the metric, with all that its values depend on besides the run.
            values: A value for each run id.
        """
        if self.readonly or not values:
            return
        rows = [
            (metric, int(run), None if value != value else kept(value))
            for run, value in values.items()
        ]
        with self._writing():
            self._connection.executemany(
                "INSERT OR REPLACE INTO metric_values VALUES (?, ?, ?, ?)",
                [(*row, checksum(*row)) for row in rows],
            )

    def run_scores(self, score: str, run_id: int) -> ndarray | None:
        """Scores that `put_run_scores` kept of a run; None for none.

        Args:
            score: As in `put_run_scores`.
            run_id: `StoredRun.id`.

        Returns:
            The array, read-only.
        """
        if not self._keeps_scores:
            return None
        rows = self._rows(
            "SELECT score, run, shape, kind, data, checksum FROM run_scores "
            "WHERE score = ? AND run = ?",
            score,
            run_id,
        )
        if not rows:
            return None
        what = f"{score} of run {run_id}"
        with self._understanding(what):
            _, _, shape, kind, data = self._intact(rows[0], what)
            return np.frombuffer(data, kind).reshape(json.loads(shape))

    def put_run_scores(self, run_id: int, scores: Mapping[str, ndarray]) -> None:
        """Keep an array of one value for each example of a run, so that it is not computed again.

        A cache, as `put_metric_values` keeps one.

        Args:
            run_id: `StoredRun.id`.
            scores: By name; float32, or a whole number of 16 or 32 bits.
        """
        if self.readonly:
            return
        with self._writing():
            for name, found in scores.items():
                kind = found.dtype.newbyteorder("<")
                row = (name, run_id, as_json(found.shape), kind.str, found.astype(kind).tobytes())
                *head, data = row
                self._connection.execute(
                    "INSERT OR REPLACE INTO run_scores VALUES (?, ?, ?, ?, ?, ?)",
                    (*head, checksum(*row), data),
                )

    @cached_property
    def _keeps_scores(self) -> bool:
        """False in a file of an older format that is only read."""
        return bool(self._rows("SELECT 1 FROM sqlite_schema WHERE name = 'run_scores'"))
