"""Orders for an executor: the missing runs as jobs, and the place that makes them."""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from seedwise.executors.base import Executor, Place
from seedwise.executors.functions import TrainingFunction
from seedwise.executors.job import Job
from seedwise.executors.tasks import SuiteTask
from seedwise.records import RunRecord
from seedwise.seeds import Seed
from seedwise.setups import AUTO, BUILT_IN, Setup
from seedwise.store import Store
from seedwise.study.targets import References

__all__ = ["ListedOrders", "Orders", "Wanted", "as_job", "missing_runs", "place_of"]

_TRIES = 2
"""Tries of a run that fails, in one call; the next call tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A run that is asked for, by the name of its setup."""

    setup: str
    seed: Seed


def missing_runs(
    setups: Sequence[str], seeds: Sequence[Seed], *, stored: Collection[tuple[str, Seed]]
) -> tuple[Wanted, ...]:
    """Each setup with each seed, less those that are `stored`, in the order in which to make them.

    The order goes seed by seed through all setups, so that a study that is stopped early holds
    complete pairs.

    >>> runs = missing_runs(["a", "b"], [Seed.of(0), Seed.of(1)], stored={("a", Seed.of(0))})
    >>> [f"{run.setup}{run.seed}" for run in runs]
    ['b0', 'a1', 'b1']
    """
    return tuple(
        Wanted(setup=setup, seed=seed)
        for seed in seeds
        for setup in setups
        if (setup, seed) not in stored
    )


def place_of(
    store: Store, setups: Sequence[Setup], device: str, executor: Executor, *, runs: int
) -> Place:
    """The place that the executor's machines offer, kept to what the study began with."""
    jobs, built_in = executor.workers, [setup.train == BUILT_IN for setup in setups]
    if not any(built_in):
        cards = executor.cards_for_functions(device=device, runs=runs)
        workers = sum(card.runs for card in cards) or jobs or 1
        return Place(
            device="cpu", workers=workers, threads=1, share=False, choices={}, cards=cards
        )
    machine = executor.choose(device=device, setups=setups, runs=runs)
    choices = store.choice("auto")
    if choices is None:
        choices = {name: getattr(machine, name) for name in AUTO}
        store.fix_choice("auto", choices)
    threads, workers = machine.threads, machine.workers
    if machine.device == "cpu":
        # Paired runs must round alike, and the number of threads decides the order of sums.
        kept = store.choice("cpu_threads")
        if kept is None:
            store.fix_choice("cpu_threads", threads)
        elif kept != threads:
            threads, workers = kept, jobs or max(1, workers * threads // kept)
    return Place(
        device=machine.device,
        workers=workers,
        threads=threads,
        share=machine.share,
        choices=choices,
        cards=machine.cards,
    )


class Orders(Protocol):
    """Runs that are still to be made. It is asked for a job when a worker is free."""

    def take(self) -> Job | None:
        """The next job; None when there is nothing to do now."""
        ...

    def ended(self, job: Job, record: RunRecord) -> None:
        """A job that was taken is in the study file, with this record."""
        ...

    def give_up(self, setup: str) -> bool:
        """Give out no more jobs of a setup; whether those of others are of use without them."""
        ...


class ListedOrders:
    """A list of jobs; one that fails by the machine's fault comes again, at the end."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._queue = deque(jobs)
        self._tries = Counter[Job]()

    def take(self) -> Job | None:
        """The next job; None when all have been taken."""
        return self._queue.popleft() if self._queue else None

    def give_up(self, setup: str) -> bool:
        """Give out no more jobs of a setup; those of others are of use."""
        self._queue = deque(job for job in self._queue if job.name != setup)
        return True

    def ended(self, job: Job, record: RunRecord) -> None:
        """Try a job once more that the machine made fail."""
        if record.state != "failed" or record.fault is not None:
            return
        self._tries[job] += 1
        if self._tries[job] < _TRIES:
            self._queue.append(job)


def as_job(
    run: Wanted,
    *,
    setups: Mapping[str, Setup],
    references: References,
    place: Place,
    functions: Mapping[str, TrainingFunction],
    tasks: Sequence[SuiteTask] = (),
) -> Job:
    """The job that makes a run; `functions`, by setup, are called as they are, not by name."""

    def job(setup: Setup, task: SuiteTask | None, parts: tuple[Job, ...] = ()) -> Job:
        built_in, of = setup.train == BUILT_IN, task.name if task else ""
        return Job(
            name=run.setup,
            setup=setup.resolved(place.choices) if built_in else setup,
            seed=run.seed,
            data=references[of, setup.pixels] if built_in and not parts else None,
            device=place.device,
            threads=place.threads,
            function=functions.get(run.setup),
            task=task,
            tasks=parts,
        )

    setup = setups[run.setup]
    return job(setup, None, tuple(job(task.applied(setup), task) for task in tasks))
