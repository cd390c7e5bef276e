"""The setups of a study by name, and those that were dropped."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from seedwise.errors import StudyError, UnknownName
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store.base import Tables
from seedwise.store.rows import as_json
from seedwise.store.schema import checksum
from seedwise.store.shapes import moment, texts

__all__ = ["Dropped", "Naming"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A setup that was dropped: its runs are in the file, and count in nothing.

    Attributes:
        label: The name under which its runs can be looked at.
        name: The name that it had, which is free.
        at: When it was dropped, in UTC.
    """

    label: str
    name: str
    at: datetime


class Naming(Tables):
    """The part of `Store` that keeps setups."""

    def add_setup(self, name: str, setup: Setup) -> None:
        """Give a setup its name in this study. The same again changes nothing.

        Raises:
            StudyError: Another setup has the name.
        """
        with self._writing():
            known = self.setups().get(name)
            if known is None:
                row = (name, setup.key, setup.to_json())
                self._insert("setups", (None, *row, checksum(*row)))
            elif known != setup:
                changes = ", ".join(
                    f"{field} {was!r} there, {now!r} here"
                    for field, (was, now) in known.differences(setup).items()
                )
                raise StudyError(
                    f"setup {name!r} is another in {self.path}: {changes}; "
                    "give the new one another name"
                )

    def setups(self) -> dict[str, Setup]:
        """The setups by name, in the order in which they were added; dropped ones by label."""
        rows = self._rows("SELECT name, key, setup, checksum FROM setups ORDER BY id")
        with self._understanding("a setup"):
            found = (self._intact(row, f"setup {row[0]!r}") for row in rows)
            return {name: Setup.from_json(text) for name, _, text in found}

    def replace_setup(self, name: str, setup: Setup) -> None:
        """Put a setup in the place of one that trains the same, under another function's name.

        Raises:
            UnknownName: The study has no such setup.
        """
        with self._writing():
            row = (name, setup.key, setup.to_json())
            self._connection.execute(
                "UPDATE setups SET key = ?, setup = ?, checksum = ? WHERE id = ?",
                (*row[1:], checksum(*row), self._setup_id(name)),
            )

    def drop_setup(self, name: str) -> str:
        """Set a setup and its runs aside, and free its name.

        Returns:
            The label under which its runs can be looked at.

        Raises:
            UnknownName: The study has no such setup.
            StudyError: It was dropped already.
        """
        with self._writing():
            setups, number = self.setups(), self._setup_id(name)
            if any(dropped.label == name for dropped in self.dropped()):
                raise StudyError(f"{name!r} of {self.path} is a setup that was dropped already")
            count = 1
            while f"{name}~{count}" in setups:
                count += 1
            setup = setups[name]
            row = (f"{name}~{count}", setup.key, setup.to_json())
            self._connection.execute(
                "UPDATE setups SET name = ?, checksum = ? WHERE id = ?",
                (row[0], checksum(*row), number),
            )
            said = (number, name, datetime.now(UTC).isoformat())
            self._insert("dropped", (None, *said, checksum(*said)))
        return row[0]

    def dropped(self) -> list[Dropped]:
        """The setups that were dropped, in that order."""
        if not self._keeps_code:
            return []
        names = dict(self._rows("SELECT id, name FROM setups"))
        rows = self._rows("SELECT setup, name, at, checksum FROM dropped ORDER BY id")
        with self._understanding("a dropped setup"):
            found = (self._intact(row, f"the dropped setup {row[1]!r}") for row in rows)
            return [
                Dropped(label=names[setup], name=name, at=moment(at)) for setup, name, at in found
            ]

    def ask(self, name: str, seeds: Sequence[Seed]) -> None:
        """Keep that a setup is to be trained with these seeds, to know what is missing.

        Raises:
            UnknownName: The study has no such setup.
        """
        with self._writing():
            row = (self._setup_id(name), as_json(list(map(str, seeds))))
            known = self._rows("SELECT seeds FROM asked WHERE setup = ? ORDER BY id", row[0])
            if not known or known[-1][0] != row[1]:
                said = (*row, datetime.now(UTC).isoformat())
                self._insert("asked", (None, *said, checksum(*said)))

    def asked(self) -> dict[str, frozenset[Seed]]:
        """The seeds that were asked for last, by setup, where that is known."""
        if not self._rows("SELECT 1 FROM sqlite_schema WHERE name = 'asked'"):
            return {}  # a file of an older format that is only read
        names = dict(self._rows("SELECT id, name FROM setups"))
        rows = self._rows("SELECT setup, seeds, at, checksum FROM asked ORDER BY id")
        with self._understanding("the seeds that were asked for"):
            found = (self._intact(row, "the seeds that were asked for") for row in rows)
            return {
                names[setup]: frozenset(map(Seed.parse, texts(json.loads(seeds))))
                for setup, seeds, _ in found
            }

    def _setup_id(self, name: str) -> int:
        rows = self._rows("SELECT id FROM setups WHERE name = ?", name)
        if not rows:
            raise UnknownName("setup", name, self.setups())
        return rows[0][0]
