"""One call of `Study.run`: what is wanted, less what is stored, is made and stored."""

import inspect
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from seedwise import data as images
from seedwise.comparison import Rule, Stop, StoppingRule, Summary, summarise
from seedwise.comparison.metrics import (
    DECIDING,
    direction_of,
    state_directions,
    stated_directions,
    unsettled,
)
from seedwise.comparison.rule import (
    changed_rule,
    fixed_rule,
    plan_of,
    refuse_other_judges,
    with_margin,
)
from seedwise.comparison.scores import keep_metric_values
from seedwise.comparison.study_runs import StudyRuns, places_of_results
from seedwise.errors import ConfigError, StudyError, UnknownName, Unsettled
from seedwise.executors.base import Executor
from seedwise.executors.functions import (
    SetupLike,
    TrainingFunction,
    as_setups,
    given_functions,
    only_here,
)
from seedwise.executors.job import load_function
from seedwise.executors.local import LocalExecutor
from seedwise.executors.registry import kept_here
from seedwise.live.claim import claimed, network_file_system
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
from seedwise.seeds import Seed
from seedwise.setups import BUILT_IN, Setup
from seedwise.store import PLAN, Store
from seedwise.study.coding import Origins, hold_to_code
from seedwise.study.examples import keep_examples
from seedwise.study.faults import Faults
from seedwise.study.keeping import doubts_about
from seedwise.study.orders import ListedOrders, Orders, Wanted, as_job, missing_runs, place_of
from seedwise.study.seeding import SeedsLike, as_seeds
from seedwise.study.stopping import StoppingOrders, most_runs
from seedwise.study.targets import StudyData, keep_targets

