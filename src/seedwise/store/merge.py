"""Several study files put together in a new one."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seedwise.code.difference import changes
from seedwise.code.parts import Code
from seedwise.errors import StudyError
from seedwise.seeds import Seed
from seedwise.store.files import DAMAGE, connect, faults, transaction
from seedwise.store.place import anew
from seedwise.store.plans import (
    BANK,
    FOLDS_KEPT,
    PLAN,
    VIEWS_KEPT,
    PlannedPart,
    changed,
    joined,
)
from seedwise.store.rows import as_json
from seedwise.store.schema import checksum
from seedwise.store.shapes import unpacked
from seedwise.store.tables import SqlTable, rows_of, tables_of

__all__ = ["Conflicts", "merge_studies"]

_THINGS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "asked": (("setup", "seeds"), ()),
        "choices": (("key",), ("value",)),
        "code_texts": (("digest",), ()),
        "codes": (("setup", "parts"), ()),
        "dataset": ((), ("fingerprint", "split", "targets")),
        "dropped": (("setup",), ()),
        "environments": (("made_by",), ()),
        "examples": ((), ("examples", "names", "groups")),
        "scores": (("run", "metric"), ("examples", "kind", "data")),
        "run_codes": (("run",), ()),
        "run_commits": (("run",), ()),
        "setups": (("name",), ("setup",)),
        "study": ((), ()),
    }
)
"""Table -> the columns that say which thing a row is, and those in which two rows of one thing
must agree: what a clock says may differ, and the first file's is kept."""

_RESULT = (("setup", "init", "ord", "augment"), ("state", "metrics", "views"))
"""The same for finished and diverged runs. A failed try is its whole content."""


class Conflicts(StudyError):
    """Studies hold different things under one name.

    Attributes:
        conflicts: The things, a line each.
    """

    def __init__(self, conflicts: Sequence[str]) -> None:
        super().__init__(f"not merged, nothing was written: {'; '.join(conflicts)}")
        self.conflicts = tuple(conflicts)


def merge_studies(paths: Sequence[Path], target: Path) -> Mapping[str, int]:
    """Put what several studies hold into a new one; the studies stay as they are.

    A run that several have is there once. Runs get new numbers, in the order of the files. Plans
    of the same setups and rule are joined: verdicts on the whole are held to the seeds of all.

    Args:
        paths: The studies, of this seedwise's format.
        target: A file that does not exist.

    Returns:
        Number of rows of the new file, by table.

    Raises:
        Conflicts: Two of them have another setup under one name, other predictions for one run,
            another dataset or other views of it, or were begun with other choices, or with
            another rule of verdict;
            the runs of some are folds of cross-validations, and those of others are not.
        StudyError: A study cannot be used or is damaged, or `target` exists or cannot be written.
    """
    with (
        anew(target, *paths) as work,
        faults(target),
        closing(connect(work, create=True, readonly=False)) as new,
        transaction(new),
    ):
        merger = _Merger(new)
        for path in paths:
            with faults(path), closing(connect(path, create=False, readonly=True)) as old:
                merger.add(path, old)
        merger.keep_folds_apart()
        merger.keep_views_apart()
        merger.join_plans()
        if merger.conflicts:
            raise Conflicts(merger.conflicts)
        counts = {
            table.name: new.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]
            for table in tables_of(new)
            if not table.cache
        }
    return counts


