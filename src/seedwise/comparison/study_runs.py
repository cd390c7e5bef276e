"""A study's runs, read once at the door: what all comparisons and reports of one call look at."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Self, final

from jaxtyping import Float16
from numpy import ndarray

from seedwise.errors import StudyError, UnknownName
from seedwise.records import DatasetRecord
from seedwise.setups import Setup
from seedwise.stats.scores import Targets
from seedwise.store import PLAN, Store, StoredRepeat, StoredRun, StudyFacts

__all__ = ["BETTER", "StudyRuns"]

BETTER = "better:"
"""What the choices begin with under which a study keeps stated directions."""


@final
class StudyRuns:
    """The runs of a study, its data and its plan, as they were when this was made.

    Rows are read once, when they are first asked for; logits are too large for that, and come
    from the file each time. The store must stay open meanwhile.

    Args:
        store: The open study.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    @contextmanager
    def open(cls, path: str | PathLike[str]) -> Generator[Self]:
        """The runs of a study file, which is only read.

        Raises:
            StudyError: There is no such file, it is no study, or it cannot be read.
        """
        with Store.open(path, readonly=True) as store:
            yield cls(store)

    @property
    def path(self) -> Path:
        """The study file."""
        return self._store.path

    @cached_property
    def facts(self) -> StudyFacts:
        """When the file was made, and by which version of the program."""
        return self._store.facts

    @cached_property
    def setups(self) -> Mapping[str, Setup]:
        """The setups by name, in the order in which they were added."""
        return self._store.setups()

    @cached_property
    def all(self) -> tuple[StoredRun, ...]:
        """Every run, in the order in which they were stored."""
        return tuple(self._store.runs())

    @cached_property
    def by_setup(self) -> Mapping[str, Sequence[StoredRun]]:
        """The runs of each setup, those without any included."""
        groups: dict[str, list[StoredRun]] = {name: [] for name in self.setups}
        for run in self.all:
            groups[run.setup].append(run)
        return groups

    def of(self, setup: str) -> Sequence[StoredRun]:
        """The runs of a setup, in the order in which they were stored.

        Raises:
            UnknownName: The study has no such setup.
        """
        if setup not in self.by_setup:
            raise UnknownName("setup", setup, self.by_setup)
        return self.by_setup[setup]

    @cached_property
    def dataset(self) -> DatasetRecord | None:
        """The validation examples; None for a study of plain metrics."""
        return self._store.dataset()

    @cached_property
    def targets(self) -> Targets:
        """The class of each validation example.

        Raises:
            StudyError: The study has none.
        """
        if self.dataset is None:
            raise StudyError(f"{self.path} has logits but no targets; give the study its targets")
        return self.dataset.targets

    @cached_property
    def plan(self) -> Mapping[str, Any] | None:
        """What was fixed before the first run; None where nothing was."""
        return self._store.choice(PLAN)

    @cached_property
    def stated(self) -> Mapping[str, str]:
        """The directions that the file keeps, by metric: `lower` or `higher`."""
        found = self._store.choices(BETTER)
        return {key.removeprefix(BETTER): value for key, value in found.items()}

    def logits(self, runs: Sequence[StoredRun]) -> Float16[ndarray, "runs views examples classes"]:
        """The logits of some runs, read from the file.

        Raises:
            StudyError: A run has none, or they differ in shape.
        """
        return self._store.logits([run.id for run in runs])

    def repeats(self, runs: Sequence[StoredRun]) -> list[StoredRepeat]:
        """The repeats of some runs, in the order in which they were stored."""
        return self._store.repeats([run.id for run in runs])

    def repeat_logits(self, repeat: StoredRepeat) -> Float16[ndarray, "views examples classes"]:
        """The logits of a repeat, read from the file."""
        return self._store.repeat_logits(repeat.id)

    def kept_values(self, metric: str, run_ids: Iterable[int]) -> Mapping[int, float]:
        """The values of a metric that the file keeps, by run id."""
        return self._store.metric_values(metric, run_ids)

    def keep_values(self, metric: str, values: Mapping[int, float]) -> None:
        """Keep values of a metric in the file, if it may be written."""
        self._store.put_metric_values(metric, values)
