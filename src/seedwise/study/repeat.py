"""A stored run trained once more, to see whether the machine does the same twice."""

from collections.abc import Sequence
from datetime import UTC, datetime

from seedwise.comparison import RepeatComparison
from seedwise.comparison.repeat import compare_repeat
from seedwise.comparison.study_runs import StudyRuns, results_by_seed
from seedwise.errors import ConfigError, StudyError
from seedwise.executors.job import load_function, perform
from seedwise.executors.local import LocalExecutor
from seedwise.executors.tasks import SuiteTask
from seedwise.live.ended import LiveFigures
from seedwise.live.events import Finished, Planned, RunStored, Watch
from seedwise.seeds import Seed
from seedwise.setups import BUILT_IN, ELSEWHERE, Setup
from seedwise.store import Store, StoredRun
from seedwise.study.coding import refuse_other_code
from seedwise.study.orders import Wanted, as_job, place_of
from seedwise.study.targets import References, keep_targets

__all__ = ["check_training", "repeat_run", "stored_result"]


def stored_result(store: Store, setup: str, seed: Seed) -> StoredRun:
    """The finished or diverged run of a setup with a seed.

    Raises:
        UnknownName: The study has no such setup.
        StudyError: It has no such run.
    """
    results = results_by_seed(store.runs(setup))
    if seed not in results:
        seeds = ", ".join(str(known) for known in sorted(results)) or "none"
        raise StudyError(
            f"setup {setup!r} of {store.path} has no run with seed {seed} to repeat; "
            f"it has seeds: {seeds}"
        )
    return results[seed]


def check_training(name: str, setup: Setup, train: str | None) -> None:
    """Refuse to train a stored setup whose function only the study file names.

    Args:
        name: Name of the setup.
        setup: The setup.
        train: The function that the caller named.

    Raises:
        ConfigError: It is a different one, or none, and the setup is not of the built-in training.
    """
    if setup.train == (train or BUILT_IN):
        return
    if train is not None:
        raise ConfigError(f"setup {name!r} is trained by {setup.train}, not by {train}")
    if setup.train == ELSEWHERE:
        raise ConfigError(f"setup {name!r} was trained elsewhere, so it cannot be trained here")
    raise ConfigError(
        f"setup {name!r} is trained by {setup.train}, a function, and seedwise never runs code "
        f"because a study file names it; give --train {setup.train} to run it"
    )


def repeat_run(
    store: Store,
    run: StoredRun,
    setup: Setup,
    references: References,
    tasks: Sequence[SuiteTask],
    *,
    device: str,
    watch: Watch,
) -> RepeatComparison:
    """Train a run again in this process, store the repeat, and compare it with the run.

    Args:
        store: The study, open for writing.
        run: The run.
        setup: Its setup.
        references: The study's datasets, opened and found to be the study's.
        tasks: The study's tasks, if it is a suite.
        device: `auto` for the one on which the run was made.
        watch: Told of all that happens.

    Raises:
        CodeChanged: The setup's function differs from those that made its runs.
        StudyError: The repeat failed, or its predictions are for other targets.
    """
    function = load_function(setup.train)
    if setup.train != BUILT_IN:
        refuse_other_code(store, run.setup, function)
    if device == "auto" and setup.train == BUILT_IN:
        device = str(run.made_by.get("device", device))
    place = place_of(store, [setup], device, LocalExecutor(workers=1), runs=1)
    job = as_job(
        Wanted(setup=run.setup, seed=run.seed),
        setups={run.setup: setup},
        references=references,
        place=place,
        functions={},
        tasks=tasks,
    )
    names = tuple(task.name for task in tasks)
    watch(Planned(setups=(run.setup,), wanted=1, stored=0, seconds=run.seconds, tasks=names))
    record = perform(job, watch)
    watch(RunStored.of(job.name, job.seed, record, LiveFigures(store).of(setup, record)))
    if record.state == "failed":
        reason = (record.error or "").strip().splitlines()[-1:]
        raise StudyError(
            f"the repeat of setup {run.setup!r} with seed {run.seed} failed, and is not kept: "
            f"{' '.join(reason)}"
        )
    keep_targets(store, record, source=f"returned by {setup.train}")
    repeat = store.add_repeat(run.id, record, ended_at=datetime.now(UTC))
    watch(Finished(stored=1, failed=0))
    return compare_repeat(StudyRuns(store), run, repeat)