class _Merger:
    """A new file, and what studies have in common with what is in it already."""

    def __init__(self, new: sqlite3.Connection) -> None:
        self._new = new
        new.execute("DELETE FROM study")  # the first file's stands for all
        self.conflicts: list[str] = []
        self._parts: list[PlannedPart] = []
        self._folds: dict[Path, bool] = {}  # of the files with runs
        self._views: dict[Path, str | None] = {}  # of the files with a dataset

    def add(self, path: Path, old: sqlite3.Connection) -> None:
        """Add what a study holds and this does not."""
        self._note_kinds(path, old)
        self._compare_codes(path, old)
        numbers: dict[str, dict[int, int]] = {}
        for table in tables_of(old):
            if table.cache:
                continue
            numbers[table.name] = {}
            for row in rows_of(old, table):
                if row.values is None or not row.whole:
                    raise StudyError(
                        f"{path} is damaged ({table.name} {row.number}); "
                        f"`seedwise check {path} --repair NEW.db` first"
                    )
                values = dict(row.values)
                for column, parent in table.parents.items():
                    values[column] = numbers[parent].get(values[column])
                if None in (values[column] for column in table.parents):
                    continue  # it belongs to something in conflict, which is told
                if values.get("key") == PLAN:
                    self._parts += _parts(path, values, old)
                number = self._place(path, table, values)
                if number is not None:
                    numbers[table.name][row.number] = number
        self._add_computed(old, numbers["runs"])

    def _add_computed(self, old: sqlite3.Connection, runs: Mapping[int, int]) -> None:
        """Add what was computed of runs, as far as it is whole: the rest is computed again."""
        for table in (each for each in tables_of(old) if each.cache):
            content = _content(table)
            insert = (
                f"INSERT OR IGNORE INTO {table.name} ({', '.join(content)}, checksum) "
                f"VALUES ({', '.join('?' * (len(content) + 1))})"
            )
            for values in _whole(old, table):
                if values["run"] in runs:
                    moved = {**values, "run": runs[values["run"]]}
                    self._new.execute(insert, (*moved.values(), checksum(*moved.values())))

    def _note_kinds(self, path: Path, old: sqlite3.Connection) -> None:
        """Note of what kind a study's runs are, where the others' have to be of the same."""
        said = dict(old.execute("SELECT key, value FROM choices"))
        if old.execute("SELECT 1 FROM runs WHERE state != 'failed'").fetchone():
            self._folds[path] = FOLDS_KEPT in said
        if old.execute("SELECT 1 FROM dataset").fetchone():
            self._views[path] = said.get(VIEWS_KEPT)

    def _place(self, path: Path, table: SqlTable, values: dict[str, Any]) -> int | None:
        """The number that a row has in the new file, once it is there; None for a conflict."""
        which, agree = _identity(table, values)
        found = self._found(table, which, values)
        if found is None:
            return self._insert(table, values)
        number, there = found
        if values.get("key") == PLAN:  # plans that differ are joined, but for their rule
            difference = changed(there["value"], values["value"])
            if difference is not None:
                self.conflicts.append(f"{path}: the rule of its verdicts differs: {difference}")
        elif any(values[column] != there[column] for column in agree):
            self.conflicts.append(
                f"{path}: {self._thing(table, values)} differs from the one before"
            )
            return None
        return number

    def keep_folds_apart(self) -> None:
        """Refuse runs beside folds: the new file could only call all of them folds, or none."""
        for path, folds in self._folds.items():
            if not folds and any(self._folds.values()):
                self.conflicts.append(f"{path}: its runs are no folds of a cross-validation")

    def keep_views_apart(self) -> None:
        """Refuse the notebook's two views beside more: nothing is kept where there are two."""
        for path, views in self._views.items():
            if views is None and any(self._views.values()):
                self.conflicts.append(f"{path}: its runs have two views of each image, not more")

    def _compare_codes(self, path: Path, old: sqlite3.Connection) -> None:
        """Find setups that other code made here than in the studies before."""
        before, here = _codes(self._new), _codes(old)
        for name in before.keys() & here.keys():
            found = [changes(was, now) for was in before[name] for now in here[name]]
            if all(found):
                parts = ", ".join(change.name for change in found[-1])
                self.conflicts.append(
                    f"{path}: setup {name!r} was made by other code than before ({parts})"
                )

    def join_plans(self) -> None:
        """Put what the studies fixed beforehand together, once all have been added."""
        if self.conflicts or len(self._parts) < 2:
            return
        fixed = max(part.fixed for part in self._parts).isoformat()
        row = (PLAN, as_json(joined(self._parts)), fixed)
        self._new.execute(
            "UPDATE choices SET value = ?, fixed = ?, checksum = ? WHERE key = ?",
            (*row[1:], checksum(*row), PLAN),
        )

    def _found(
        self, table: SqlTable, which: Sequence[str], values: Mapping[str, Any]
    ) -> tuple[int, Mapping[str, Any]] | None:
        """The row of the new file that stands for the same thing."""
        conditions = [f"{column} IS ?" for column in which]
        if which == _RESULT[0]:
            conditions.append("state != 'failed'")
        columns = ", ".join(table.columns)
        row = self._new.execute(
            f"SELECT rowid, {columns} FROM {table.name} WHERE {' AND '.join(conditions) or '1'}",
            [values[column] for column in which],
        ).fetchone()
        return None if row is None else (row[0], dict(zip(table.columns, row[1:], strict=True)))

    def _insert(self, table: SqlTable, values: dict[str, Any]) -> int:
        values.pop("id", None)  # the next number is given
        values["checksum"] = checksum(*(values[column] for column in _content(table)))
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        inserted = self._new.execute(
            f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", list(values.values())
        )
        assert inserted.lastrowid is not None
        return inserted.lastrowid

    def _thing(self, table: SqlTable, values: Mapping[str, Any]) -> str:
        """Words for the thing that a row stands for."""
        if table.owner == "runs" and table.number is not None:
            run = self._new.execute(
                "SELECT setup, init, ord, augment FROM runs WHERE id = ?", (values[table.number],)
            ).fetchone()
            return f"what was predicted by {self._run(*run)}"
        if table.name == "repeat_logits":
            return "what was predicted by a repeat"
        if table.name == "scores":
            run = self._new.execute(
                "SELECT setup, init, ord, augment FROM runs WHERE id = ?", (values["run"],)
            ).fetchone()
            return f"{values['metric']} of each example in {self._run(*run)}"
        if table.name == "examples":
            return "names and groups of the examples"
        if table.name == "runs":
            return self._run(*(values[column] for column in _RESULT[0]))
        name = values.get("name", values.get("key"))
        return table.name.removesuffix("s") + ("" if name is None else f" {name!r}")

    def _run(self, setup: int, init: int, order: int, augment: int) -> str:
        (name,) = self._new.execute("SELECT name FROM setups WHERE id = ?", (setup,)).fetchone()
        seed = Seed(init=init, order=order, augment=augment)
        return f"the run of setup {name!r} with seed {seed}"


