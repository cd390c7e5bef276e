"""Choices that a study fixes before its first run, and holds every later call to."""

import json
from collections.abc import Mapping, Sequence

from seedwise.comparison import Rule
from seedwise.comparison.metrics import (
    DECIDING,
    direction_of,
    state_directions,
    stated_directions,
    unsettled,
)
from seedwise.comparison.rule import changed_rule, fixed_rule, plan_of, with_margin
from seedwise.comparison.study_runs import TASK, StudyRuns
from seedwise.errors import StudyError, Unsettled
from seedwise.executors.tasks import SuiteTask, as_tasks
from seedwise.store import PLAN, Store
from seedwise.study.targets import References
from seedwise.study.until import Until

__all__ = ["check_tasks", "fix_directions", "fix_plan", "fix_tasks", "fixed_tasks"]


def fixed_tasks(store: Store) -> tuple[SuiteTask, ...]:
    """Tasks on which a study trains each run; none where it has none or did not train them.

    Raises:
        ConfigError: They cannot be understood.
    """
    plan = store.choice(PLAN)
    return as_tasks(plan.get("tasks") if isinstance(plan, dict) else None)


def check_tasks(store: Store, tasks: Sequence[SuiteTask]) -> None:
    """Refuse other tasks than those of the runs that are there: a run has all of them.

    Raises:
        StudyError: One was added, left out or changed.
    """
    plan = store.choice(PLAN)
    if plan is None and not store.runs():
        return
    known, wanted = (
        {task.name: _compared(store, task) for task in each}
        for each in (fixed_tasks(store), tasks)
    )
    if known == wanted:
        return
    changes = [
        *(f"{name} is new" for name in wanted if name not in known),
        *(f"{name} is missing" for name in known if name not in wanted),
        *(
            f"{name} has {wanted[name]} and had {known[name]}"
            for name in wanted
            if name in known and wanted[name] != known[name]
        ),
    ]
    begun = f"with the tasks {', '.join(known)}" if known else "without these tasks"
    raise StudyError(
        f"{store.path} was begun {begun}: {'; '.join(changes)}. Runs never change, so that each "
        "keeps the tasks it was made on; use another study file, or the tasks as they were"
    )


def _compared(store: Store, task: SuiteTask) -> str:
    """Arguments in which a task must not change; a folder may be called by another path."""
    told_by_content = isinstance(store.choice(f"{TASK}{task.name}"), dict)
    places = ("dataset", "source") if told_by_content else ()
    kept = {name: value for name, value in task.keywords.items() if name not in places}
    return json.dumps(kept, sort_keys=True)


def fix_tasks(store: Store, tasks: Sequence[SuiteTask], references: References) -> None:
    """Keep the tasks, each with the dataset that the built-in training reads in it.

    Raises:
        StudyError: A task had another dataset.
    """
    read = {name: reference for (name, _), reference in references.items()}
    for task in tasks:
        key, found = f"{TASK}{task.name}", read.get(task.name)
        known = store.choice(key)
        if found is None or not isinstance(known, dict):
            data = found and {
                "dataset": found.dataset,
                "fingerprint": found.fingerprint,
                "split": found.split.to_json(),
            }
            store.fix_choice(key, data or True)
        elif found.split.to_json() != known["split"]:  # the images were told by their fingerprint
            raise StudyError(
                f"tasks.{task.name}: {store.path} was begun with the split {known['split']}, and "
                f"this is {found.split.to_json()}; use another study file"
            )


def fix_directions(
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


def fix_plan(
    store: Store,
    setups: Sequence[str],
    until: Until,
    rule: Rule | None,
    tasks: Sequence[SuiteTask] = (),
) -> None:
    """Keep what verdicts will be held to, if this is before the first run."""
    plan = store.choice(PLAN)
    if plan is None and not store.runs():
        stop = None if until.stopping is None else until.stopping.to_json()
        store.fix_choice(
            PLAN,
            plan_of(
                setups,
                until.planned,
                rule or Rule(),
                baseline=until.baseline,
                stop=stop,
                tasks={task.name: task.keywords for task in tasks},
            ),
        )
        return
    wanted = with_margin(rule, plan and plan.get("stop")) if rule else fixed_rule(StudyRuns(store))
    changes = changed_rule(fixed_rule(StudyRuns(store)), wanted)
    if changes:
        raise StudyError(
            f"{store.path} has runs under another rule of verdict: {'; '.join(changes)}; use "
            "another study file, or give it when comparing: that verdict is exploratory"
        )
