"""Runs that were made elsewhere, put into a study file."""

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

from seedwise.comparison.metrics import state_directions
from seedwise.comparison.scores import keep_large
from seedwise.comparison.study_runs import LARGE, StudyRuns, results_by_seed
from seedwise.errors import ConfigError, RunExists, StudyError
from seedwise.executors.logged import as_epochs
from seedwise.executors.outcome import as_record
from seedwise.live.events import Doubt
from seedwise.seeds import Seed
from seedwise.setups import ELSEWHERE, Setup
from seedwise.store import Store
from seedwise.study.examples import keep_called, keep_examples
from seedwise.study.keeping import doubts_about
from seedwise.study.making import Complain
from seedwise.study.targets import keep_targets

__all__ = ["check_free", "record"]


def record(
    path: str | PathLike[str],
    *,
    setup: str,
    seed: int | tuple[int, int, int] | Seed,
    predictions: Any = None,
    targets: Any = None,
    metrics: Mapping[str, float] | None = None,
    seconds: float = 0.0,
    made_by: Mapping[str, Any] | None = None,
    watch: Callable[[Doubt], None] | None = None,
    better: Mapping[str, str] | None = None,
    scores: Mapping[str, Any] | None = None,
    groups: Any = None,
    examples: Any = None,
    called: str | None = None,
    epochs: Iterable[Mapping[str, Any]] = (),
) -> None:
    """Put one run that was made elsewhere into a study file, which is made if there is none.

    Any number of jobs on one machine may do so at once: the file is written by one at a time, and
    the others wait for up to 10 seconds. A network folder is another matter: SQLite's locks do not
    hold on all of them.

    Args:
        path: The study file.
        setup: Name of the setup, all that the study knows of it.
        seed: The seed of the run; runs of two setups with one seed are compared as a pair.
        predictions: Logits, log-probabilities or probabilities, (examples, classes) or (views,
            examples, classes); kept as float16 logits of which each row's largest is 0.
            Probabilities are recognised by their rows, which add up to 1 (or 100), and become
            log-probabilities. A run whose predictions are not finite is stored as diverged.
        targets: Class of each example; needed once per study.
        metrics: Values by name, beside the predictions or instead of them; accuracies are
            fractions. A run with one that is not finite is stored as diverged. Those that can be
            computed from the predictions are: one that they do not bear out is kept, said and
            decides nothing.
        seconds: Wall time of the training.
        made_by: What else is to be known of how the run was made, e.g. the machine or the model
            that was kept; any names.
        watch: Told what a person should know of the run. Without it, that is a warning.
        better: Whether a `lower` or a `higher` value is better, by the name of a metric, where the
            name does not settle it; kept in the file.
        scores: For some metrics, by name, one number for each example, instead of predictions or
            beside them: whether a question was answered, the F1 of a text, the return of an
            episode. Kept as bits where all are 0 or 1, else as float32. Their mean is the metric.
        groups: The group of each example, where examples come in groups: the passage of a
            question, the video of a frame. What holds for new examples holds for new groups.
        examples: The name of each example, in the order of the scores or predictions. Scores are
            put in the order of the study's first run that has names.
        called: What the examples are called, as a plural: questions, episodes; kept in the file.
        epochs: For curves, figures after each epoch: `epoch` and numbers by name, as `Seed.log`
            takes them. They decide nothing.

    Raises:
        ConfigError: Nothing to record, or a seed or name that cannot be used.
        DataError: The predictions, targets, scores, metrics or epochs cannot be used.
        RunExists: The study has a run of this setup and seed; runs never change.
        StudyError: The file is not a study, it has other targets, or seedwise trains this setup.
    """
    if predictions is None and not metrics and not scores:
        raise ConfigError("a run is recorded with predictions, scores or metrics; got none")
    if predictions is None and targets is not None:
        raise ConfigError("targets belong to predictions, and there are none; leave them out")
    _check_name(setup)
    outcome = dict(metrics or {})
    if predictions is not None:
        outcome |= {"predictions": predictions, "targets": targets}
    about = {"scores": scores, "groups": groups, "examples": examples}
    outcome |= {what: given for what, given in about.items() if given is not None}
    if not 0 <= seconds < math.inf:
        raise ConfigError(f"seconds must be 0 or more, got {seconds}")
    run, of = as_record(outcome, seconds=seconds), Seed.of(seed)
    run = replace(run, made_by={**run.made_by, **(made_by or {})}, epochs=as_epochs(epochs))
    with closing(Store.open(path, create=True)) as store:
        state_directions(store, better or {})
        store.add_setup(setup, Setup(train=ELSEWHERE))
        keep_called(store, called)
        keep_targets(store, run, source=f"recorded for {setup}")
        run = keep_examples(store, run)
        doubts = doubts_about(store, setup, of, run)
        stored = store.add_run(setup, of, run, ended_at=datetime.now(UTC))
        if run.state == "finished" and run.logits is not None and run.logits.nbytes > LARGE:
            with suppress(StudyError):  # the run is stored; what it scores is found out later
                study = StudyRuns(store)
                keep_large(study, next(one for one in study.of(setup) if one.id == stored))
        for doubt in doubts:
            (watch or Complain())(doubt)


def check_free(path: str | PathLike[str], *, setup: str, seed: Seed) -> None:
    """Refuse, before a run is made, what `record` would refuse when it has been.

    Raises:
        ConfigError: The name cannot be one of a setup.
        RunExists: The study has a run of this setup and seed.
        StudyError: The file is not a study, or seedwise trains this setup.
    """
    _check_name(setup)
    if not Path(path).exists():
        return
    with Store.open(path, readonly=True) as store:
        known = store.setups().get(setup)
        if known is None:
            return
        if known != Setup(train=ELSEWHERE):
            raise StudyError(
                f"seedwise itself trains setup {setup!r} of {path}; record under another name"
            )
        if seed in results_by_seed(store.runs(setup)):
            raise RunExists(
                f"{path} has a run of setup {setup!r} with seed {seed} already, and runs never "
                "change; take another seed, or another name for another training"
            )


def _check_name(setup: str) -> None:
    if not setup.strip() or not setup.isprintable():
        raise ConfigError(f"a setup needs a printable name, got {setup!r}")
