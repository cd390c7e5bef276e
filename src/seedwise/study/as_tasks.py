"""Studies of different data put together as the tasks of a suite."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from seedwise.comparison.metrics import state_directions
from seedwise.comparison.scores import metric_values
from seedwise.comparison.study_runs import TASK, StudyRuns, all_have_logits, metrics_of_any
from seedwise.errors import ConfigError, StudyError
from seedwise.records import RunRecord
from seedwise.seeds import Seed
from seedwise.setups import ELSEWHERE, Setup
from seedwise.store import Store
from seedwise.store.place import anew

__all__ = ["join_as_tasks"]

_FROM_LOGITS = "accuracy"
"""The metric that is taken of runs with predictions."""


@dataclass(slots=True, kw_only=True)
class _Joined:
    """A run of the suite: what one setup and seed gave in each study."""

    metrics: dict[str, float] = field(default_factory=dict[str, float])
    not_finite: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    ended_at: datetime | None = None

    def record(self) -> RunRecord:
        """The run as the suite keeps it: diverged where it did so in every task."""
        return RunRecord(
            state="finished" if self.metrics else "diverged",
            metrics=self.metrics,
            not_finite=tuple(self.not_finite),
            seconds=self.seconds,
            error=None if self.metrics else "; ".join(self.errors) or "diverged",
        )


def join_as_tasks(paths: Sequence[Path], target: Path) -> Mapping[str, int]:
    """Put studies of different data into a new one, each as a task named as its file.

    Runs of one setup and seed become one run with the metrics "task/metric"; of runs with
    predictions that is accuracy. Predictions stay in the studies, as they are of other examples.
    Nothing counts as fixed beforehand: whoever joins studies may have seen their results.

    Args:
        paths: The studies, which stay as they are.
        target: A file that does not exist.

    Returns:
        Number of `tasks`, `setups` and `runs`.

    Raises:
        ConfigError: Fewer than two studies, or two of one name.
        StudyError: One has folds or tasks already, or no result; or a file cannot be used.
    """
    names = [path.stem for path in paths]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ConfigError(
            f"tasks are named as their files, and two or more are needed; got {', '.join(names)}"
        )
    found: dict[tuple[str, Seed], _Joined] = {}
    better: dict[str, str] = {}
    for task, path in zip(names, paths, strict=True):
        with StudyRuns.open(path) as study:
            _add(found, task, study)
            better |= {f"{task}/{name}": way for name, way in study.stated.items()}
    setups = tuple(dict.fromkeys(setup for setup, _ in found))
    with anew(target, *paths) as work, Store.open(work, create=True) as store:
        state_directions(store, better)
        for task in names:
            store.fix_choice(f"{TASK}{task}", True)
        for setup in setups:
            store.add_setup(setup, Setup(train=ELSEWHERE))
        for (setup, seed), joined in found.items():
            assert joined.ended_at is not None
            store.add_run(setup, seed, joined.record(), ended_at=joined.ended_at)
    return {"tasks": len(names), "setups": len(setups), "runs": len(found)}


def _add(found: dict[tuple[str, Seed], _Joined], task: str, study: StudyRuns) -> None:
    """Add the results of a study."""
    if study.test_to_train or study.tasks:
        what = "tasks" if study.tasks else "folds of a cross-validation"
        raise StudyError(f"{study.path} has {what} already, and cannot be one task of a suite")
    for setup in study.setups:
        results = [run for run in study.of(setup) if run.state != "failed"]
        finished = [run for run in results if run.state == "finished"]
        names = {*metrics_of_any(results)}
        computed: Mapping[int, float] = {}
        if finished and all_have_logits(finished):
            computed = metric_values(study, _FROM_LOGITS, finished)
            names.add(_FROM_LOGITS)
        for run in results:
            joined = found.setdefault((setup, run.seed), _Joined())
            values = dict(run.metrics) if run.state == "finished" else {}
            if run.id in computed:
                values[_FROM_LOGITS] = computed[run.id]
            joined.metrics |= {f"{task}/{name}": value for name, value in values.items()}
            lost = run.not_finite if run.state == "finished" else sorted(names)
            joined.not_finite += [f"{task}/{name}" for name in lost]
            joined.errors += [f"{task}: {run.error}"] if run.error else []
            joined.seconds += run.seconds
            ended = joined.ended_at
            joined.ended_at = run.ended_at if ended is None else max(ended, run.ended_at)
    if not any(run.state != "failed" for run in study.all):
        raise StudyError(f"{study.path} has no finished run; run it first")
