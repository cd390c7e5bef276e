"""Runs between which there is no difference: a setup, its twin, and a study file for both."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Self

from seedwise.comparison import NullComparisons
from seedwise.comparison.nulls import Judge, judge_nulls, t_judge
from seedwise.comparison.scores import metric_names
from seedwise.comparison.study_runs import StudyRuns
from seedwise.crops import crops_of_views
from seedwise.data import Split
from seedwise.errors import ConfigError, StudyError, UnknownName
from seedwise.outputs import check_output
from seedwise.seeds import Seed
from seedwise.setups import BUILT_IN, Setup
from seedwise.store import Store
from seedwise.study.fixing import fixed_tasks
from seedwise.study.repeat import check_training

__all__ = ["Nulls", "twin_of"]

_NUDGE = 1.0001
"""The twin's learning rate over the setup's: the same training, but not the same run. At full size
it moved 1 % of the predictions, where another seed moved 10 %."""

_KEPT_CHOICES = ("auto", "cpu_threads")
"""Choices that the nulls take over from the study, so that they are made as its runs are."""


def twin_of(setup: Setup) -> Setup | None:
    """The same training, nudged; None for a function that takes no learning rate from us."""
    return setup.but(lr=setup.lr * _NUDGE) if setup.train == BUILT_IN else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nulls:
    """The runs that null comparisons need, and the file that keeps them.

    Attributes:
        path: The study file of these runs.
        setup: Name of the setup.
        setups: The setup and, where there is one, its twin, by name.
        sets: Disjoint sets of seeds, one for each comparison.
        dataset: Name of the dataset; None where the setup's function brings its own.
        split: Its split.
        crops: The crops of each validation image that its runs ended with.
        seconds: How long a run of the setup took in the study; None where it has none.
    """

    path: Path
    setup: str
    setups: Mapping[str, Setup]
    sets: tuple[tuple[Seed, ...], ...]
    dataset: str | None
    split: Split | None
    crops: tuple[str, ...] | None
    seconds: float | None

    @classmethod
    def of(
        cls,
        study: Path,
        setup: str,
        *,
        comparisons: int,
        runs: int,
        train: str | None,
        store: str | PathLike[str] | None,
    ) -> Self:
        """Plan null comparisons of a setup of a study, and fix for them what the study fixed.

        Raises:
            ConfigError: Too few comparisons or runs, the study's own file for them, or a function
                of the setup's that `train` does not name.
            UnknownName: The study has no such setup.
        """
        if comparisons < 2 or runs < 2:
            raise ConfigError(
                "null comparisons need at least 2 sets of at least 2 runs, got "
                f"{comparisons} of {runs}"
            )
        path = study.with_name(f"{study.stem}-aa.db") if store is None else Path(store)
        check_output(path, study)  # null runs need a file of their own
        with Store.open(study, readonly=True) as source:
            setups = source.setups()
            if setup not in setups:
                raise UnknownName("setup", setup, setups)
            if fixed_tasks(source):
                raise ConfigError(
                    f"{study} is a suite, and null comparisons are of one task; make a study of "
                    "one of its tasks, and compare its runs with each other"
                )
            check_training(setup, setups[setup], train)
            known = source.dataset()
            took = [run.seconds for run in source.runs(setup) if run.state == "finished"]
            choices = {key: source.choice(key) for key in _KEPT_CHOICES}
        built_in = setups[setup].train == BUILT_IN
        with Store.open(path, create=True) as target:
            for key, value in choices.items():
                if value is not None:
                    target.fix_choice(key, value)
        twin = twin_of(setups[setup])
        return cls(
            path=path,
            setup=setup,
            setups=MappingProxyType(
                {setup: setups[setup]} | ({} if twin is None else {f"{setup} twin": twin})
            ),
            sets=tuple(
                tuple(Seed.of(number) for number in range(first, first + runs))
                for first in range(0, comparisons * runs, runs)
            ),
            dataset=known.name if known and built_in else None,
            split=Split.from_json(known.split) if known and built_in else None,
            crops=crops_of_views(known.views) if known and built_in else None,
            seconds=sum(took) / len(took) if took else None,
        )

    @property
    def seeds(self) -> tuple[Seed, ...]:
        """All seeds, set by set."""
        return tuple(seed for seeds in self.sets for seed in seeds)

    def judged(self, judge: Judge | None, *, alpha: float) -> NullComparisons:
        """Let a judge (None: the t test at `alpha`) compare the sets of runs that are stored.

        Raises:
            StudyError: No run has finished.
        """
        with StudyRuns.open(self.path) as study:
            metrics = metric_names(
                [run for run in study.of(self.setup) if run.state == "finished"]
            )
            if not metrics:
                raise StudyError(
                    f"no run of {self.setup!r} in {self.path} has finished; "
                    f"`seedwise status {self.path}` says why"
                )
            twin = next((name for name in self.setups if name != self.setup), None)
            return judge_nulls(
                study,
                self.setup,
                twin,
                self.sets,
                judge or t_judge(metric=metrics[0], alpha=alpha),
                metric=metrics[0],
            )
