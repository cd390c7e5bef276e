"""Tasks of a suite: what each gives a training, and the run that their results make."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from seedwise.errors import ConfigError, DataError, SeedwiseError, UnknownName
from seedwise.records import EpochRecord, RunRecord
from seedwise.setups import BUILT_IN, FIELDS, Setup

__all__ = ["LEFT_OUT", "SuiteTask", "as_tasks", "failed_task", "suite_record"]

_OF_DATA = ("dataset", "source", "split")
"""Keys of a task that say what the built-in training reads; its others are fields of a setup."""

_KEYS = (*_OF_DATA, *(field for field in FIELDS if field not in ("train", "code")))

LEFT_OUT = "not_kept"
"""Under this name a run's `made_by` has what its tasks gave and a suite does not keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteTask:
    """A task: its name, and the arguments that a training function gets beside the seed.

    Attributes:
        name: Its name: its metrics are `name/metric`.
        arguments: The arguments by name, as canonical JSON: so a task is one that the plan holds,
            that another process is sent, and that is told from others by its value.
    """

    name: str
    arguments: str

    @property
    def keywords(self) -> dict[str, Any]:
        """The arguments by name."""
        return json.loads(self.arguments)

    @property
    def data(self) -> dict[str, Any]:
        """The arguments that say what the built-in training reads."""
        return {key: value for key, value in self.keywords.items() if key in _OF_DATA}

    def applied(self, setup: Setup) -> Setup:
        """A setup as it is trained on this task: that of a function is left as it is.

        Raises:
            ConfigError: The built-in training has no such choice, or not with this value.
        """
        if setup.train != BUILT_IN:
            return setup
        for key in self.keywords:
            if key not in _KEYS:
                raise ConfigError(f"tasks.{self.name}.{key}: {UnknownName('key', key, _KEYS)}")
        fields = {key: value for key, value in self.keywords.items() if key not in _OF_DATA}
        try:
            return setup.but(**fields)
        except SeedwiseError as error:  # the message begins with the field
            raise ConfigError(f"tasks.{self.name}.{error}") from None


def as_tasks(given: Mapping[str, Mapping[str, Any]] | None) -> tuple[SuiteTask, ...]:
    """The tasks of a suite; none where none are given.

    Raises:
        ConfigError: There is one only, two are the same, a name cannot be one, or an argument is
            nothing that the plan can keep.

    >>> [task.name for task in as_tasks({"easy": {"noise": 0.1}, "hard": {"noise": 0.5}})]
    ['easy', 'hard']
    """
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"tasks must be tables of arguments by their names, e.g. "
            f"{{'digits': {{'epochs': 5}}}}; got {given!r}"
        )
    tasks = tuple(_task(name, arguments) for name, arguments in given.items())
    if len(tasks) < 2:
        names = f"only {tasks[0].name}" if tasks else "none"
        raise ConfigError(
            f"a suite takes two tasks or more, got {names}; a study of one task needs no [tasks]"
        )
    same = dict[str, str]()
    for task in tasks:
        other = same.setdefault(task.arguments, task.name)
        if other != task.name:
            raise ConfigError(
                f"tasks.{task.name} has the arguments of tasks.{other}, and would be the same "
                "training twice; give each task an argument that tells it from the others"
            )
    return tasks


def _task(name: Any, arguments: Any) -> SuiteTask:
    if not isinstance(name, str) or not name.strip() or name != name.strip():
        raise ConfigError(f"tasks: a task needs a name without spaces around it, got {name!r}")
    if not name.isprintable() or "/" in name:
        raise ConfigError(
            f"tasks: the metrics of a task are called task/metric, so that its name is printable "
            f"and has no slash; got {name!r}"
        )
    if not isinstance(arguments, Mapping):
        raise ConfigError(
            f"tasks.{name} must be a table of arguments, [tasks.{name}]; got {arguments!r}"
        )
    for key, value in arguments.items():
        if not isinstance(key, str) or not key.isidentifier():
            raise ConfigError(f"tasks.{name}: an argument has a name of Python's, got {key!r}")
        if not _is_plain(value):
            raise ConfigError(
                f"tasks.{name}.{key} must be text, a finite number, true or false, or a list or "
                f"table of these, as the plan keeps it; got {value!r}"
            )
    return SuiteTask(name=name, arguments=json.dumps(dict(arguments), sort_keys=True))


