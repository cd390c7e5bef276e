"""Many runs at once, which were there before: stored together, or none of them."""

import sqlite3
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import datetime

from seedwise.errors import RunExists
from seedwise.records import RunRecord
from seedwise.seeds import Seed
from seedwise.store.naming import Naming
from seedwise.store.rows import as_json, body_columns, head_columns
from seedwise.store.schema import checksum

__all__ = ["RunBatches"]


class RunBatches(Naming):
    """The part of `Store` that takes many runs at once."""

    @contextmanager
    def together(self) -> Generator[None]:
        """Store all that is written inside, or nothing of it.

        A run that was just made is safe on the disk before the next one, which takes some
        milliseconds each. Runs that were already stored, as those of an import, need not be.
        """
        with self._writing():
            self._together = True
            try:
                yield
            finally:
                self._together = False

    def add_results(
        self, runs: Iterable[tuple[str, Seed, RunRecord]], *, ended_at: datetime
    ) -> None:
        """Store runs that have metrics only, all of them or none.

        Args:
            runs: Name of the setup, seed and record of each, without logits, scores or epochs.
            ended_at: When they are said to have ended, with its time zone.

        Raises:
            RunExists: The study has a finished or diverged run of one of these setups and seeds.
            UnknownName: The study has no such setup.
        """
        setups, environments = dict[str, int](), dict[tuple[object, ...], int]()

        def rows() -> Generator[tuple[object, ...]]:
            for name, seed, record in runs:
                assert record.logits is None
                made_by = tuple(record.made_by.items())
                if name not in setups:
                    setups[name] = self._setup_id(name)
                if made_by not in environments:
                    environments[made_by] = self._environment_id(as_json(dict(made_by)))
                values = (
                    *(setups[name], seed.init, seed.order, seed.augment),
                    *head_columns(record, ended_at),
                    environments[made_by],
                    *body_columns(record),
                )
                yield None, *values, checksum(*values)

        with self._writing():
            marks = ", ".join("?" * 14)
            try:
                self._connection.executemany(f"INSERT INTO runs VALUES ({marks})", rows())
            except sqlite3.IntegrityError:
                raise RunExists(
                    f"{self.path} has a run of one of these setups and seeds already, stored "
                    "meanwhile; the same command again sees it"
                ) from None
