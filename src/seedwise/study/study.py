"""The Study that people hold: a study file, and what can be done with it."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Literal

from jaxtyping import Int64
from numpy import ndarray

from seedwise.comparison import (
    Comparison,
    Rule,
    Summary,
    TargetComparison,
    compare,
    compare_several,
    compare_with_target,
    summarise,
)
from seedwise.comparison.beforehand import PLAN, changed_rule, fixed_rule, plan_of
from seedwise.comparison.planning import Planning, Question, plan_from_pilot
from seedwise.comparison.values import keep_metric_values
from seedwise.data import Split, default_split
from seedwise.errors import ConfigError, StudyError
from seedwise.records import DatasetRecord, RunRecord
from seedwise.seeds import Seed
from seedwise.setups import BUILT_IN, Setup
from seedwise.stats.multiplicity import Correction
from seedwise.store import Store
from seedwise.study.events import DataProgress, Event, Finished, Planned, RunStored, Watch
from seedwise.study.local import LocalExecutor
from seedwise.study.orders import Orders, Place
from seedwise.study.plan import Plan, SeedsLike, as_seeds
from seedwise.study.runner import DataReference, Job, load_function

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
        rule: Rule | None = None,
        executor: str = "local",
        jobs: int | None = None,
        device: str = "auto",
        watch: Watch | None = None,
    ) -> Summary:
        """Make the runs that are missing: each setup with each seed.

        Each run is stored as soon as it ends. Whatever ends this call, the runs that were stored
        stay, and the same call makes the others. The first call fixes, before any run is made,
        the setups, the seeds and the rule that verdicts are held to: a verdict on others is
        labelled exploratory.

        Args:
            setups: The setups by name.
            seeds: A number n for seeds 0 to n - 1, or the seeds.
            rule: How verdicts are to be reached; None takes the usual rule.
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
            _fix_plan(store, tuple(setups), wanted, rule)
            stored = {(run.setup, run.seed) for run in store.runs() if run.state != "failed"}
            plan = Plan.of(tuple(setups), wanted, stored=stored)
            tell(Planned(setups=tuple(setups), wanted=len(plan.runs), stored=plan.stored))
            if plan.missing:
                place = Place.of(store, setups.values(), device, jobs, runs=len(plan.missing))
                orders = Orders(plan.missing, setups, references, place)
                machine = LocalExecutor(workers=place.workers, share=place.device == "cuda")
                _make(store, orders, machine, tell)
            keep_metric_values(store)
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
        metric: str | None = None,
        margin: float | None = None,
        confidence: float | None = None,
        paired: bool | None = None,
    ) -> Comparison:
        """Setup B against setup A, from the runs that are stored.

        What is None is as it was fixed before the first run, else as usual.

        Args:
            a: Name of the setup to compare with.
            b: Name of the setup that is compared.
            metric: The metric that decides, e.g. `accuracy`, `smoothed_accuracy:beta=10`, one that
                the runs returned, or `module:function`. Usually matched accuracy, for the sign
                only, with accuracy agreeing.
            margin: The largest difference of accuracy, as a fraction, that does not matter.
            confidence: Coverage of the intervals, in (0, 1). Usually 0.95.
            paired: Compare runs of the same seed with each other. Usually where most seeds are
                shared.
        """
        with Store.open(self.path, readonly=True) as store:
            return compare(store, a, b, _rule(store, metric, margin, confidence, paired))

    def compare_several(
        self,
        setups: Sequence[str] = (),
        *,
        against: Literal["first", "all"] = "first",
        correction: Correction = "holm",
        metric: str | None = None,
        margin: float | None = None,
        confidence: float | None = None,
        paired: bool | None = None,
    ) -> tuple[Comparison, ...]:
        """Several setups compared, with p-values corrected for their number.

        Args:
            setups: Their names, the baseline first; none for all of the study in their order.
            against: Each with the first, or every pair.
            correction: `holm` for verdicts, `bh` (Benjamini-Hochberg) for a screening.
            metric: As in `compare`, and so are the others.
            margin: As in `compare`.
            confidence: As in `compare`.
            paired: As in `compare`.
        """
        with Store.open(self.path, readonly=True) as store:
            rule = _rule(store, metric, margin, confidence, paired)
            names = tuple(setups) or tuple(store.setups())
            return compare_several(store, names, rule, against=against, correction=correction)

    def compare_with_target(
        self,
        setup: str,
        target: float,
        *,
        metric: str | None = None,
        confidence: float | None = None,
    ) -> TargetComparison:
        """One setup against a fixed number, e.g. an accuracy of 0.835.

        Args:
            setup: Name of the setup.
            target: The number, in the metric's units, taken as exact.
            metric: The metric that it is of; usually accuracy.
            confidence: As in `compare`.
        """
        with Store.open(self.path, readonly=True) as store:
            rule = _rule(store, metric, None, confidence, None)
            return compare_with_target(store, setup, target, rule)

    def plan(
        self,
        *setups: str,
        differences: Iterable[float] = Question().differences,
        runs: int | None = None,
        margin: float | None = None,
        power: float = 0.8,
        alpha: float = 0.05,
    ) -> Planning:
        """How many runs a difference needs, with the stored runs as a pilot.

        Args:
            setups: One setup, or the two that are to be compared.
            differences: True differences to be shown; of accuracy as fractions.
            runs: A number of runs of each setup, to be told what difference it can show.
            margin: Margin of equivalence, as a fraction of accuracy.
            power: The chance of showing a difference that is there.
            alpha: Rate of false alarms.
        """
        question = Question(
            differences=tuple(differences), runs=runs, margin=margin, wanted=power, alpha=alpha
        )
        with Store.open(self.path, readonly=True) as store:
            return plan_from_pilot(store, setups, question)

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


def _fix_plan(
    store: Store, setups: Sequence[str], seeds: Sequence[Seed], rule: Rule | None
) -> None:
    """Keep what verdicts will be held to, if this is before the first run."""
    if store.choice(PLAN) is None and not store.runs():
        store.fix_choice(PLAN, plan_of(setups, seeds, rule or Rule()))
        return
    changes = changed_rule(fixed_rule(store), rule or fixed_rule(store))
    if changes:
        raise StudyError(
            f"{store.path} has runs under another rule of verdict: {'; '.join(changes)}; use "
            "another study file, or give it when comparing: that verdict is exploratory"
        )


def _rule(
    store: Store,
    metric: str | None,
    margin: float | None,
    confidence: float | None,
    paired: bool | None,
) -> Rule:
    """The rule that was fixed, with what is said instead."""
    said = {"metric": metric, "margin": margin, "confidence": confidence, "paired": paired}
    given = {name: value for name, value in said.items() if value is not None}
    return replace(fixed_rule(store), **given)


def _make(store: Store, orders: Orders, executor: LocalExecutor, tell: Watch) -> None:
    """Make what is ordered, and store each run as soon as it ends."""
    counts = Counter[str]()
    with closing(executor.run(orders.take, tell)) as outcomes:
        for job, record in outcomes:
            if record.targets is not None:
                store.set_dataset(_dataset_of(record.targets, job))
            store.add_run(job.name, job.seed, record, ended_at=datetime.now(UTC))
            counts[record.state] += 1
            if record.state == "failed":
                orders.again(job)
            tell(_stored(job, record))
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
