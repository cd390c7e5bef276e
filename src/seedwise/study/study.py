"""The Study that people hold: a study file, and what can be done with it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

from seedwise.comparison import (
    Comparison,
    NullComparisons,
    RepeatComparison,
    Summary,
    Variance,
    compare,
    summarise,
    variance,
)
from seedwise.comparison.nulls import Judge
from seedwise.data import Split, default_split
from seedwise.errors import ConfigError
from seedwise.seeds import Seed
from seedwise.setups import BUILT_IN, Setup
from seedwise.store import Store
from seedwise.study.events import DataProgress, Event, Finished, Planned, Watch
from seedwise.study.keeping import dataset_of, stored_event
from seedwise.study.local import LocalExecutor
from seedwise.study.nulls import Nulls
from seedwise.study.orders import Orders, Place
from seedwise.study.plan import Plan, SeedsLike, as_seeds
from seedwise.study.repeat import repeat_run, stored_result
from seedwise.study.runner import DataReference, load_function

__all__ = ["Study"]


class Study:
    """Runs of several setups, kept in one file.

    Opening a study writes nothing; the file is made by the first `run`. Every method opens the
    file and closes it again, so that a Study may be kept as long as one likes.

    Args:
        path: The study file; made by the first run.
        dataset: Name of a known dataset, or a path to a folder of images or an archive. Needed by
            the built-in training; a study that exists remembers it.
        split: Which images validate: a name (`v1`, `v2`, `page`, `shipped`) or
            `{"per_class": 250, "seed": 1234}`; None takes the dataset's own.
        source: Where the dataset's folder or archive lies, if not in the cache.
        cache: Where downloads and decoded pixels are kept; None takes the user's cache folder.

    >>> study = Study("mine.db", dataset="imagenette", split="page")
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        dataset: str | None = None,
        split: str | Mapping[str, int] | Split | None = None,
        source: str | PathLike[str] | None = None,
        cache: str | PathLike[str] | None = None,
    ) -> None:
        self.path = Path(path)
        self._dataset = dataset
        self._split = None if split is None else Split.of(split)
        self._source = None if source is None else Path(source)
        self._cache = None if cache is None else Path(cache)

    def run(
        self,
        setups: Mapping[str, Setup],
        *,
        seeds: SeedsLike,
        executor: str = "local",
        jobs: int | None = None,
        device: str = "auto",
        watch: Watch | None = None,
    ) -> Summary:
        """Make the runs that are missing: each setup with each seed.

        Each run is stored as soon as it ends. Whatever ends this call, the runs that were stored
        stay, and the same call makes the others.

        Args:
            setups: The setups by name.
            seeds: A number n for seeds 0 to n - 1, or the seeds.
            executor: Where runs are made; `local` is this machine.
            jobs: Runs side by side; None chooses.
            device: `auto`, `cpu` or `cuda`.
            watch: Told of all that happens, in this thread.

        Returns:
            The summary of the whole study, runs of earlier calls included.

        Raises:
            ConfigError: No setup, no dataset for the built-in training, an unknown executor, or a
                training function that cannot be loaded.
            StudyError: The file is no study, was made with other data, or has another setup under
                one of the names.
        """
        tell = watch or _ignore
        if executor != "local":
            raise ConfigError(f"executor must be local, got {executor!r}")
        if not setups:
            raise ConfigError("a study needs at least one setup, got none")
        wanted = as_seeds(seeds)
        for name in {setup.train for setup in setups.values()}:
            load_function(name)
        with Store.open(self.path, create=True) as store:
            references = self._references(store, setups.values(), tell)
            for name, setup in setups.items():
                store.add_setup(name, setup)
            stored = {(run.setup, run.seed) for run in store.runs() if run.state != "failed"}
            plan = Plan.of(tuple(setups), wanted, stored=stored)
            tell(Planned(setups=tuple(setups), wanted=len(plan.runs), stored=plan.stored))
            if plan.missing:
                place = Place.of(store, setups.values(), device, jobs, runs=len(plan.missing))
                orders = Orders(plan.missing, setups, references, place)
                machine = LocalExecutor(workers=place.workers, share=place.device == "cuda")
                _make(store, orders, machine, tell)
            return summarise(store)

    def summary(self) -> Summary:
        """What the study holds: for each setup the runs, their means and standard deviations."""
        with Store.open(self.path, readonly=True) as store:
            return summarise(store)

    def compare(
        self,
        a: str,
        b: str,
        *,
        metric: str = "accuracy",
        confidence: float = 0.95,
    ) -> Comparison:
        """Setup B against setup A, from the runs that are stored.

        Args:
            a: Name of the setup to compare with.
            b: Name of the setup that is compared.
            metric: Name of the metric.
            confidence: Coverage of the intervals, in (0, 1).
        """
        with Store.open(self.path, readonly=True) as store:
            return compare(store, a, b, metric=metric, confidence=confidence)

    def variance(self, setup: str) -> Variance:
        """Where the run-to-run noise of a setup comes from, as far as its stored runs can tell.

        Args:
            setup: Name of the setup.
        """
        with Store.open(self.path, readonly=True) as store:
            return variance(store, setup)

    def repeat(
        self,
        setup: str,
        seed: int | tuple[int, int, int] | Seed,
        *,
        device: str = "auto",
        watch: Watch | None = None,
    ) -> RepeatComparison:
        """Train a stored run again, keep the repeat beside it, and compare the two.

        Args:
            setup: Name of the setup.
            seed: Seed of the run.
            device: `auto`, `cpu` or `cuda`; auto takes what the run was made on.
            watch: Told of all that happens, in this thread.

        Raises:
            UnknownName: The study has no such setup.
            StudyError: It has no finished or diverged run with this seed, the data are others
                than the run's, or the repeat failed.
        """
        tell = watch or _ignore
        with Store.open(self.path) as store:
            run = stored_result(store, setup, Seed.of(seed))
            trained = store.setups()[setup]
            references = self._references(store, [trained], tell)
            return repeat_run(store, run, trained, references, device=device, watch=tell)

    def null_comparisons(
        self,
        setup: str,
        *,
        comparisons: int = 20,
        runs: int = 5,
        alpha: float = 0.05,
        judge: Judge | None = None,
        store: str | PathLike[str] | None = None,
        jobs: int | None = None,
        device: str = "auto",
        watch: Watch | None = None,
    ) -> NullComparisons:
        """Compare a setup with itself, many times over, and count how often a verdict objects.

        Trains the setup and its twin (learning rate x 1.0001) on disjoint sets of seeds, in a
        study file of their own; stopped at any moment, the same call goes on.

        Args:
            setup: Name of the setup.
            comparisons: Sets of seeds.
            runs: Seeds in each.
            alpha: Rate of false alarms of the usual judge.
            judge: Says whether two sets of runs differ; None takes the t test of accuracy (or
                of the first metric that the training returns).
            store: The study file for these runs; None puts it beside this one, as STUDY-aa.db.
            jobs: As in `run`.
            device: As in `run`.
            watch: As in `run`.
        """
        nulls = Nulls.of(self.path, setup, comparisons=comparisons, runs=runs, store=store)
        study = Study(
            nulls.path,
            dataset=nulls.dataset,
            split=nulls.split,
            source=self._source,
            cache=self._cache,
        )
        study.run(nulls.setups, seeds=nulls.seeds, jobs=jobs, device=device, watch=watch)
        return nulls.judged(judge, alpha=alpha)

    def _references(
        self, store: Store, setups: Iterable[Setup], tell: Watch
    ) -> Mapping[int | None, DataReference]:
        """A reference for each size of cached pixels, opened once so that the cache is there."""
        sizes = {setup.pixels for setup in setups if setup.train == BUILT_IN}
        if not sizes:
            return {}
        known = store.dataset()
        dataset = self._dataset or (known.name if known else None)
        if dataset is None:
            raise ConfigError(
                "the built-in training needs a dataset; give one, e.g. dataset='imagenette'"
            )
        split = self._split or (Split.from_json(known.split) if known else default_split(dataset))
        references = {
            pixels: DataReference(
                dataset=dataset,
                split=split,
                source=self._source,
                cache=self._cache,
                pixels=pixels,
            )
            for pixels in sizes
        }
        for reference in references.values():
            data = reference.open(
                lambda what, done, total: tell(DataProgress(what=what, done=done, total=total))
            )
            store.set_dataset(data.record())
        return references


def _make(store: Store, orders: Orders, executor: LocalExecutor, tell: Watch) -> None:
    """Make what is ordered, and store each run as soon as it ends."""
    counts = Counter[str]()
    with closing(executor.run(orders.take, tell)) as outcomes:
        for job, record in outcomes:
            if record.targets is not None:
                store.set_dataset(dataset_of(record.targets, job))
            store.add_run(job.name, job.seed, record, ended_at=datetime.now(UTC))
            counts[record.state] += 1
            if record.state == "failed":
                orders.again(job)
            tell(stored_event(job, record))
    tell(Finished(stored=counts["finished"] + counts["diverged"], failed=counts["failed"]))


def _ignore(event: Event) -> None:
    """Nobody watches."""
