"""The Study that people hold: a study file, and what can be done with it."""

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedwise import data as images
from seedwise.comparison import Comparison, Summary, compare, run_table, summarise
from seedwise.data import Split, default_split
from seedwise.errors import ConfigError, MissingPackage
from seedwise.records import RunRecord
from seedwise.setups import BUILT_IN, Setup
from seedwise.store import Store
from seedwise.study.events import DataProgress, Event, Finished, Planned, RunStored, Watch
from seedwise.study.functions import SetupLike, as_setups, only_here
from seedwise.study.local import LocalExecutor
from seedwise.study.orders import Orders, Place
from seedwise.study.plan import Plan, SeedsLike, as_seeds
from seedwise.study.runner import DataReference, Job, load_function
from seedwise.study.targets import as_targets, dataset_of, keep_targets

if TYPE_CHECKING:
    from pandas import DataFrame

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
        targets: Class of each example that the user's own functions predict, if they do not return
            it themselves; a study that exists remembers it.

    Raises:
        ConfigError: Both a dataset and targets are given.
        DataError: The targets are no class numbers.

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
        targets: Any = None,
    ) -> None:
        if dataset is not None and targets is not None:
            raise ConfigError("give a study a dataset or targets, not both; a dataset has its own")
        self.path = Path(path)
        self._dataset = dataset
        self._split = None if split is None else Split.of(split)
        self._source = None if source is None else Path(source)
        self._cache = None if cache is None else Path(cache)
        self._targets = None if targets is None else as_targets(targets)

    def run(
        self,
        setups: Mapping[str, SetupLike],
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
            setups: The setups by name. Instead of a setup there may be a function of one argument,
                the run's `Seed`, that returns `{"predictions": logits, "targets": classes}`,
                metrics by name, or one number; see `study.functions` for what tells two apart.
            seeds: A number n for seeds 0 to n - 1, or the seeds.
            executor: Where runs are made; `local` is this machine.
            jobs: Runs side by side; None chooses, and makes one of the user's functions at a time.
                More than one is done in processes, which import the functions by name.
            device: `auto`, `cpu` or `cuda`.
            watch: Told of all that happens, in this thread. Without it, runs that failed are told
                by a warning.

        Returns:
            The summary of the whole study, runs of earlier calls included.

        Raises:
            ConfigError: No setup, no dataset for the built-in training, an unknown executor, or a
                training function that cannot be called, loaded, or run in another process.
            MissingPackage: A setup's loader needs a package that is not installed.
            StudyError: The file is no study, was made with other data, or has another setup under
                one of the names.
        """
        tell = watch or _Complain()
        if executor != "local":
            raise ConfigError(f"executor must be local, got {executor!r}")
        if not setups:
            raise ConfigError("a study needs at least one setup, got none")
        wanted = as_seeds(seeds)
        functions, setups = only_here(setups), as_setups(setups)
        if functions:
            jobs = _one_job(functions, jobs)
        for name in {setup.train for name, setup in setups.items() if name not in functions}:
            load_function(name)
        for loader in _named_loaders(setups.values()):
            images.choose_loader(loader, device="cpu")
        with Store.open(self.path, create=True) as store:
            references = self._references(store, setups.values(), tell)
            if self._targets is not None:
                store.set_dataset(dataset_of(self._targets, source="given to the study"))
            for name, setup in setups.items():
                store.add_setup(name, setup)
            stored = {(run.setup, run.seed) for run in store.runs() if run.state != "failed"}
            plan = Plan.of(tuple(setups), wanted, stored=stored)
            tell(Planned(setups=tuple(setups), wanted=len(plan.runs), stored=plan.stored))
            if plan.missing:
                place = Place.of(store, setups.values(), device, jobs, runs=len(plan.missing))
                orders = Orders(plan.missing, setups, references, place, functions)
                # Functions of users' may use global generators, which threads would share.
                built_in = all(setup.train == BUILT_IN for setup in setups.values())
                share = place.device == "cuda" and built_in
                machine = LocalExecutor(workers=place.workers, share=share)
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

    def runs(self) -> "DataFrame":
        """Every stored run as a row of a pandas DataFrame.

        Columns: `setup`, the three seeds, `state`, `seconds`, `ended_at` (UTC), every metric
        (accuracies as fractions; NaN where a run has none), and `error`.

        Raises:
            MissingPackage: pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise MissingPackage("pandas", "Study.runs()", extra="pandas") from None
        with Store.open(self.path, readonly=True) as store:
            table = run_table(store)
        return pandas.DataFrame(table.rows, columns=list(table.columns))

    def __repr__(self) -> str:
        return f"Study({str(self.path)!r})"

    def _repr_html_(self) -> str | None:
        """What a notebook shows: the summary, once there is something."""
        return self.summary()._repr_html_() if self.path.exists() else None

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


def _named_loaders(setups: Iterable[Setup]) -> set[str]:
    """The loaders that the built-in training is told to use, `auto` aside."""
    return {setup.loader for setup in setups if setup.train == BUILT_IN} - {"auto"}


def _make(store: Store, orders: Orders, executor: LocalExecutor, tell: Watch) -> None:
    """Make what is ordered, and store each run as soon as it ends."""
    counts = Counter[str]()
    with closing(executor.run(orders.take, tell)) as outcomes:
        for job, record in outcomes:
            keep_targets(store, record, source=f"returned by {job.setup.train}")
            store.add_run(job.name, job.seed, record, ended_at=datetime.now(UTC))
            counts[record.state] += 1
            if record.state == "failed":
                orders.again(job)
            tell(_stored(job, record))
    tell(Finished(stored=counts["finished"] + counts["diverged"], failed=counts["failed"]))


def _one_job(functions: Iterable[str], jobs: int | None) -> int:
    """One run at a time, in this process, for functions that only this process has."""
    if jobs not in (None, 1):
        raise ConfigError(
            f"jobs={jobs} needs functions that other processes can import, but the one of setup "
            f"{next(iter(functions))!r} is a lambda, a partial or a notebook's; put it in a "
            "module as a plain function, or leave jobs out"
        )
    return 1


def _stored(job: Job, record: RunRecord) -> RunStored:
    """The event that says that a run is in the file, with its figures as far as it has some."""
    figures = dict(record.metrics)
    if record.epochs and record.state == "finished":
        last = record.epochs[-1]
        figures |= {"accuracy": last.accuracy, "smoothed_accuracy": last.smoothed_accuracy}
    return RunStored(
        setup=job.name,
        seed=job.seed,
        state=record.state,
        seconds=record.seconds,
        metrics=figures,
        error=record.error,
    )


class _Complain:
    """Watches where nobody else does, and warns of what would else be found out late."""

    def __init__(self) -> None:
        self._error: str | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStored) and event.state == "failed":
            self._error = f"setup {event.setup!r} with seed {event.seed}: {event.error}"
        if isinstance(event, Finished) and event.failed:
            tries = "1 try" if event.failed == 1 else f"{event.failed} tries"
            # stacklevel: the line of the user's that called Study.run
            warnings.warn(f"{tries} failed; the last was {self._error}", stacklevel=4)