def _identity(
    table: SqlTable, values: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns that say which thing a row is, and columns in which rows of it must agree."""
    if table.owner is not None:
        assert table.number is not None
        return (table.number,), tuple(each for each in _content(table) if each != table.number)
    if table.name == "runs" and values["state"] != "failed":
        return _RESULT
    return _THINGS.get(table.name, (_content(table), ()))


def _whole(study: sqlite3.Connection, table: SqlTable) -> Iterator[Mapping[str, Any]]:
    """The rows of a cache that are what was stored; up to a bad page, where there is one."""
    content = _content(table)
    with suppress(*DAMAGE):
        rows = study.execute(f"SELECT {', '.join(content)}, checksum FROM {table.name}")
        for *values, total in rows:
            if total == checksum(*values):
                yield dict(zip(content, values, strict=True))


def _codes(study: sqlite3.Connection) -> Mapping[str, Sequence[Code]]:
    """The codes of each setup of a study; of one without, or of an older format, none."""
    if not any(table.name == "codes" for table in tables_of(study)):
        return {}
    texts = {
        digest: unpacked(text).decode()
        for digest, text in study.execute("SELECT digest, text FROM code_texts")
    }
    found = dict[str, list[Code]]()
    for name, parts in study.execute(
        "SELECT name, parts FROM codes JOIN setups ON setups.id = codes.setup"
    ):
        found.setdefault(name, []).append(Code.from_json(json.loads(parts), texts))
    return found


def _parts(path: Path, choice: Mapping[str, Any], old: sqlite3.Connection) -> list[PlannedPart]:
    """Plan that a study fixed beforehand; none where no seedwise wrote it."""
    (ended,) = old.execute(
        "SELECT min(ended) FROM runs JOIN environments ON environments.id = runs.environment "
        f"WHERE state != 'failed' AND json_extract(made_by, '$.{BANK}') IS NULL"
    ).fetchone()  # results of a bank were there before any part was planned
    try:
        part = PlannedPart(
            name=path.name,
            plan=json.loads(choice["value"]),
            fixed=datetime.fromisoformat(choice["fixed"]),
            first_result=None if ended is None else datetime.fromisoformat(ended),
        )
        return [part] if {"setups", "seeds", "rule"} <= set(part.plan) else []
    except (ValueError, TypeError):
        return []


def _content(table: SqlTable) -> tuple[str, ...]:
    """The columns that a row's checksum is over."""
    return tuple(column for column in table.columns if column not in ("id", "checksum"))
