"""One call of `Study.run`: what is wanted, less what is stored, is made and stored."""

import inspect
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from seedwise import data as images
from seedwise.comparison import Rule, Summary, summarise
from seedwise.comparison.rule import fixed_rule, refuse_other_judges
from seedwise.comparison.scores import keep_metric_values
from seedwise.comparison.study_runs import StudyRuns, places_of_results
from seedwise.executors.base import Executor
from seedwise.executors.functions import (
    SetupLike,
    TrainingFunction,
    as_setups,
    check_signature,
    given_functions,
    only_here,
)
from seedwise.executors.job import load_function
from seedwise.executors.local import LocalExecutor
from seedwise.executors.registry import kept_here
from seedwise.executors.tasks import LEFT_OUT
from seedwise.live.claim import claimed, network_file_system
from seedwise.live.ended import LiveFigures, ended_runs, with_metric
from seedwise.live.events import (
    Compared,
    Doubt,
    Event,
    Finished,
    Notice,
    Planned,
    RunStored,
    Watch,
)
from seedwise.live.interim import PairedSoFar
from seedwise.live.publish import publishing
from seedwise.setups import BUILT_IN, Setup
from seedwise.store import Store
from seedwise.study.banking import take_from_bank
from seedwise.study.coding import Origins, hold_to_code
from seedwise.study.examples import keep_examples
from seedwise.study.faults import Faults
from seedwise.study.fixing import check_tasks, fix_directions, fix_plan, fix_tasks
from seedwise.study.keeping import doubts_about
from seedwise.study.orders import ListedOrders, Orders, Wanted, as_job, missing_runs, place_of
from seedwise.study.stopping import StoppingOrders, most_runs
from seedwise.study.targets import StudyData, keep_targets
from seedwise.study.until import Until

__all__ = ["Complain", "make_missing"]


_NOT_KEPT = "are not kept, but the metrics: those of examples belong to a study of one dataset"


def make_missing(
    path: Path,
    given: Mapping[str, SetupLike],
    until: Until,
    *,
    data: StudyData,
    rule: Rule | None,
    better: Mapping[str, str],
    executor: Executor,
    device: str,
    tell: Watch,
    code_unchanged: bool = False,
    usual: float | None = None,
) -> Summary:
    """Make the runs that are missing, and store each as soon as it ends.

    Args:
        path: The study file.
        given: The setups by name, or functions that train.
        until: When the study is complete.
        data: What the study is given.
        rule: How verdicts are to be reached; None takes the usual rule.
        better: Which way metrics point whose names do not settle it, by name.
        executor: Where runs are made.
        device: `auto`, `cpu` or `cuda`.
        tell: Told of all that happens.
        code_unchanged: Code that differs from the one before trains the same.
        usual: Seconds that a run may take, where the study has none to tell it.

    Raises:
        ConfigError, MissingPackage, StudyError: As in `Study.run`.
    """
    if until.stopping is not None and rule is not None:
        refuse_other_judges(rule, tasks=bool(data.tasks))
        standardised = bool(data.tasks) and rule.over == "standardised"
        stopping = replace(until.stopping, standardised=standardised)
        until = replace(until, stopping=stopping)
    functions = given_functions(given)
    if here := only_here(functions):
        executor = kept_here(executor, here[0])
    setups = as_setups(given, data.tasks)
    trained = _loaded(setups, functions)
    for name in trained.keys() - functions.keys() if data.tasks else ():
        check_signature(name, trained[name], data.tasks)
    by_task = [task.applied(each) for task in data.tasks for each in setups.values()]
    with ExitStack() as stack:
        store = stack.enter_context(Store.open(path, create=True))
        stack.enter_context(claimed(path))
        seeds = frozenset(until.seeds)
        tell = stack.enter_context(
            publishing(path, lambda: ended_runs(StudyRuns(store), setups, seeds), tell)
        )
        _warn_of_network(path, tell)
        if until.stopping is not None:
            until = replace(until, stopping=until.stopping.check(StudyRuns(store)))
        check_tasks(store, data.tasks)
        fix_directions(store, rule, better, until.stopping and until.stopping.stop.metric)
        references = data.references(store, setups.values(), tell)
        origins = hold_to_code(store, setups, trained, unchanged=code_unchanged, tell=tell)
        fix_tasks(store, data.tasks, references)
        fix_plan(store, tuple(setups), until, rule, data.tasks)
        take_from_bank(store, data.bank, until.baseline, until.needed, origins=origins, tell=tell)
        for name in setups if until.stopping is None else ():
            store.ask(name, until.seeds)
        missing = missing_runs(tuple(setups), until.seeds, stored=places_of_results(store.runs()))
        planned = _planned(store, tuple(setups), until, len(missing))
        planned = replace(planned, tasks=tuple(task.name for task in data.tasks))
        place = None
        if planned.missing:
            place = place_of(
                store, by_task or tuple(setups.values()), device, executor, runs=planned.missing
            )
            executor = executor.placed(place)
            if isinstance(executor, LocalExecutor):  # how many Ray makes at once, nobody knows
                seconds = _seconds(StudyRuns(store), planned, missing, place.workers, usual)
                planned = replace(planned, seconds=seconds)
        tell(with_metric(planned, StudyRuns(store)))
        if place is not None:
            job = partial(
                as_job,
                setups=setups,
                references=references,
                place=place,
                # In this process functions are called as they are: loading a script's by its
                # name would run the script again.
                functions=functions if executor.here else {},
                tasks=data.tasks,
            )
            orders: Orders = ListedOrders(map(job, missing))
            if until.stopping is not None:
                orders = StoppingOrders(store, until.stopping, job, tell, workers=place.workers)
            looks = _looks(store, until, tuple(setups))
            stack.callback(origins.settle, store)
            _make(store, orders, executor, tell, looks, origins)
        keep_metric_values(StudyRuns(store))
        return summarise(StudyRuns(store))