__all__ = ["Complain", "Until", "make_missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """End of a study: its seeds, or a rule that decides.

    Attributes:
        seeds: The seeds; none where a rule decides.
        stopping: The rule; None where the seeds are named.
        planned: The seeds of the whole study, of which `seeds` are a part; as a rule the same.
        baseline: The setup that the others are compared with.
    """

    seeds: tuple[Seed, ...]
    stopping: StoppingRule | None
    planned: tuple[Seed, ...]
    baseline: str

    @classmethod
    def of(
        cls,
        setups: Iterable[str],
        seeds: SeedsLike | None,
        stop: Stop | None,
        baseline: str | None,
        planned: SeedsLike | None,
    ) -> Self:
        """The seeds, or none and the rule by which the others are compared with the baseline.

        Raises:
            ConfigError: No setup; neither or both of `seeds` and `stop`; seeds that are not
                among those planned.
            UnknownName: The baseline is none of the setups.
        """
        names = tuple(setups)
        if not names:
            raise ConfigError("a study needs at least one setup, got none")
        base = baseline or names[0]
        if base not in names:
            raise UnknownName("setup", base, names)
        if seeds is not None and stop is None:
            wanted = as_seeds(seeds)
            whole = wanted if planned is None else as_seeds(planned)
            if not set(wanted) <= set(whole):
                raise ConfigError("seeds must be some of those planned for the whole study")
            return cls(seeds=wanted, stopping=None, planned=whole, baseline=base)
        if stop is None or seeds is not None:
            both = "neither" if seeds is None else "both"
            raise ConfigError(f"give either seeds=10 or until=Stop(difference=0.005), got {both}")
        others = tuple(name for name in names if name != base)
        rule = StoppingRule(stop=stop, baseline=base, candidates=others)
        return cls(seeds=(), stopping=rule, planned=(), baseline=base)


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
        code_unchanged: Code that is another than before trains the same.
        usual: Seconds that a run may take, where the study has none to tell it.

    Raises:
        ConfigError, MissingPackage, StudyError: As in `Study.run`.
    """
    if until.stopping is not None and rule is not None:
        refuse_other_judges(rule)
    functions = given_functions(given)
    if here := only_here(functions):
        executor = kept_here(executor, here[0])
    setups = as_setups(given)
    trained = _loaded(setups, functions)
    with ExitStack() as stack:
        store = stack.enter_context(Store.open(path, create=True))
        stack.enter_context(claimed(path))
        seeds = frozenset(until.seeds)
        tell = stack.enter_context(
            publishing(path, lambda: StudyRuns(store).wanted(setups, seeds), tell)
        )
        _warn_of_network(path, tell)
        if until.stopping is not None:
            until.stopping.check(StudyRuns(store))
        _state_directions(store, rule, better, until.stopping and until.stopping.stop.metric)
        references = data.references(store, setups.values(), tell)
        origins = hold_to_code(store, setups, trained, unchanged=code_unchanged, tell=tell)
        _fix_plan(store, tuple(setups), until, rule)
        for name in setups if until.stopping is None else ():
            store.ask(name, until.seeds)
        missing = missing_runs(tuple(setups), until.seeds, stored=places_of_results(store.runs()))
        planned = _planned(store, tuple(setups), until, len(missing))
        place = None
        if planned.missing:
            place = place_of(store, tuple(setups.values()), device, executor, runs=planned.missing)
            executor = executor.placed(place)
            if isinstance(executor, LocalExecutor):  # how many Ray makes at once, nobody knows
                seconds = _seconds(StudyRuns(store), planned, missing, place.workers, usual)
                planned = replace(planned, seconds=seconds)
        tell(planned)
        if place is not None:
            job = partial(
                as_job,
                setups=setups,
                references=references,
                place=place,
                # In this process functions are called as they are: loading a script's by its
                # name would run the script again.
                functions=functions if executor.here else {},
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


def _state_directions(
    store: Store, rule: Rule | None, better: Mapping[str, str], judged: str | None
) -> None:
    """Keep which way metrics point; that of a metric that is to decide has to be known.

    Raises:
        Unsettled: Nobody said it, and the name does not settle it.
    """
    ways = {**(rule.better if rule else {}), **better}
    said = rule.metric if rule and rule.metric else judged
    metric = said.partition(":better=")[0] if said else None
    deciding = ways.pop(DECIDING, None)
    if metric is not None and deciding is not None:
        ways.setdefault(metric, deciding)
    state_directions(store, ways)
    if metric is None or metric != said:
        return
    if direction_of(metric, stated_directions(StudyRuns(store))) is None:
        raise Unsettled(unsettled(metric))


def _named_loaders(setups: Iterable[Setup]) -> set[str]:
    """The loaders that the built-in training is told to use, `auto` aside."""
    return {setup.loader for setup in setups if setup.train == BUILT_IN} - {"auto"}


def _warn_of_network(path: Path, tell: Watch) -> None:
    """Say what holds of a study on a network file system."""
    kind = network_file_system(path)
    if kind is not None:
        text = f"{path} lies on a network file system ({kind}): use it from this machine"
        tell(Notice(text=f"{text} only while it runs"))


def _fix_plan(store: Store, setups: Sequence[str], until: Until, rule: Rule | None) -> None:
    """Keep what verdicts will be held to, if this is before the first run."""
    plan = store.choice(PLAN)
    if plan is None and not store.runs():
        stop = None if until.stopping is None else until.stopping.to_json()
        store.fix_choice(
            PLAN,
            plan_of(setups, until.planned, rule or Rule(), baseline=until.baseline, stop=stop),
        )
        return
    wanted = with_margin(rule, plan and plan.get("stop")) if rule else fixed_rule(StudyRuns(store))
    changes = changed_rule(fixed_rule(StudyRuns(store)), wanted)
    if changes:
        raise StudyError(
            f"{store.path} has runs under another rule of verdict: {'; '.join(changes)}; use "
            "another study file, or give it when comparing: that verdict is exploratory"
        )


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
            tell(RunStored.of(job.name, job.seed, record))
            for doubt in doubts:
                tell(doubt)
            for interim in looks.add(job.name, job.seed, record) if looks else ():
                tell(Compared(interim=interim))
            orders.ended(job, record)
            faults.look(job, record)
    tell(Finished(stored=counts["finished"] + counts["diverged"], failed=counts["failed"]))


class Complain:
    """Watches where nobody else does, and warns of what would else be found out late."""

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
