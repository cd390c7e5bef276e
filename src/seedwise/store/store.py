"""The study file: what it keeps, as values. Numbers go in and come out bit for bit."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from numpy import ndarray

from seedwise.code.git import Commit
from seedwise.errors import RunExists, StudyError
from seedwise.records import VIEWS, DatasetRecord, RunRecord
from seedwise.seeds import Seed
from seedwise.shaped import Float16
from seedwise.store.batches import RunBatches
from seedwise.store.caches import Caches
from seedwise.store.codes import Codes
from seedwise.store.files import connect
from seedwise.store.plans import PLAN, VIEWS_KEPT
from seedwise.store.repeats import Repeats
from seedwise.store.rows import (
    as_json,
    body_columns,
    dataset_from_row,
    dataset_row,
    head_columns,
    logits_from_row,
    logits_row,
    run_from_row,
)
from seedwise.store.schema import checksum, sum_joined, sum_without
from seedwise.store.scored import ScoreTables
from seedwise.store.shapes import check_plan, texts
from seedwise.store.stored import StoredRun, StudyFacts

__all__ = ["Store"]

_PART = 512_000_000
"""Bytes of logits in one row at most; SQLite holds 1,000,000,000."""


@final
class Store(Repeats, Caches, Codes, ScoreTables, RunBatches):
    """A study file, open.

    Rules:
        * What is added is on the disk, whole, when the method returns; a process that is killed at
          any moment leaves nothing half-written.
        * A finished or diverged run never changes, and there is at most one for each setup and
          seed. A failed try is kept beside it and blocks no other. Ids are never used twice.
        * One process writes at a time; another that wants to waits for up to 10 seconds. Any
          number may read meanwhile.
        * A Store belongs to the thread that opened it.

    Every method raises StudyError where the file is damaged, cannot be read or cannot be written.
    """

    @classmethod
    def open(
        cls, path: str | PathLike[str], *, create: bool = False, readonly: bool = False
    ) -> Self:
        """Open a study file.

        Args:
            path: The file.
            create: Make it if there is none.
            readonly: Only read; the file and its folder may be read-only.

        Raises:
            StudyError: There is no such file, it is not a study, or it cannot be used.
            StudyTooNew: A later seedwise wrote it.
        """
        file = Path(path)
        store = cls(file, connect(file, create=create, readonly=readonly), readonly=readonly)
        try:
            store._check_place()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close the file. What was added is there with or without it."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def facts(self) -> StudyFacts:
        """Time at which the file was made, and version of the program that made it."""
        rows = self._rows("SELECT created, seedwise, checksum FROM study")
        with self._understanding("how the study began"):
            (row,) = rows
            created, program = self._intact(row, "how the study began")
            return StudyFacts(created=datetime.fromisoformat(created), seedwise=program)

    def dataset(self) -> DatasetRecord | None:
        """The dataset on which this study validates; None where no run needed one so far."""
        rows = self._rows(
            "SELECT name, fingerprint, split, classes, examples, names, targets, checksum "
            "FROM dataset"
        )
        with self._understanding("the dataset"):
            found = dataset_from_row(self._intact(rows[0], "the dataset")) if rows else None
            views = self.choice(VIEWS_KEPT) if found else None
            return replace(found, views=texts(views)) if found and views else found

    def set_dataset(self, record: DatasetRecord) -> None:
        """Say on which dataset this study validates. It is set once.

        Raises:
            StudyError: The study has another dataset, or another split or other views of this one.
        """
        with self._writing():
            known = self.dataset()
            if known is None:
                row = dataset_row(record)
                self._insert("dataset", (1, *row, checksum(*row)))
                if record.views != VIEWS:
                    self._insert_choice(VIEWS_KEPT, as_json(record.views))
                return
        if (known.fingerprint, known.split) != (record.fingerprint, record.split):
            raise StudyError(
                f"{self.path} was made with other data: {_described(known)}, not "
                f"{_described(record)}; use another study file, or the data it was made with"
            )
        if known.views != record.views:
            raise StudyError(
                f"{self.path} was made with {len(known.views)} views of each image, not "
                f"{len(record.views)} ({', '.join(record.views)}); views never change: use "
                "another study file, or leave views out, which takes those of the file"
            )

    def choice(self, key: str) -> Any:
        """Choice fixed for this study under `key`, as JSON gives it back; None if none."""
        rows = self._rows("SELECT key, value, fixed, checksum FROM choices WHERE key = ?", key)
        with self._understanding(f"the choice {key!r}"):
            found = json.loads(self._intact(rows[0], f"the choice {key!r}")[1]) if rows else None
            return check_plan(found) if key == PLAN and found is not None else found

    def choices(self, prefix: str) -> dict[str, Any]:
        """Choices that were fixed for this study under keys that begin so, by key."""
        rows = self._rows(
            "SELECT key, value, fixed, checksum FROM choices WHERE substr(key, 1, ?) = ?",
            len(prefix),
            prefix,
        )
        with self._understanding("a choice"):
            found = (self._intact(row, f"the choice {row[0]!r}") for row in rows)
            return {key: json.loads(value) for key, value, _ in found}

    def fix_choice(self, key: str, value: Any) -> None:
        """Fix something for the whole study, before its first run.

        Args:
            key: Its name.
            value: Anything that JSON can hold, but None.

        Raises:
            StudyError: Something else was fixed under this name.
        """
        text = as_json(value)
        with self._writing():
            known = self.choice(key)
            if known is None:
                self._insert_choice(key, text)
            elif known != json.loads(text):
                raise StudyError(
                    f"{self.path} has {key} fixed as {as_json(known)}, got {text}; "
                    "use another study file for the other choice"
                )

    def _insert_choice(self, key: str, text: str) -> None:
        row = (key, text, datetime.now(UTC).isoformat())
        self._insert("choices", (*row, checksum(*row)))

    def add_run(
        self,
        name: str,
        seed: Seed,
        record: RunRecord,
        *,
        ended_at: datetime,
        code: int | None = None,
        commit: Commit | None = None,
    ) -> int:
        """Store a run, whole or not at all.

        Args:
            name: Name of its setup, which the study must have.
            seed: Its seed.
            record: What training handed back; its `targets` and `examples` are not looked at.
            ended_at: When it ended, with its time zone.
            code: The number of the code that made it; None where that is not known.
            commit: The commit of that code; None without one.

        Returns:
            The id of the run.

        Raises:
            RunExists: The study has a finished or diverged run of this setup and seed.
            UnknownName: The study has no such setup.
            StudyError: The logits or scores are of another number of examples than the study's,
                or the logits of fewer classes.
        """
        numbers = (seed.init, seed.order, seed.augment)
        head, body = head_columns(record, ended_at), body_columns(record)
        logits = None if record.logits is None else logits_row(record.logits)
        with self._writing():
            setup = self._setup_id(name)
            if record.state != "failed":
                self._refuse_second(setup, numbers, f"setup {name!r} with seed {seed}")
            if record.logits is not None:
                self._check_shape(record.logits.shape, name, seed)
            self._check_scores(record.scores, f"the run of setup {name!r} with seed {seed}")
            place = self._environment_id(as_json(dict(record.made_by)))
            values = (setup, *numbers, *head, place, *body)
            run = self._insert("runs", (None, *values, checksum(*values)))
            self._keep_origin(run, code, commit)
            if logits is not None:
                *shape, data = logits
                first, *more = (data[at : at + _PART] for at in range(0, max(1, len(data)), _PART))
                self._insert("logits", (run, *shape, checksum(run, *shape, first), first))
                for part, piece in enumerate(more, start=1):
                    total = checksum(run, part, piece)
                    self._insert("more_logits", (None, run, part, total, piece))
            self._insert_scores(run, record.scores)
        return run

    def runs(self, setup: str | None = None) -> list[StoredRun]:
        """The stored runs, in the order in which they were stored; logits stay where they are.

        Args:
            setup: Only the runs of the setup of this name.

        Raises:
            UnknownName: The study has no such setup.
        """
        chosen = () if setup is None else (self._setup_id(setup),)
        return self._found("WHERE setup = ?" if chosen else "", *chosen)

    def _found(self, where: str, *values: int) -> list[StoredRun]:
        names = dict(self._rows("SELECT id, name FROM setups"))
        machines = self._environments()
        rows = self._rows(
            "SELECT id, setup, init, ord, augment, state, seconds, ended, environment, error, "
            f"metrics, epochs, views, checksum FROM runs {where} ORDER BY id",
            *values,
        )
        digests, predicted = self._digests(where, *values), self._predicted()
        scored = self._scored()
        found = list[StoredRun]()
        for run, *rest in rows:
            with self._understanding(f"run {run}"):
                number, *columns = self._intact(rest, f"run {run}")
                name, made_by = names[number], machines[columns[6]]
                about = (digests.get(run), scored.get(run, {}))
                found.append(run_from_row(run, columns, name, made_by, *about))
                self._check_views(found[-1], predicted)
        return found

    def _predicted(self) -> tuple[int, int] | None:
        """Examples and classes of the dataset; None without one."""
        rows = self._rows("SELECT examples, classes FROM dataset")
        with self._understanding("the dataset"):
            return (rows[0][0], len(json.loads(rows[0][1]))) if rows else None

    def _check_views(self, run: StoredRun, predicted: tuple[int, int] | None) -> None:
        """Refuse logits of other views or examples than the run and the study have.

        Of classes there may be more than the targets have, as `add_run` takes them.
        """
        views, *shape = run.digest[:3] if run.digest else (0, *(predicted or ()))
        fits = not predicted or (shape[0] == predicted[0] and shape[1] >= predicted[1])
        if views != len(run.views) or not fits:
            raise StudyError(
                f"{self.path} is damaged: the logits of run {run.id} is not what was stored "
                f"({views} views of {shape}); restore the file from a copy"
            )

    def _digests(self, where: str, *values: int) -> dict[int, tuple[int, ...]]:
        """A digest of each run's logits, from their checksums: the logits are not read."""
        of_runs = f"WHERE run IN (SELECT id FROM runs {where})"
        rows = self._rows(
            "SELECT run, views, examples, classes, length(data), checksum FROM logits " + of_runs,
            *values,
        )
        with self._understanding("the predictions"):
            found = {
                run: (*shape, sum_without(total, (run, *shape), length))
                for run, *shape, length, total in rows
            }
            if self._keeps_scores:  # then there may be parts too
                rows = self._rows(
                    f"SELECT run, part, length(data), checksum FROM more_logits {of_runs} "
                    "ORDER BY run, part",
                    *values,
                )
                for run, part, length, total in rows:
                    *shape, before = found[run]
                    piece = sum_without(total, (run, part), length)
                    found[run] = (*shape, sum_joined(before, piece, length))
        return found

    def logits(self, run_ids: Sequence[int]) -> Float16[ndarray, "runs views examples classes"]:
        """The logits of some runs.

        Args:
            run_ids: `StoredRun.id` of each.

        Returns:
            Their logits in the same order; (0, 0, 0, 0) for no runs.

        Raises:
            StudyError: A run has none, their shapes differ, or stored logits are damaged.
        """
        found = np.empty((0, 0, 0, 0), np.float16)
        for place, run in enumerate(run_ids):
            rows = self._rows(
                "SELECT views, examples, classes, data, checksum FROM logits WHERE run = ?", run
            )
            if not rows:
                raise StudyError(f"run {run} of {self.path} has no logits")
            with self._understanding(f"the logits of run {run}"):
                *shape, data = self._intact(rows[0], f"the logits of run {run}", run)
                logits = logits_from_row((*shape, self._whole(run, data)))
            if place == 0:
                found = np.empty((len(run_ids), *logits.shape), np.float16)
            if logits.shape != found.shape[1:]:
                raise StudyError(
                    f"run {run} of {self.path} has logits of another shape than run "
                    f"{run_ids[0]}: {logits.shape}, {found.shape[1:]}; compare them apart"
                )
            found[place] = logits
        return found

    def views(self, run_id: int) -> tuple[str, ...]:
        """Names of the views of a run's logits; empty where the run has none.

        Args:
            run_id: `StoredRun.id`.
        """
        return next((run.views for run in self._found("WHERE id = ?", run_id)), ())

    def _whole(self, run: int, first: bytes) -> bytes:
        """The logits of a run, put together where they take several rows."""
        if len(first) < _PART:
            return first
        rows = self._rows(
            "SELECT run, part, data, checksum FROM more_logits WHERE run = ? ORDER BY part", run
        )
        more = (self._intact(row, f"the logits of run {run}")[2] for row in rows)
        return b"".join((first, *more))

    def _refuse_second(self, setup: int, numbers: tuple[int, int, int], what: str) -> None:
        rows = self._rows(
            "SELECT id, state FROM runs WHERE setup = ? AND init = ? AND ord = ? AND augment = ? "
            "AND state != 'failed'",
            setup,
            *numbers,
        )
        if rows:
            run, state = rows[0]
            raise RunExists(
                f"{self.path} has a {state} run of {what} already (run {run}); runs never change"
            )

    def _check_shape(self, shape: tuple[int, ...], name: str, seed: Seed) -> None:
        rows = self._rows("SELECT examples, classes FROM dataset")
        if not rows:
            return
        examples, classes = rows[0][0], len(json.loads(rows[0][1]))
        what = f"the run of setup {name!r} with seed {seed}"
        if shape[1] != examples:
            raise StudyError(
                f"{what} has predictions for {shape[1]} examples, but {self.path} was made with "
                f"{examples}; predict the same examples"
            )
        if shape[2] < classes:
            raise StudyError(
                f"{what} predicts {shape[2]} classes, but the targets of {self.path} have "
                f"{classes}; predict the same classes"
            )


def _described(record: DatasetRecord) -> str:
    return f"{record.name}, split {record.split}, fingerprint {record.fingerprint[:12]}"
