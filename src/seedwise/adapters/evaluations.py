"""Parts that adapters of training loops share: which evaluation is the run, and recording it.

A training loop evaluates its model again and again. The run is the evaluation of the model that
the framework keeps: the best one, where it is told to keep that; else the last.

A training that has ended is worth more than its record: nothing here raises once it has.
"""

import logging
import re
import shlex
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from seedwise.errors import DataError
from seedwise.executors.outcome import as_record
from seedwise.seeds import Seed
from seedwise.study import record
from seedwise.study.recording import check_free

__all__ = ["LOG", "Evaluation", "Evaluations", "StudyRun", "is_classification"]

LOG = logging.getLogger("seedwise")
"""Not `warnings`: where these are errors, one at the end of a training would throw it away."""

_SELECTION = (
    "a model chosen on the examples that score it looks better than it is, so compare only "
    "setups that choose in the same way"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """One evaluation of a model.

    Attributes:
        step: How far the training was, in the framework's count of optimizer steps.
        when: The same in words, e.g. `epoch 3`, counted from 1.
        predictions: Class scores of each example; None where there are none to keep.
        targets: The class of each example.
        metrics: What the framework was told, by its names.
    """

    step: int
    when: str
    predictions: Any = None
    targets: Any = None
    metrics: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def outcome(self) -> tuple[dict[str, Any], list[str]]:
        """Return what a study can keep, as a training function does; and the rest, with why."""
        kept, faults = dict[str, Any](), list[str]()
        if self.predictions is not None:
            scores = {"predictions": self.predictions, "targets": self.targets}
            try:
                as_record(scores, seconds=0.0)
                kept = scores
            except DataError as error:
                faults.append(f"the predictions are left out: {error}")
        for name, value in self.metrics.items():
            try:
                diverged = as_record({name: value}, seconds=0.0).state == "diverged"
            except DataError as error:
                faults.append(f"metric {name} is left out: {error}")
                continue
            if diverged and "predictions" in kept:  # a side metric: the predictions decide
                faults.append(f"metric {name} is left out: it was {value}")
            else:
                kept[name] = value
        return kept, faults


class Evaluations:
    """The evaluations of a training, of which the last and the kept one are held; and its clock.

    Attributes:
        last: The last evaluation; None before the first.
        rule: By what rule the framework keeps a model, in words; empty where it keeps the last.
    """

    _told_of_selection = False

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """The training begins: what was before is forgotten."""
        self.last: Evaluation | None = None
        self.rule = ""
        self._best: Evaluation | None = None
        self._told = False
        self._earlier, self._started = 0.0, time.perf_counter()

    def resume(
        self, *, last: Evaluation | None, best: Evaluation | None, rule: str, seconds: float
    ) -> None:
        """Go on where an earlier process was, which trained for `seconds`."""
        self.last, self._best, self.rule, self._earlier = last, best, rule, seconds

    def add(self, evaluation: Evaluation) -> None:
        """An evaluation of the training."""
        self.last = evaluation

    def extend(self, evaluation: Evaluation, metrics: Mapping[str, Any]) -> None:
        """More figures of an evaluation that is held, or newer ones, say of another set."""
        more = replace(evaluation, metrics={**evaluation.metrics, **metrics})
        if self._best is evaluation:
            self._best = more
        if self.last is evaluation:
            self.last = more

    def keep(self, rule: str, evaluation: Evaluation | None = None) -> None:
        """The framework keeps the model of this evaluation, or else of the last."""
        self._best, self.rule = evaluation or self.last, rule

    @property
    def best(self) -> Evaluation | None:
        """The evaluation of the model that is kept for being the best so far."""
        return self._best

    @property
    def chosen(self) -> Evaluation | None:
        """The evaluation that is the run's; None where nothing was evaluated."""
        return self._best or self.last

    @property
    def seconds(self) -> float:
        """Wall time since the training began, over all the processes that it took."""
        return self._earlier + time.perf_counter() - self._started

    def tell_choice(self, of: str) -> None:
        """Say which model is the run's, where it is not simply the last."""
        if self._best is None or self._told:
            return
        self._told = True
        LOG.warning("%s: the model of %s, %s", of, self._best.when, self.rule)
        if not Evaluations._told_of_selection:
            Evaluations._told_of_selection = True
            LOG.warning("%s", _SELECTION)


class StudyRun:
    """A training that becomes a run of a study when it ends.

    Args:
        path: The study file; made if there is none.
        setup: Name of the setup.
        seed: The run's seed.

    Raises:
        ConfigError: The seed cannot be one.
    """

    def __init__(
        self, path: str | PathLike[str], *, setup: str, seed: int | tuple[int, int, int] | Seed
    ) -> None:
        self._path, self._setup, self._seed = Path(path), setup, Seed.of(seed)
        self.stored = False

    def __eq__(self, other: object) -> bool:
        """True if both are of the same run of the same study."""
        ours = self._path, self._setup, self._seed
        return isinstance(other, StudyRun) and ours == (other._path, other._setup, other._seed)

    def __str__(self) -> str:
        return f"{self._setup}, seed {self._seed}"

    def check(self) -> None:
        """Refuse before the training what could not be recorded after it.

        Raises:
            ConfigError: The name cannot be one of a setup.
            RunExists: The study has the run, and not from this object.
            StudyError: The file is not a study, or seedwise trains this setup.
        """
        if not self.stored:
            check_free(self._path, setup=self._setup, seed=self._seed)

    def store(self, evaluation: Evaluation | None, *, seconds: float, rule: str = "") -> None:
        """Put the run into the study, or say what became of it; never raises.

        Args:
            evaluation: What the run is; None where nothing was evaluated.
            seconds: Wall time of the training.
            rule: By what rule its model was kept, in words.
        """
        if evaluation is None:
            LOG.warning("%s: not recorded, as nothing was validated", self)
            return
        kept, faults = evaluation.outcome()
        predictions, targets = kept.pop("predictions", None), kept.pop("targets", None)
        try:
            record(
                self._path,
                setup=self._setup,
                seed=self._seed,
                predictions=predictions,
                targets=targets,
                metrics=kept,
                seconds=seconds,
                made_by={"model": rule} if rule else {},
                watch=lambda doubt: LOG.warning("%s", doubt.text),
            )
            self.stored = True
        except Exception as error:  # a full disk, a locked file, whatever: the training goes on
            faults.append(f"not recorded: {error}")
            faults.append(self._set_aside(predictions, targets, kept, seconds))
        for fault in faults:
            LOG.warning("%s: %s", self, fault)

    def _set_aside(
        self, predictions: Any, targets: Any, metrics: Mapping[str, Any], seconds: float
    ) -> str:
        """Keep the run outside of the study; gives the command that records it from there."""
        command = ["seedwise", "record", str(self._path), "--setup", self._setup]
        command += ["--seed", str(self._seed), "--seconds", f"{seconds:.1f}"]
        if metrics:
            values = ",".join(f"{name}={float(value):.9g}" for name, value in metrics.items())
            command += ["--metrics", values]
        if predictions is not None:
            file = self._written(predictions, targets)
            if file is None:
                return "its predictions could not be written anywhere, and are lost"
            command += ["--predictions", str(file)]
        return f"to record it under another name or in another study: {shlex.join(command)}"

    def _written(self, predictions: Any, targets: Any) -> Path | None:
        """The arrays in a file beside the study, or where that cannot be written, elsewhere."""
        name = re.sub(r"[^\w.-]+", "_", f"{self._path.name}.{self._setup}-{self._seed}")
        for folder in (self._path.absolute().parent, Path(tempfile.gettempdir())):
            file = folder / f"{name}.npz"
            number = 1
            while file.exists():
                number += 1
                file = folder / f"{name}-{number}.npz"
            try:
                np.savez(file, predictions=np.asarray(predictions), targets=np.asarray(targets))
            except OSError:
                continue
            return file
        return None


def is_classification(predictions: Any, targets: Any) -> bool:
    """True if arrays are class scores (examples, classes) and one class number for each example.

    Scores of tokens, of pixels or of several labels are not, nor are a regression's.

    >>> is_classification(np.zeros((3, 2)), np.array([0, 1, 1]))
    True
    >>> is_classification(np.zeros((3, 1)), np.array([0.2, 1.4, 1.0]))
    False
    """
    if not (hasattr(predictions, "ndim") and hasattr(targets, "ndim")):
        return False
    if predictions.ndim != 2 or predictions.shape[1] < 2 or targets.ndim != 1:
        return False
    if len(predictions) != len(targets) or "int" not in str(targets.dtype):
        return False
    return len(targets) == 0 or bool(targets.min() >= 0 and targets.max() < predictions.shape[1])