def _loaded(
    setups: Mapping[str, Setup], functions: Mapping[str, TrainingFunction]
) -> Mapping[str, TrainingFunction]:
    """The function that trains each setup; none for those that the built-in training makes.

    Raises:
        ConfigError: A function or a loader that a setup names cannot be loaded.
    """
    named = {name: setup.train for name, setup in setups.items() if name not in functions}
    loaded = {train: load_function(train) for train in set(named.values())}
    for loader in _named_loaders(setups.values()):
        images.choose_loader(loader, device="cpu")
    others = {name: loaded[train] for name, train in named.items() if train != BUILT_IN}
    return {**functions, **others}


def _planned(store: Store, setups: tuple[str, ...], until: Until, missing: int) -> Planned:
    """The runs that are planned: of fixed seeds all, of a rule as many as it may take."""
    if until.stopping is not None:
        return most_runs(StudyRuns(store), until.stopping)
    wanted = len(setups) * len(until.seeds)
    return Planned(setups=setups, wanted=wanted, stored=wanted - missing)


def _seconds(
    study: StudyRuns,
    planned: Planned,
    missing: Sequence[Wanted],
    workers: int,
    usual: float | None,
) -> float | None:
    """Time that the runs to be made may take, by those that are stored; None if these do not tell.

    A run that went beside others took the longer for it, so that runs side by side share the time.
    """
    took = {
        name: [run.seconds for run in study.of(name) if run.state == "finished"]
        for name in planned.setups
    }
    each = {name: float(np.mean(seconds)) for name, seconds in took.items() if seconds}
    known = float(np.mean(list(each.values()))) if each else usual
    if known is None or planned.wanted is None:
        return None
    if planned.stops:
        return known * planned.missing / min(workers, planned.missing)
    return sum(each.get(run.setup, known) for run in missing) / min(workers, len(missing))


def _looks(store: Store, until: Until, setups: tuple[str, ...]) -> PairedSoFar | None:
    """The differences so far of fixed seeds; None where a rule looks."""
    if until.stopping is not None:
        return None
    rule = fixed_rule(StudyRuns(store))
    return PairedSoFar(store, rule, setups, until.seeds, until.baseline)


def _named_loaders(setups: Iterable[Setup]) -> set[str]:
    """The loaders that the built-in training is told to use, `auto` aside."""
    return {setup.loader for setup in setups if setup.train == BUILT_IN} - {"auto"}


def _warn_of_network(path: Path, tell: Watch) -> None:
    """Say what holds of a study on a network file system."""
    kind = network_file_system(path)
    if kind is not None:
        text = f"{path} lies on a network file system ({kind}): use it from this machine"
        tell(Notice(text=f"{text} only while it runs"))


def _make(
    store: Store,
    orders: Orders,
    executor: Executor,
    tell: Watch,
    looks: PairedSoFar | None,
    origins: Origins,
) -> None:
    """Make what is ordered, and store each run as soon as it ends."""
    counts, known = Counter[str](), np.empty(0, np.int64)
    left_out = any(LEFT_OUT in run.made_by for run in store.runs())
    figures = LiveFigures(store)
    faults = Faults(store, len(origins.commits), orders, tell)
    for interim in looks.now() if looks else ():
        tell(Compared(interim=interim))
    with closing(executor.run(orders.take, tell)) as outcomes:
        for job, record in outcomes:
            # The same as before is looked at once: 1 ms for 500 examples, and storing 0.5 ms.
            if record.targets is None or not np.array_equal(record.targets, known):
                keep_targets(store, record, source=f"returned by {job.setup.train}")
                known = record.targets if record.targets is not None else known
            record = keep_examples(store, record)
            doubts = doubts_about(store, job.name, job.seed, record)
            store.add_run(
                job.name,
                job.seed,
                record,
                ended_at=datetime.now(UTC),
                code=origins.number(job.name),
                commit=origins.commits[job.name],
            )
            counts[record.state] += 1
            tell(RunStored.of(job.name, job.seed, record, figures.of(job.setup, record)))
            for doubt in doubts:
                tell(doubt)
            if LEFT_OUT in record.made_by and not left_out:
                left_out = True
                tell(Notice(text=f"the {record.made_by[LEFT_OUT]} of tasks {_NOT_KEPT}"))
            for interim in looks.add(job.name, job.seed, record) if looks else ():
                tell(Compared(interim=interim))
            orders.ended(job, record)
            faults.look(job, record)
    tell(Finished(stored=counts["finished"] + counts["diverged"], failed=counts["failed"]))


class Complain:
    """Watches where no one else does, and warns of what would otherwise be found late."""

    def __init__(self) -> None:
        self._error: str | None = None

    def __call__(self, event: Event) -> None:
        """Remember an error; warn of it at the end."""
        if isinstance(event, RunStored) and event.state == "failed":
            self._error = f"setup {event.setup!r} with seed {event.seed}: {event.error}"
        if isinstance(event, Doubt):
            warnings.warn(event.text, stacklevel=1 + _frames_of_ours())
        if isinstance(event, Finished) and event.failed:
            tries = "1 try" if event.failed == 1 else f"{event.failed} tries"
            text = f"{tries} failed; the last was {self._error}"
            warnings.warn(text, stacklevel=1 + _frames_of_ours())


def _frames_of_ours() -> int:
    """Count the calls of this package between here and the user's line."""
    count, frame = 0, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("seedwise."):
        count, frame = count + 1, frame.f_back
    return count - 1  # this function's own
