"""A study's runs, read once at the door: which are a sample, how they pair, and their metrics."""

import math
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from numpy import ndarray

from seedwise.comparison.aside import Aside
from seedwise.comparison.copies import with_own_scores
from seedwise.crops import usual_views
from seedwise.errors import StudyError
from seedwise.records import DatasetRecord, Examples
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.shaped import Float, Float16, Int64
from seedwise.stats.blocks import Logits, Targets
from seedwise.stats.groups import Groups
from seedwise.store import FOLDS_KEPT, PLAN, Store, StoredRepeat, StoredRun, StudyFacts

__all__ = [
    "BETTER",
    "CALLED",
    "FOLDS_KEPT",
    "LARGE",
    "TASK",
    "StudyRuns",
    "all_have_logits",
    "metrics_of_all",
    "metrics_of_any",
    "places_of_results",
    "results_by_seed",
    "shared_rows",
]


def shared_rows(
    a: Iterable[Seed], b: Iterable[Seed]
) -> tuple[Int64[ndarray, " pairs"], Int64[ndarray, " pairs"]]:
    """Places in two lists of seeds of those that are in both, in the order of the first list.

    This is how runs pair: whatever compares runs of the same seed takes the rows from here.

    >>> rows = shared_rows(map(Seed.of, (0, 1, 2)), map(Seed.of, (2, 0, 5)))
    >>> [row.tolist() for row in rows]
    [[0, 2], [1, 0]]
    """
    row_b = {seed: row for row, seed in enumerate(b)}
    pairs = [(row, row_b[seed]) for row, seed in enumerate(a) if seed in row_b]
    rows_a, rows_b = np.array(pairs, np.int64).reshape(-1, 2).T
    return rows_a, rows_b


def results_by_seed(runs: Iterable[StoredRun]) -> Mapping[Seed, StoredRun]:
    """The finished and diverged runs of one setup by their seed."""
    return {run.seed: run for run in runs if run.state != "failed"}


def places_of_results(runs: Iterable[StoredRun]) -> Set[tuple[str, Seed]]:
    """Setup and seed of each run that finished or diverged: those that need no other try."""
    return {(run.setup, run.seed) for run in runs if run.state != "failed"}


def all_have_logits(runs: Iterable[StoredRun | StoredRepeat]) -> bool:
    """True if each of some finished runs or repeats has its predictions; also of none."""
    return all(run.has_logits for run in runs)


def metrics_of_any(runs: Iterable[StoredRun]) -> Set[str]:
    """Names of the metrics that at least one of some runs came with, finite or not."""
    return {name for run in runs for name in (*run.metrics, *run.not_finite)}


def metrics_of_all(runs: Iterable[StoredRun]) -> Set[str]:
    """Names of the metrics of which each of some runs came with a finite value."""
    return set.intersection(*named) if (named := [set(run.metrics) for run in runs]) else set()


CALLED = "called"
"""The choice under which a study keeps what its examples are called."""

BETTER = "better:"
"""Prefix of the choices under which a study keeps stated directions."""

TASK = "task:"
"""The beginning of the choices that say of which task the metrics named "task/metric" are."""

_ROUNDING = 1e-9
"""By what share of the largest score a stored metric may differ from the mean of the scores."""

_AT_ONCE = 256
"""Runs whose logits are in memory together: 256 of 5,000 predictions are 26 MB."""

