"""What is handed to an executor: the missing runs as jobs, and where they are made."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from seedwise.setups import AUTO, BUILT_IN, Setup
from seedwise.store import Store
from seedwise.study.executor import Executor
from seedwise.study.functions import TrainingFunction
from seedwise.study.plan import Wanted
from seedwise.study.runner import DataReference, Job

__all__ = ["Orders", "Place"]

_TRIES = 2
"""How often one call tries a run that fails; the next call tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where this study's runs are made, and what `auto` means in it.

    Runs that `share` a device may go side by side in threads: all are the built-in training, while
    functions of users' may use global generators, which threads would share.
    """

    device: str
    workers: int
    threads: int
    share: bool
    choices: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        store: Store,
        setups: Iterable[Setup],
        device: str,
        executor: Executor,
        *,
        runs: int,
    ) -> "Place":
        """What the executor's machines offer, kept to what the study began with."""
        jobs, built_in = executor.workers, [setup.train == BUILT_IN for setup in setups]
        if not any(built_in):
            return cls(device="cpu", workers=jobs or 1, threads=1, share=False, choices={})
        machine = executor.choose(device=device, jobs=jobs, runs=runs)
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
        return cls(
            device=machine.device,
            workers=workers,
            threads=threads,
            share=machine.device == "cuda" and all(built_in),
            choices=choices,
        )


class Orders:
    """The jobs that are still to be given out; one that fails comes again, at the end."""

    def __init__(
        self,
        missing: Iterable[Wanted],
        setups: Mapping[str, Setup],
        references: Mapping[int | None, DataReference],
        place: Place,
        functions: Mapping[str, TrainingFunction],
    ) -> None:
        """`functions` are those that are called as they are, by setup, instead of by name."""
        self._queue = deque(
            _job(run, setups[run.setup], references, place, functions.get(run.setup))
            for run in missing
        )
        self._tries = Counter[Job]()

    def take(self) -> Job | None:
        """The next job; None when there is nothing to do now."""
        return self._queue.popleft() if self._queue else None

    def again(self, job: Job) -> None:
        """The job has failed: try it once more, unless it has been tried often enough."""
        self._tries[job] += 1
        if self._tries[job] < _TRIES:
            self._queue.append(job)


def _job(
    run: Wanted,
    setup: Setup,
    references: Mapping[int | None, DataReference],
    place: Place,
    function: TrainingFunction | None,
) -> Job:
    built_in = setup.train == BUILT_IN
    return Job(
        name=run.setup,
        setup=setup.resolved(place.choices) if built_in else setup,
        seed=run.seed,
        data=references[setup.pixels] if built_in else None,
        device=place.device,
        threads=place.threads,
        function=function,
    )
