"""The Study that people hold: a study file, and what can be done with it."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from os import PathLike
from pathlib import Path

from jaxtyping import Int64
from numpy import ndarray

from seedwise.comparison import (
    Comparison,
    Stop,
    StoppingRule,
    Summary,
    compare,
    decisions,
    summarise,
)
from seedwise.data import Split, default_split
from seedwise.errors import ConfigError, UnknownName
from seedwise.records import DatasetRecord, RunRecord
from seedwise.setups import BUILT_IN, Setup
from seedwise.stats.sequential import Decision
from seedwise.store import Store
from seedwise.study.events import DataProgress, Event, Finished, RunStored, Watch
from seedwise.study.local import LocalExecutor
from seedwise.study.orders import ListedOrders, Orders, Place, as_job
from seedwise.study.plan import Plan, SeedsLike, as_seeds, fix_seeds
from seedwise.study.runner import DataReference, Job, load_function
from seedwise.study.stopping import StoppingOrders, most_runs

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
        seeds: SeedsLike | None = None,
        until: Stop | None = None,
        baseline: str | None = None,
        executor: str = "local",
        jobs: int | None = None,
        device: str = "auto",
        watch: Watch | None = None,
    ) -> Summary:
        """Make the runs that are missing: each setup with each seed, or until all is decided.

        Each run is stored as soon as it ends. Whatever ends this call, the runs that were stored
        stay, and the same call makes the others.

        Args:
            setups: The setups by name.
            seeds: A number n for seeds 0 to n - 1, or the seeds.
            until: When to stop, instead of seeds. The rule is kept in the study before the first
                run and cannot change afterwards; `decisions` tells what it says.
            baseline: Name of the setup that `until` compares the others with; None for the first.
            executor: Where runs are made; `local` is this machine.
            jobs: Runs side by side; None chooses.
            device: `auto`, `cpu` or `cuda`.
            watch: Told of all that happens, in this thread.

        Returns:
            The summary of the whole study, runs of earlier calls included.

        Raises:
            ConfigError: No setup, neither or both of `seeds` and `until`, no dataset for the
                built-in training, an unknown executor, or a training function that cannot be
                loaded.
            StudyError: The file is no study, was made with other data, has another setup under
                one of the names, or was begun without this stopping rule.
        """
        tell = watch or _ignore
        if executor != "local":
            raise ConfigError(f"executor must be local, got {executor!r}")
        if not setups:
            raise ConfigError("a study needs at least one setup, got none")
        if (seeds is None) == (until is None):
            both = "neither" if seeds is None else "both"
            raise ConfigError(f"give either seeds=10 or until=Stop(difference=0.005), got {both}")
        rule = None if until is None else _rule(until, setups, baseline)
        wanted = () if seeds is None else as_seeds(seeds)
        for name in {setup.train for setup in setups.values()}:
            load_function(name)
        with Store.open(self.path, create=True) as store:
            if rule is None:
                fix_seeds(store, wanted)
            else:
                rule.fix(store)
            references = self._references(store, setups.values(), tell)
            for name, setup in setups.items():
                store.add_setup(name, setup)
            stored = {(run.setup, run.seed) for run in store.runs() if run.state != "failed"}
            plan = Plan.of(tuple(setups), wanted, stored=stored)
            planned = plan.as_event() if rule is None else most_runs(store, rule)
            tell(planned)
            if planned.missing:
                place = Place.of(store, setups.values(), device, jobs, runs=planned.missing)
                job = partial(as_job, setups=setups, references=references, place=place)
                if rule is None:
                    orders: Orders = ListedOrders(map(job, plan.missing))
                else:
                    orders = StoppingOrders(store, rule, job, tell, workers=place.workers)
                machine = LocalExecutor(workers=place.workers, share=place.device == "cuda")
                _make(store, orders, machine, tell)
            return summarise(store)

    def decisions(self) -> Mapping[str, Decision]:
        """What the study's stopping rule says of each candidate; empty for a study without one."""
        with Store.open(self.path, readonly=True) as store:
            rule = StoppingRule.of(store)
            return {} if rule is None else decisions(store, rule)

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


def _rule(until: Stop, setups: Iterable[str], baseline: str | None) -> StoppingRule:
    """The rule for some setups: the others against the baseline, or against the first."""
    first, *_ = setups
    base = baseline or first
    if base not in setups:
        raise UnknownName("setup", base, setups)
    return StoppingRule(
        stop=until, baseline=base, candidates=tuple(name for name in setups if name != base)
    )


def _make(store: Store, orders: Orders, executor: LocalExecutor, tell: Watch) -> None:
    """Make what is ordered, and store each run as soon as it ends."""
    counts = Counter[str]()
    with closing(executor.run(orders.take, tell)) as outcomes:
        for job, record in outcomes:
            if record.targets is not None:
                store.set_dataset(_dataset_of(record.targets, job))
            store.add_run(job.name, job.seed, record, ended_at=datetime.now(UTC))
            counts[record.state] += 1
            tell(_stored(job, record))
            orders.ended(job, record.state)
    tell(Finished(stored=counts["finished"] + counts["diverged"], failed=counts["failed"]))


def _dataset_of(targets: Int64[ndarray, " examples"], job: Job) -> DatasetRecord:
    """What can be said of a dataset of which only the targets are known."""
    digest = hashlib.sha256(targets.astype("<i8").tobytes()).hexdigest()
    return DatasetRecord(
        name=f"returned by {job.setup.train}",
        fingerprint=digest,
        split=Split(name="shipped").to_json(),
        classes=tuple(str(i) for i in range(int(targets.max()) + 1)),
        names=tuple(f"example {i}" for i in range(len(targets))),
        targets=targets,
    )


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


def _ignore(event: Event) -> None:
    """Nobody watches."""
