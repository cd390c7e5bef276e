"""The Study that people hold: a study file, and what can be done with it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from seedwise.cards import Devices
from seedwise.comparison import (
    NullComparisons,
    RepeatComparison,
    Rule,
    Stop,
    Summary,
)
from seedwise.comparison.nulls import Judge
from seedwise.comparison.study_runs import StudyRuns
from seedwise.crops import as_crops
from seedwise.data import Split
from seedwise.executors.base import Executor
from seedwise.executors.functions import SetupLike
from seedwise.executors.registry import as_executor
from seedwise.executors.tasks import as_tasks
from seedwise.live.claim import claimed
from seedwise.live.ended import EndedRun, ended_runs
from seedwise.live.events import Event, Watch
from seedwise.seeds import Seed
from seedwise.store import Store
from seedwise.study.fixing import fixed_tasks
from seedwise.study.making import make_missing
from seedwise.study.nulls import Nulls
from seedwise.study.reading import StudyReader
from seedwise.study.repeat import check_training, repeat_run, stored_result
from seedwise.study.seeding import SeedsLike
from seedwise.study.showing import watched
from seedwise.study.targets import StudyData, as_targets
from seedwise.study.until import Until

__all__ = ["Study"]


class Study(StudyReader):
    """Runs of several setups, kept in one file.

    Opening a study writes nothing; the file is made by the first `run`. Every method opens the
    file and closes it again, so that a Study may be kept as long as one likes.

    Args:
        path: The study file; made by the first run.
        dataset: Name of a known dataset, or a path to a folder of images or an archive. Needed by
            the built-in training; a study that exists remembers it.
        split: Which images validate: a name (`v1`, `v2`, `page`, `shipped`) or
            `{"per_class": 250, "seed": 1234}`; None takes the dataset's own.
        views: Views of each validation image that runs end with, each counted as an example: 2, 4,
            10 or 16; or the names of crops, such as `["centre", "corners"]`, each of which is
            shown as it is and mirrored. None takes the notebook's 2, or those of the file.
        source: Where the dataset's folder or archive lies, if not in the cache.
        cache: Where downloads and decoded pixels are kept; None takes the user's cache folder.
        targets: Class of each example that the user's own functions predict, if they do not return
            it themselves; a study that exists remembers it.
        better: Whether a `lower` or a `higher` value is better, by the name of a metric, where the
            name does not settle it; kept in the file by `run`.
        called: What the examples are called, as a plural: questions, episodes; kept in the file
            by `run`. Left out, they are called images where there are predictions, else examples.
        tasks: The tasks of a suite by name, two or more, each with the arguments that a training
            function gets beside the seed: `{"digits": {"epochs": 5}, "faces": {"epochs": 20}}`. A
            run is then a setup with one seed on all tasks, with metrics `task/metric`. The
            built-in training takes dataset, source, split and the fields of a setup.
        bank: Another study file: its runs of the baseline are copied into this study instead of
            training them again, if they are of the same setup, data, code and versions.

    Raises:
        ConfigError: Both a dataset and targets are given, a direction is none, tasks are none, or
            there are no such views.
        DataError: The targets are not class numbers.

    >>> study = Study("mine.db", dataset="imagenette", split="page")
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        dataset: str | None = None,
        split: str | Mapping[str, int] | Split | None = None,
        views: int | Sequence[str] | None = None,
        source: str | PathLike[str] | None = None,
        cache: str | PathLike[str] | None = None,
        targets: Any = None,
        better: Mapping[str, str] | None = None,
        called: str | None = None,
        tasks: Mapping[str, Mapping[str, Any]] | None = None,
        bank: str | PathLike[str] | None = None,
    ) -> None:
        where = None if cache is None else Path(cache)
        super().__init__(Path(path), cache=where, better=better)
        self._data = StudyData(
            dataset=dataset,
            split=None if split is None else Split.of(split),
            source=None if source is None else Path(source),
            cache=where,
            targets=None if targets is None else as_targets(targets),
            called=called,
            tasks=as_tasks(tasks),
            bank=None if bank is None else Path(bank),
            crops=None if views is None else as_crops(views),
        )

    def run(
        self,
        setups: Mapping[str, SetupLike],
        *,
        seeds: SeedsLike | None = None,
        planned: SeedsLike | None = None,
        until: Stop | None = None,
        baseline: str | None = None,
        rule: Rule | None = None,
        executor: str | Executor = "local",
        jobs: int | None = None,
        pack: int | Literal["auto"] | None = None,
        device: str = "auto",
        devices: Devices | None = None,
        time_limit: float | None = None,
        code_unchanged: bool = False,
        progress: bool | None = None,
        watch: Watch | None = None,
    ) -> Summary:
        """Make the runs that are missing: each setup with each seed, or until all is decided.

        Each run is stored as soon as it ends. Whatever ends this call, the runs that were stored
        stay, and the same call makes the others. The first call fixes, before any run is made,
        the setups, the seeds and the rule that verdicts are held to: a verdict on others is
        labelled exploratory.

        Args:
            setups: The setups by name. Instead of a setup there may be a function of one argument,
                the run's `Seed` (in a suite also of the arguments of its tasks), that returns
                `{"predictions": logits, "targets": classes}`, `{"scores": {"f1": one number for
                each example}}`, metrics by name, or one number; see `seedwise.code` for what
                tells two apart.
            seeds: A number n for seeds 0 to n - 1, or the seeds.
            planned: The seeds of the whole study, where `seeds` are a part of them: a job of an
                array makes its part in a file of its own, and `seedwise merge` puts the parts
                together. None takes `seeds`.
            until: When to stop, instead of seeds. The rule is kept in the study before the first
                run and cannot change afterwards; `decisions` tells what it says.
            baseline: Name of the setup that `until` compares the others with; None for the first.
            rule: How verdicts are to be reached; None takes the usual rule.
            executor: Where runs are made: `local` is this machine, `ray` a Ray on this machine; or
                a LocalExecutor or RayExecutor, which says more.
            jobs: Runs side by side; None chooses, and makes one of the user's functions at a time.
                More than one is done in processes, which import the functions by name.
            pack: Runs side by side on one GPU: a number, or `auto` for as many as `jobs` says, or
                else as pay and have room; None takes the executor's default, `auto` for `local`.
            device: `auto`, `cpu` or `cuda`.
            devices: GPUs to use: how many, or which, as numbers from 0 of those that are visible;
                None for all. Each has a process that sees no other, for functions too. A script
                that is not guarded by `if __name__ == "__main__"` gets one.
            time_limit: Seconds after which a run is ended and counts as failed; None for no limit.
            code_unchanged: Accept code that differs from that of the stored runs but trains the
                same; it is kept beside the old one. Changes to comments, layout and docstrings do
                not count.
            progress: Show what `seedwise run` shows: True always (as lines where there is no
                terminal), False never; None on a terminal and in a notebook. Where nothing is
                shown, failed runs give a warning.
            watch: Told of all that happens, in this thread, instead of showing it.

        Returns:
            The summary of the whole study, runs of earlier calls included.

        Raises:
            ConfigError: No setup, neither or both of `seeds` and `until`, no dataset for the
                built-in training, an unknown executor, or a training function that cannot be
                called, loaded, or run in another process.
            MissingPackage: A setup's loader, or the executor, needs a package that is not
                installed.
            CodeChanged: Stored runs of one of the setups were made by other code.
            StudyError: The file is not a study, was made with other data or tasks, has another
                setup
                under one of the names, was begun without this stopping rule or bank, the bank's
                runs are others than this study would make, or another program makes its runs at
                this moment.
        """
        wanted = Until.of(setups, seeds, until, baseline, planned)
        with watched(watch, progress, lambda: self._stored(setups, wanted.seeds)) as tell:
            return make_missing(
                self.path,
                setups,
                wanted,
                data=self._data,
                rule=rule,
                better=self._better,
                executor=as_executor(
                    executor, jobs=jobs, pack=pack, time_limit=time_limit, devices=devices
                ),
                device=device,
                code_unchanged=code_unchanged,
                tell=tell,
            )

    def _stored(self, setups: Collection[str], seeds: Collection[Seed]) -> list[EndedRun]:
        """The runs of some setups and seeds that are in the file."""
        with StudyRuns.open(self.path) as runs:
            return ended_runs(runs, setups, seeds)

    def repeat(
        self,
        setup: str,
        seed: int | tuple[int, int, int] | Seed,
        *,
        train: str | None = None,
        device: str = "auto",
        watch: Watch | None = None,
    ) -> RepeatComparison:
        """Train a stored run again, keep the repeat beside it, and compare the two.

        Args:
            setup: Name of the setup.
            seed: Seed of the run.
            train: The function that trains the setup, "module:function", if that is not the
                built-in training: no code is run because a study file names it.
            device: `auto`, `cpu` or `cuda`; auto takes what the run was made on.
            watch: Told of all that happens, in this thread.

        Raises:
            UnknownName: The study has no such setup.
            ConfigError: Its function is not the one named here, or cannot be loaded.
            StudyError: It has no finished or diverged run with this seed, the data are others
                than the run's, or the repeat failed.
        """
        tell = watch or _ignore
        with Store.open(self.path) as store:
            run = stored_result(store, setup, Seed.of(seed))
            trained = store.setups()[setup]
            check_training(setup, trained, train)
            tasks = fixed_tasks(store)
            data = replace(self._data, tasks=tasks)
            references = data.references(store, [trained], tell)
            return repeat_run(store, run, trained, references, tasks, device=device, watch=tell)

    def drop(self, setup: str) -> str:
        """Set a setup and its runs aside: they stay in the file, and count in nothing.

        The name is free, for a setup that is trained anew; verdicts on that one are exploratory.

        Args:
            setup: Name of the setup.

        Returns:
            The name under which its runs can be looked at, e.g. `relu~1`.

        Raises:
            UnknownName: The study has no such setup.
            StudyError: It was dropped already, or a program makes the study's runs at this moment.
        """
        with Store.open(self.path) as store, claimed(self.path):
            return store.drop_setup(setup)

    def null_comparisons(
        self,
        setup: str,
        *,
        comparisons: int = 20,
        runs: int = 5,
        alpha: float = 0.05,
        judge: Judge | None = None,
        train: str | None = None,
        store: str | PathLike[str] | None = None,
        jobs: int | None = None,
        pack: int | Literal["auto"] | None = None,
        device: str = "auto",
        watch: Watch | None = None,
    ) -> NullComparisons:
        """Compare a setup with itself, many times over, and count how often a verdict objects.

        Trains the setup and its twin (learning rate x 1.0001) on disjoint sets of seeds, in a
        study file of their own; stopped at any moment, the same call continues.

        Args:
            setup: Name of the setup.
            comparisons: Sets of seeds.
            runs: Seeds in each.
            alpha: Rate of false alarms of the usual judge.
            judge: Says whether two sets of runs differ; None takes the t test of accuracy (or
                of the first metric that the training returns).
            train: As in `repeat`.
            store: The study file for these runs; None puts it beside this one, as STUDY-aa.db.
            jobs: As in `run`.
            pack: As in `run`.
            device: As in `run`.
            watch: As in `run`.
        """
        nulls = Nulls.of(
            self.path, setup, comparisons=comparisons, runs=runs, train=train, store=store
        )
        data = replace(
            self._data,
            dataset=nulls.dataset,
            split=nulls.split,
            crops=nulls.crops,
            targets=None,
        )
        with watched(watch, None, lambda: Study(nulls.path)._stored(nulls.setups, ())) as tell:
            make_missing(
                nulls.path,
                nulls.setups,
                Until.of(nulls.setups, nulls.seeds, None, None, None),
                data=data,
                rule=None,
                better={},
                executor=as_executor("local", jobs=jobs, pack=pack, time_limit=None),
                device=device,
                usual=nulls.seconds,
                tell=tell,
            )
        return nulls.judged(judge, alpha=alpha)


def _ignore(event: Event) -> None:
    """Nobody watches."""
