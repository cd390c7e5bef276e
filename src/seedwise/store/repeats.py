"""Repeats: runs that were trained again, kept beside the runs and never counted as runs."""

from collections.abc import Sequence
from datetime import datetime

from numpy import ndarray

from seedwise.errors import StudyError
from seedwise.records import RunRecord
from seedwise.shaped import Float16
from seedwise.store.base import Tables
from seedwise.store.rows import (
    as_json,
    body_columns,
    head_columns,
    logits_from_row,
    logits_row,
    repeat_from_row,
)
from seedwise.store.schema import checksum
from seedwise.store.stored import StoredRepeat

__all__ = ["Repeats"]


class Repeats(Tables):
    """The part of `Store` that keeps repeats."""

    def add_repeat(self, run_id: int, record: RunRecord, *, ended_at: datetime) -> int:
        """Store what came of training a run again, whole or not at all.

        Args:
            run_id: The run that was repeated. It may have any number of repeats.
            record: What training handed back; its `targets` are not looked at.
            ended_at: When it ended, with its time zone.

        Returns:
            The id of the repeat.

        Raises:
            StudyError: The repeat failed, there is no such run, that run failed, or its logits
                have another shape.
        """
        if record.state == "failed":
            raise StudyError("a repeat that failed is no repeat; train the run again")
        head, body = head_columns(record, ended_at), body_columns(record)
        logits = None if record.logits is None else logits_row(record.logits)
        with self._writing():
            self._check_repeatable(run_id)
            if logits is not None:
                self._check_repeat(run_id, logits[:3])
            place = self._environment_id(as_json(dict(record.made_by)))
            values = (run_id, *head, place, *body)
            repeat = self._insert("repeats", (None, *values, checksum(*values)))
            if logits is not None:
                *shape, data = logits
                total = checksum(repeat, *logits)
                self._insert("repeat_logits", (repeat, *shape, total, data))
        return repeat

    def repeats(self, run_ids: Sequence[int]) -> list[StoredRepeat]:
        """The repeats of some runs, in the order in which they were stored."""
        wanted = set(run_ids)
        machines = self._environments()
        rows = self._rows(
            "SELECT id, run, state, seconds, ended, environment, error, metrics, epochs, views, "
            "checksum FROM repeats ORDER BY id"
        )
        found = list[StoredRepeat]()
        for repeat, *rest in rows:
            with self._understanding(f"repeat {repeat}"):
                columns = self._intact(rest, f"repeat {repeat}")
                if columns[0] in wanted:
                    found.append(repeat_from_row(repeat, columns, machines[columns[4]]))
        return found

    def repeat_logits(self, repeat_id: int) -> Float16[ndarray, "views examples classes"]:
        """The logits of a repeat.

        Raises:
            StudyError: It has none, or they are damaged.
        """
        rows = self._rows(
            "SELECT views, examples, classes, data, checksum FROM repeat_logits WHERE repeat = ?",
            repeat_id,
        )
        if not rows:
            raise StudyError(f"repeat {repeat_id} of {self.path} has no logits")
        what = f"the logits of repeat {repeat_id}"
        with self._understanding(what):
            return logits_from_row(self._intact(rows[0], what, repeat_id))

    def _check_repeatable(self, run_id: int) -> None:
        rows = self._rows("SELECT state FROM runs WHERE id = ?", run_id)
        if not rows or rows[0][0] == "failed":
            what = "failed" if rows else "is not there"
            raise StudyError(f"run {run_id} of {self.path} {what}; a repeat needs a result")

    def _check_repeat(self, run_id: int, shape: tuple[int, ...]) -> None:
        rows = self._rows("SELECT views, examples, classes FROM logits WHERE run = ?", run_id)
        if rows and rows[0] != shape:
            raise StudyError(
                f"the repeat of run {run_id} has logits of shape {shape}, the run {rows[0]}; "
                "predict the same examples"
            )