LARGE = 8_000_000
"""Bytes of logits from which what they say of each example is kept in the file, at a few per cent
of their size: 50,000 predictions of 1,000 classes take 3 s of a core under four metrics."""


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
        self._values = dict[str, dict[int, float]]()

    @classmethod
    @contextmanager
    def open(cls, path: str | PathLike[str]) -> Generator[Self]:
        """The runs of a study file, which is only read.

        Raises:
            StudyError: There is no such file, it is not a study, or it cannot be read.
        """
        with Store.open(path, readonly=True) as store:
            yield cls(store)

    @property
    def path(self) -> Path:
        """The study file."""
        return self._store.path

    @cached_property
    def facts(self) -> StudyFacts:
        """Time at which the file was made, and version of the program that made it."""
        return self._store.facts

    @cached_property
    def setups(self) -> Mapping[str, Setup]:
        """The setups by name, in the order in which they were added, but the dropped ones."""
        labels = self.aside.labels
        return {name: each for name, each in self._store.setups().items() if name not in labels}

    @cached_property
    def aside(self) -> Aside:
        """Every run, with what says which stand aside: of dropped setups, or at a commit."""
        found = tuple(with_own_scores(self._store, self._store.runs()))
        for run in found:
            if not all(map(math.isfinite, run.metrics.values())):
                raise StudyError(f"{self.path} is damaged: a metric of run {run.id} is infinite")
        return Aside(runs=found, dropped=self._store.dropped(), commits=self._store.commits())

    @cached_property
    def all(self) -> tuple[StoredRun, ...]:
        """The runs of all setups but the dropped ones, in the order in which they were stored."""
        labels = self.aside.labels
        return tuple(run for run in self.aside.runs if run.setup not in labels)

    @cached_property
    def by_setup(self) -> Mapping[str, Sequence[StoredRun]]:
        """The runs of each setup, those without any included."""
        groups = {name: list[StoredRun]() for name in self.setups}
        for run in self.all:
            groups[run.setup].append(run)
        return groups

    def of(self, setup: str) -> Sequence[StoredRun]:
        """The runs of a setup, in the order in which they were stored.

        Args:
            setup: Its name; or the label of one that was dropped, or `NAME@COMMIT` for those of
                its runs that were made at a commit.

        Raises:
            UnknownName: The study has no such setup.
        """
        if setup in self.by_setup:
            return self.by_setup[setup]
        return self.aside.of(setup, self.by_setup)

    def setup_of(self, name: str) -> Setup:
        """The setup of runs that `of` gives under a name."""
        known = self._store.setups()
        return known[name] if name in known else known[self.aside.base(name)]

    def wanted(self, setups: Collection[str], seeds: Collection[Seed]) -> Sequence[StoredRun]:
        """The runs of some setups and seeds; no seeds stand for all of them."""
        inside = (run for run in self.all if run.setup in setups)
        return [run for run in inside if not seeds or run.seed in seeds]

    @cached_property
    def dataset(self) -> DatasetRecord | None:
        """The validation examples; None for a study of plain metrics."""
        found = self._store.dataset()
        if found is not None and not _fits(found):
            raise StudyError(
                f"{self.path} is damaged: its examples have other names, classes or targets"
            )
        return found

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
        """Plan that was fixed before the first run; None if there is none."""
        return self._store.choice(PLAN)

    @cached_property
    def test_to_train(self) -> float:
        """Of folds of cross-validations, test examples for each training example; 0 for others."""
        folds = self._store.choice(FOLDS_KEPT)
        ratio = folds.get("test_to_train") if isinstance(folds, dict) else None
        if folds is not None and not (isinstance(ratio, int | float) and 0 < ratio < math.inf):
            raise StudyError(f"{self.path} is damaged: its folds cannot be understood")
        return float(ratio) if ratio else 0.0

    @cached_property
    def stated(self) -> Mapping[str, str]:
        """The directions that the file keeps, by metric: `lower` or `higher`."""
        found = self._store.choices(BETTER)
        if not all(value in ("lower", "higher") for value in found.values()):
            raise StudyError(f"{self.path} is damaged: it states an unknown direction")
        return {key.removeprefix(BETTER): value for key, value in found.items()}

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The tasks of a suite: each run has a metric "task/metric" for those that it was run on.

        A run of a suite is a setup with one seed on all tasks: what one seed gives in two tasks
        may depend on one another, and statistics are told so by finding both in one run.
        """
        return tuple(key.removeprefix(TASK) for key in self._store.choices(TASK))

    @cached_property
    def called(self) -> str:
        """Name of the examples, as a plural: as given, or by what they are."""
        said = self._store.choice(CALLED)
        if said is not None and not isinstance(said, str):
            raise StudyError(f"{self.path} is damaged: the name of its examples is not text")
        return said or ("images" if self.dataset and self.dataset.of_files else "examples")

    @cached_property
    def examples(self) -> Examples | None:
        """Names and groups of the examples; None if none were given."""
        found, known = self._store.examples(), self.dataset
        if found and known and found.count != len(known.targets):
            raise StudyError(f"{self.path} is damaged: it has two numbers of examples")
        return found

    @cached_property
    def example_names(self) -> tuple[str, ...]:
        """A name for each example of a study without a dataset; its number where it has none."""
        if self.examples and self.examples.names:
            return self.examples.names
        return tuple(f"#{place}" for place in range(self._store.scored_examples() or 0))

    @cached_property
    def groups(self) -> Groups | None:
        """The groups of the examples; None where they have none."""
        known = self.examples
        return Groups.of(known.groups) if known and known.groups else None

    def scores(
        self, metric: str, runs: Sequence[StoredRun]
    ) -> Float[ndarray, "runs examples"] | None:
        """The score of each example that some runs came with; None where one came without.

        Raises:
            StudyError: They are of different numbers of examples, or not those of the metric.
        """
        found = self._store.scores(metric, [run.id for run in runs])
        if found is not None:
            values = [run.metrics.get(metric, math.inf) for run in runs]
            apart = np.abs(found.mean(axis=1, dtype=np.float64) - values).max()
            if not apart <= _ROUNDING * max(1, np.abs(found).max()):
                raise StudyError(f"{self.path} is damaged: {metric} is not the mean of its scores")
        return found

    def logits(
        self, runs: Sequence[StoredRun], *, views: int | None = None
    ) -> Float16[ndarray, "runs views examples classes"]:
        """The logits of some runs from the file, of the first so many views or of `usual_views`.

        Raises:
            StudyError: A run has none, or they differ in shape.
        """
        found = self._store.logits([run.id for run in runs])
        return found[:, : views or max((usual_views(run.views) for run in runs), default=0)]

    def repeats(self, runs: Sequence[StoredRun]) -> list[StoredRepeat]:
        """The repeats of some runs, in the order in which they were stored."""
        return self._store.repeats([run.id for run in runs])

    def repeat_logits(self, repeat: StoredRepeat, *, views: int | None = None) -> Logits:
        """The logits of a repeat, read from the file; as `logits`."""
        return self._store.repeat_logits(repeat.id)[: views or usual_views(repeat.views)]

    def kept_values(self, metric: str) -> Mapping[int, float]:
        """The values of a metric that are known already, by run id."""
        if metric not in self._values:
            kept = self._store.metric_values(metric, [run.id for run in self.all])
            self._values[metric] = dict(kept)
        return self._values[metric]

    def keep_values(self, metric: str, values: Mapping[int, float]) -> None:
        """Keep values of a metric, in the file too if it may be written."""
        if metric in self._values:
            self._values[metric].update(values)
        self._store.put_metric_values(metric, values)

    def kept_scores(self, score: str, run: StoredRun) -> ndarray | None:
        """Scores of a run's examples that the file keeps under a name; None for none."""
        return self._store.run_scores(score, run.id) if self.large(run) else None

    def keep_scores(self, run: StoredRun, scores: Mapping[str, ndarray]) -> None:
        """Keep what a run's logits say of each example, if they are large and the file is ours."""
        if self.large(run):
            self._store.put_run_scores(run.id, scores)

    def large(self, run: StoredRun) -> bool:
        """True if a run's logits take so long to read that results of them are kept."""
        return self._bytes(run) > LARGE

    def chunks(self, runs: Sequence[StoredRun]) -> Iterator[Sequence[StoredRun]]:
        """Runs, as many at a time as memory should hold the logits of."""
        at_once = max(1, min(_AT_ONCE, LARGE * 8 // max(map(self._bytes, runs), default=1)))
        for start in range(0, len(runs), at_once):
            yield runs[start : start + at_once]

    def _bytes(self, run: StoredRun) -> int:
        """Approximate size of a run's logits."""
        known = self.dataset
        return 2 * len(run.views) * len(known.targets) * len(known.classes) + 1 if known else 1


def _fits(dataset: DatasetRecord) -> bool:
    """True if each example has a name, and a target among the classes."""
    targets, classes = dataset.targets, len(dataset.classes)
    there = len(targets) == len(dataset.names) > 0
    return there and bool(targets.min() >= 0 and targets.max() < classes)
