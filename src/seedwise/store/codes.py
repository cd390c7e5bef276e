"""The code that runs were made by, and the commits of it."""

import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from seedwise.code.git import Commit
from seedwise.code.parts import Code
from seedwise.store.naming import Naming
from seedwise.store.rows import as_json
from seedwise.store.schema import checksum
from seedwise.store.shapes import unpacked

__all__ = ["Codes", "StoredCode"]

_MOST_TEXT = 2_000_000
"""Letters of source text that one code may add to a study; of what goes beyond, digests tell."""


Accepted = Literal["first", "layout", "said"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCode:
    """A code of a setup.

    Attributes:
        id: Its number in the study.
        code: The code.
        accepted: How it came: `first` of its setup, the same but for `layout`, or `said` to train
            the same.
    """

    id: int
    code: Code
    accepted: str


class Codes(Naming):
    """The part of `Store` that keeps what code made the runs."""

    def add_code(self, setup: str, code: Code, *, accepted: Accepted) -> int:
        """Keep a code of a setup, with its source texts.

        Returns:
            Its number.

        Raises:
            UnknownName: The study has no such setup.
        """
        with self._writing():
            said = (self._setup_id(setup), as_json(code.to_json()), accepted)
            row = (*said, datetime.now(UTC).isoformat())
            number = self._insert("codes", (None, *row, checksum(*row)))
            left = _MOST_TEXT
            for digest, text in sorted(code.texts.items(), key=lambda item: len(item[1])):
                left -= len(text)
                if left >= 0 and not self._rows(
                    "SELECT 1 FROM code_texts WHERE digest = ?", digest
                ):
                    packed = zlib.compress(text.encode(errors="backslashreplace"))
                    self._insert("code_texts", (None, digest, packed, checksum(digest, packed)))
        return number

    def settle_code(self, number: int, code: Code) -> None:
        """Keep which values of a code changed as runs were made."""
        with self._writing():
            ((setup, accepted, since),) = self._rows(
                "SELECT setup, accepted, since FROM codes WHERE id = ?", number
            )
            row = (setup, as_json(code.to_json()), accepted, since)
            self._connection.execute(
                "UPDATE codes SET parts = ?, checksum = ? WHERE id = ?",
                (row[1], checksum(*row), number),
            )

    def codes(self, setup: str) -> list[StoredCode]:
        """The codes of a setup, in the order in which they came.

        Raises:
            UnknownName: The study has no such setup.
        """
        number = self._setup_id(setup)
        if not self._keeps_code:
            return []
        texts = self._code_texts()
        rows = self._rows(
            "SELECT id, setup, parts, accepted, since, checksum FROM codes WHERE setup = ? "
            "ORDER BY id",
            number,
        )
        found = list[StoredCode]()
        with self._understanding(f"the code of setup {setup!r}"):
            for id_, *rest in rows:
                _, parts, accepted, _ = self._intact(rest, f"code {id_}")
                code = Code.from_json(json.loads(parts), texts)
                found.append(StoredCode(id=id_, code=code, accepted=accepted))
        return found

    def commits(self) -> dict[int, Commit]:
        """The commit that each run was made at, by the run's id, where it is known."""
        if not self._keeps_code:
            return {}
        rows = self._rows("SELECT run, revision, dirty, checksum FROM run_commits ORDER BY id")
        with self._understanding("a commit"):
            found = (self._intact(row, f"the commit of run {row[0]}") for row in rows)
            return {
                run: Commit(id=str(id_), dirty=None if dirty is None else bool(dirty))
                for run, id_, dirty in found
            }

    def _code_texts(self) -> dict[str, str]:
        rows = self._rows("SELECT digest, text, checksum FROM code_texts")
        with self._understanding("a source text"):
            found = (self._intact(row, f"the source text {row[0]}") for row in rows)
            return {digest: unpacked(text).decode() for digest, text in found}

    def _keep_origin(self, run: int, code: int | None, commit: Commit | None) -> None:
        """Keep what made a run, within the transaction that stores it."""
        if code is not None:
            self._insert("run_codes", (None, run, code, checksum(run, code)))
        if commit is not None:
            dirty = None if commit.dirty is None else int(commit.dirty)
            row = (run, commit.id, dirty)
            self._insert("run_commits", (None, *row, checksum(*row)))