def _is_plain(value: Any) -> bool:
    """True for what JSON gives back as it was."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return type(value) in (str, int, bool) or (type(value) is float and math.isfinite(value))


def failed_task(task: SuiteTask, record: RunRecord, *, seconds: float) -> RunRecord:
    """The failed run of which this task was the one that failed.

    It is named in the last line, which is what is told of an error; the first says its kind.
    """
    *above, last = (record.error or "").strip().splitlines() or [""]
    error = "\n".join([*above, f"task {task.name}: {last}"])
    return replace(record, error=error, seconds=seconds, epochs=_epochs({task.name: record}))


def suite_record(parts: Mapping[str, RunRecord], *, built_in: bool = False) -> RunRecord:
    """The run of a suite from the result of each task, none of which failed.

    Its metrics are "task/metric". A task that diverged did so under each metric it would have
    had; the run diverged where all tasks did. Of predictions accuracy is kept, of scores their
    mean. The figures of its epochs are "task/figure" likewise.

    Raises:
        DataError: A task has predictions without targets.
    """
    metrics, lost, left_out = dict[str, float](), list[str](), dict[str, None]()
    for task, record in parts.items():
        found, gone = _metrics(task, record, built_in=built_in)
        metrics |= {f"{task}/{name}": value for name, value in found.items()}
        lost += [f"{task}/{name}" for name in gone]
        kept = {"predictions": record.logits, "scores": record.scores or None}
        left_out |= {what: None for what, given in kept.items() if given is not None}
    errors = [f"{task}: {record.error}" for task, record in parts.items() if record.error]
    made_by = dict[str, Any]()
    for record in parts.values():
        made_by |= record.made_by
    made_by.pop("predictions", None)
    if left_out:
        made_by[LEFT_OUT] = " and ".join(left_out)
    return RunRecord(
        state="finished" if metrics else "diverged",
        metrics=metrics,
        epochs=_epochs(parts),
        not_finite=tuple(lost),
        seconds=sum(record.seconds for record in parts.values()),
        made_by=made_by,
        error=None if metrics else "; ".join(errors),
    )


def _epochs(parts: Mapping[str, RunRecord]) -> tuple[EpochRecord, ...]:
    """The figures of all tasks by epoch."""
    found = dict[float, dict[str, float]]()
    for task, record in parts.items():
        for each in record.epochs:
            figures = {f"{task}/{name}": value for name, value in each.figures.items()}
            found.setdefault(each.epoch, {}).update(figures)
    return tuple(EpochRecord(epoch=epoch, figures=found[epoch]) for epoch in sorted(found))


def _metrics(
    task: str, record: RunRecord, *, built_in: bool
) -> tuple[Mapping[str, float], Iterable[str]]:
    """Metrics of a task, and those under which it diverged."""
    if record.state == "diverged":
        # Predictions that are not finite, and the built-in training, name no metric.
        return {}, record.not_finite or ("accuracy",)
    if record.logits is None:
        return record.metrics, record.not_finite
    if built_in:  # it has accuracy from the same logits
        found = record.epochs[-1].figures["accuracy"]
        return {**record.metrics, "accuracy": found}, record.not_finite
    if record.targets is None:
        raise DataError(
            f"task {task} returned predictions without targets, and each task has its own; return "
            "{'predictions': logits, 'targets': targets}"
        )
    from seedwise.stats.metrics import accuracy  # most functions need no scipy

    found = float(accuracy(record.logits, record.targets))
    return {**record.metrics, "accuracy": found}, record.not_finite
