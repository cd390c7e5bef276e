"""The Study that people hold: a study file, and what can be done with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from seedwise.comparison import (
    NullComparisons,
    RepeatComparison,
    Rule,
    Stop,
    StoppingRule,
    Summary,
    Variance,
    compare,
    compare_several,
    compare_with_target,
    decisions,
    run_table,
    summarise,
    variance,
)
from seedwise.comparison.metrics import DECIDING, check_better
from seedwise.comparison.nulls import Judge
from seedwise.comparison.planning import Planning, plan_from_pilot
from seedwise.comparison.rule import fixed_rule
from seedwise.comparison.stop_planning import Question
from seedwise.comparison.study_runs import StudyRuns
from seedwise.data import Split
from seedwise.errors import MissingPackage
from seedwise.executors.base import Executor
from seedwise.executors.functions import SetupLike
from seedwise.executors.registry import as_executor
from seedwise.live.events import Event, Watch
from seedwise.outputs import check_output, write_output
from seedwise.seeds import Seed
from seedwise.stats.multiplicity import Correction
from seedwise.stats.sequential import Decision
from seedwise.store import Store
from seedwise.study.making import Complain, Until, make_missing
from seedwise.study.nulls import Nulls
from seedwise.study.repeat import check_training, repeat_run, stored_result
from seedwise.study.seeding import SeedsLike
from seedwise.study.targets import StudyData, as_targets
from seedwise.words import Comparison, TargetComparison

if TYPE_CHECKING:
    from pandas import DataFrame

    from seedwise.report.charts import Chart

__all__ = ["Study"]


class Study:
    """Runs of several setups, kept in one file.

    Opening a study writes nothing; the file is made by the first `run`. Every method opens the
    file and closes it again, so that a Study may be kept as long as one likes.

    Args:
        path: The study file; made by the first run.
        dataset: Name of a known dataset, or a path to a folder of images or an archive. Needed by
            the built-in training; a study that exists remembers it.
        split: Which images validate: a name (`v1`, `v2`, `page`, `shipped`) or
            `{"per_class": 250, "seed": 1234}`; None takes the dataset's own.
        source: Where the dataset's folder or archive lies, if not in the cache.
        cache: Where downloads and decoded pixels are kept; None takes the user's cache folder.
        targets: Class of each example that the user's own functions predict, if they do not return
            it themselves; a study that exists remembers it.
        better: Whether a `lower` or a `higher` value is better, by the name of a metric, where the
            name does not settle it; kept in the file by `run`.

    Raises:
        ConfigError: Both a dataset and targets are given, or a direction is none.
        DataError: The targets are no class numbers.

    >>> study = Study("mine.db", dataset="imagenette", split="page")
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        dataset: str | None = None,
        split: str | Mapping[str, int] | Split | None = None,
        source: str | PathLike[str] | None = None,
        cache: str | PathLike[str] | None = None,
        targets: Any = None,
        better: Mapping[str, str] | None = None,
    ) -> None:
        self.path = Path(path)
        self._better = check_better(better or {})
        self._data = StudyData(
            dataset=dataset,
            split=None if split is None else Split.of(split),
            source=None if source is None else Path(source),
            cache=None if cache is None else Path(cache),
            targets=None if targets is None else as_targets(targets),
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
        time_limit: float | None = None,
        watch: Watch | None = None,
    ) -> Summary:
        """Make the runs that are missing: each setup with each seed, or until all is decided.

        Each run is stored as soon as it ends. Whatever ends this call, the runs that were stored
        stay, and the same call makes the others. The first call fixes, before any run is made,
        the setups, the seeds and the rule that verdicts are held to: a verdict on others is
        labelled exploratory.

        Args:
            setups: The setups by name. Instead of a setup there may be a function of one argument,
                the run's `Seed`, that returns `{"predictions": logits, "targets": classes}`,
                metrics by name, or one number; see `executors.functions` for what tells two apart.
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
            time_limit: Seconds after which a run is ended and counts as failed; None for no limit.
            watch: Told of all that happens, in this thread. Without it, runs that failed are told
                by a warning.

        Returns:
            The summary of the whole study, runs of earlier calls included.

        Raises:
            ConfigError: No setup, neither or both of `seeds` and `until`, no dataset for the
                built-in training, an unknown executor, or a training function that cannot be
                called, loaded, or run in another process.
            MissingPackage: A setup's loader, or the executor, needs a package that is not
                installed.
            StudyError: The file is no study, was made with other data, has another setup under
                one of the names, was begun without this stopping rule, or another program makes
                its runs at this moment.
        """
        return make_missing(
            self.path,
            setups,
            Until.of(setups, seeds, until, baseline, planned),
            data=self._data,
            rule=rule,
            better=self._better,
            executor=as_executor(executor, jobs=jobs, pack=pack, time_limit=time_limit),
            device=device,
            tell=watch or Complain(),
        )

    def decisions(self) -> Mapping[str, Decision]:
        """What the study's stopping rule says of each candidate; empty for a study without one."""
        with StudyRuns.open(self.path) as study:
            rule = StoppingRule.of(study)
            return {} if rule is None else decisions(study, rule)

    def summary(self) -> Summary:
        """What the study holds: for each setup the runs, their means and standard deviations."""
        with StudyRuns.open(self.path) as study:
            return summarise(study)

    def compare(
        self,
        a: str,
        b: str,
        *,
        metric: str | None = None,
        margin: float | None = None,
        confidence: float | None = None,
        paired: bool | None = None,
        better: str | None = None,
    ) -> Comparison:
        """Setup B against setup A, from the runs that are stored.

        What is None is as it was fixed before the first run, else as usual.

        Args:
            a: Name of the setup to compare with.
            b: Name of the setup that is compared.
            metric: The metric that decides, e.g. `accuracy`, `smoothed_accuracy:beta=10`, one that
                the runs returned, or `module:function`, which is loaded only where it is named
                here. Usually matched accuracy, for the sign only, with accuracy agreeing.
            margin: The largest difference of accuracy, as a fraction, that does not matter.
            confidence: Coverage of the intervals, in (0, 1). Usually 0.95.
            paired: Compare runs of the same seed with each other. Usually where most seeds are
                shared.
            better: Whether a `lower` or a `higher` value of the deciding metric is better, where
                neither its name nor the study says it.

        Raises:
            Unsettled: Nobody says which way the deciding metric points.
        """
        with StudyRuns.open(self.path) as study:
            rule = self._rule(study, metric, margin, confidence, paired, better)
            return Comparison.of(compare(study, a, b, rule, code=metric is not None))

    def compare_several(
        self,
        setups: Sequence[str] = (),
        *,
        against: Literal["first", "all"] = "first",
        correction: Correction = "holm",
        metric: str | None = None,
        margin: float | None = None,
        confidence: float | None = None,
        paired: bool | None = None,
        better: str | None = None,
    ) -> tuple[Comparison, ...]:
        """Several setups compared, with p-values corrected for their number.

        Args:
            setups: Their names, the baseline first; none for all of the study in their order.
            against: Each with the first, or every pair.
            correction: `holm` for verdicts, `bh` (Benjamini-Hochberg) for a screening.
            metric: As in `compare`, and so are the others.
            margin: As in `compare`.
            confidence: As in `compare`.
            paired: As in `compare`.
            better: As in `compare`.
        """
        with StudyRuns.open(self.path) as study:
            rule = self._rule(study, metric, margin, confidence, paired, better)
            names = tuple(setups) or tuple(study.setups)
            found = compare_several(
                study,
                names,
                rule,
                against=against,
                correction=correction,
                code=metric is not None,
            )
        return tuple(map(Comparison.of, found))

    def compare_with_target(
        self,
        setup: str,
        target: float,
        *,
        metric: str | None = None,
        confidence: float | None = None,
        better: str | None = None,
    ) -> TargetComparison:
        """One setup against a fixed number, e.g. an accuracy of 0.835.

        Args:
            setup: Name of the setup.
            target: The number, in the metric's units, taken as exact.
            metric: The metric that it is of; usually accuracy.
            confidence: As in `compare`.
            better: As in `compare`.
        """
        with StudyRuns.open(self.path) as study:
            rule = self._rule(study, metric, None, confidence, None, better)
            found = compare_with_target(study, setup, target, rule, code=metric is not None)
            return TargetComparison.of(found)

    def plan(
        self,
        *setups: str,
        differences: Iterable[float] = Question().differences,
        runs: int | None = None,
        margin: float | None = None,
        power: float = 0.8,
        alpha: float = 0.05,
        max_runs: int | None = None,
        seed: int = 0,
    ) -> Planning:
        """How many runs a difference needs, with the stored runs as a pilot.

        Args:
            setups: One setup, or the two that are to be compared.
            differences: True differences to be shown; of accuracy as fractions.
            runs: A number of runs of each setup, to be told what difference it can show.
            margin: Margin of equivalence, as a fraction of accuracy.
            power: The chance of showing a difference that is there.
            alpha: Rate of false alarms.
            max_runs: With `margin`, to be told what `Stop(difference=margin, max_runs=...)` with
                this power and alpha would do with one candidate: pairs and verdicts for each of
                the differences, and for none; 3 to 300.
            seed: Of the simulation that tells it.
        """
        question = Question(
            differences=tuple(differences),
            runs=runs,
            margin=margin,
            wanted=power,
            alpha=alpha,
            max_runs=max_runs,
            seed=seed,
        )
        with StudyRuns.open(self.path) as study:
            return plan_from_pilot(study, setups, question)

    def variance(self, setup: str) -> Variance:
        """Where the run-to-run noise of a setup comes from, as far as its stored runs can tell.

        Args:
            setup: Name of the setup.
        """
        with StudyRuns.open(self.path) as study:
            return variance(study, setup)

    def report(
        self,
        path: str | PathLike[str] = "report.html",
        *,
        setups: Sequence[str] = (),
        metric: str | None = None,
    ) -> Path:
        """Write all that the study shows to one HTML file that needs no network.

        Args:
            path: The file; one that exists is replaced once the report is whole.
            setups: Their names, the baseline first; none for all that have a result.
            metric: As in `compare`.

        Returns:
            The file.

        Raises:
            StudyError: There is no result to show.
        """
        from seedwise.report.page import report_html
        from seedwise.study.thumbnails import thumbnails

        file = Path(path)
        check_output(file, self.path)
        with StudyRuns.open(self.path) as study:
            pictures = thumbnails(study, self._data.cache)
            page = report_html(
                study, setups, metric=metric, better=self._better, thumbnails=pictures
            )
        write_output(file, page)
        return file

    def chart(self, kind: str, *setups: str, metric: str | None = None) -> "Chart":
        """One of the report's charts, to show in a notebook or to save as SVG or PNG.

        Args:
            kind: `forest`, `runs`, `trace`, `curves`, `metrics`, `variance`, `sources`, `classes`
                or `images`.
            setups: Their names, the baseline first; none for all that have a result.
            metric: As in `compare`.

        Raises:
            UnknownName: No such kind of chart, or no such setup.
            StudyError: The study lacks what the chart takes.
        """
        from seedwise.report.charts import chart
        from seedwise.report.findings import Findings

        with StudyRuns.open(self.path) as study:
            return chart(kind, Findings(study, setups, metric=metric, better=self._better))

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
            references = self._data.references(store, [trained], tell)
            return repeat_run(store, run, trained, references, device=device, watch=tell)

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
        study file of their own; stopped at any moment, the same call goes on.

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
        study = Study(
            nulls.path,
            dataset=nulls.dataset,
            split=nulls.split,
            source=self._data.source,
            cache=self._data.cache,
        )
        study.run(
            nulls.setups, seeds=nulls.seeds, jobs=jobs, pack=pack, device=device, watch=watch
        )
        return nulls.judged(judge, alpha=alpha)

    def runs(self) -> "DataFrame":
        """Every stored run as a row of a pandas DataFrame.

        Columns: `setup`, the three seeds, `state`, `seconds`, `ended_at` (UTC), every metric
        (accuracies as fractions; NaN where a run has none), and `error`.

        Raises:
            MissingPackage: pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise MissingPackage("pandas", "Study.runs()", extra="pandas") from None
        with StudyRuns.open(self.path) as study:
            table = run_table(study)
        return pandas.DataFrame(table.rows, columns=list(table.columns))

    def _rule(
        self,
        study: StudyRuns,
        metric: str | None,
        margin: float | None,
        confidence: float | None,
        paired: bool | None,
        better: str | None,
    ) -> Rule:
        """The rule that was fixed, with what is said instead."""
        said = {"metric": metric, "margin": margin, "confidence": confidence, "paired": paired}
        given = {name: value for name, value in said.items() if value is not None}
        ways = dict(self._better) if better is None else {**self._better, DECIDING: better}
        return replace(fixed_rule(study), **given, better=ways)

    def __repr__(self) -> str:
        return f"Study({str(self.path)!r})"

    def _repr_html_(self) -> str | None:
        """What a notebook shows: the summary, once there is something."""
        return self.summary()._repr_html_() if self.path.exists() else None


def _ignore(event: Event) -> None:
    """Nobody watches."""
