"""Findings of a study, each part worked out when it is first asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy import ndarray

from seedwise.comparison import (
    ComparisonValues,
    Rule,
    StoppingRule,
    Variance,
    compare_several,
    decisions,
    variance,
)
from seedwise.comparison.copies import independent_runs
from seedwise.comparison.history import LearningCurve, learning_curve, logged_figures
from seedwise.comparison.metrics import (
    accuracy_over,
    default_metric,
    direction_of,
    find_metric,
    names_code,
    stated_directions,
)
from seedwise.comparison.predicted import ClassDifference, Predicted, class_differences, predicted
from seedwise.comparison.rule import fixed_rule
from seedwise.comparison.scores import KEPT_METRICS, metric_names, metric_values
from seedwise.comparison.settling import Settling, settled, settled_by_rule
from seedwise.comparison.study_runs import StudyRuns, all_have_logits, metrics_of_any
from seedwise.comparison.suite import SuiteValues, compare_suite
from seedwise.comparison.tasks import suite_metric
from seedwise.comparison.tradeoff import costs_of
from seedwise.comparison.variance import SignalTable
from seedwise.data.known import class_words
from seedwise.errors import CodeNotRun, ConfigError, StudyError, UnknownName, Unsettled
from seedwise.figures import in_points
from seedwise.records import DatasetRecord
from seedwise.report.papers import Sampled
from seedwise.seeds import Seed
from seedwise.setups import BUILT_IN
from seedwise.shaped import Int64
from seedwise.stats.intervals import Sample
from seedwise.stats.sequential import Decision
from seedwise.store import StoredRun

__all__ = ["NOISE_RUNS", "Findings"]

NOISE_RUNS = 50
"""Runs of each setup whose noise is taken apart: a dozen metrics of 500 runs take 7 s, of 50
0.7 s, and a standard deviation is known to a tenth by then."""


_MOST_GROUPS = 200
"""With more groups the intervals that hold for all of them together say nothing."""


@final
class Findings:
    """Findings of a study about some of its setups.

    The store stays open as long as this is used, and is only read.

    Args:
        study: The study.
        setups: Their names, the baseline first; none for all that have a result.
        metric: The metric that decides; None for the one that was fixed, else the usual one.
        better: Which way metrics point, by name, beside what the study states.
        said: Margin, cost and saving, as far as they are said instead of what was fixed.

    Raises:
        UnknownName: No such setup.
        StudyError: No setup has a result yet, or one that was named has none.
        ConfigError: A cost is said, and tasks are compared.
    """

    def __init__(
        self,
        study: StudyRuns,
        setups: Sequence[str] = (),
        *,
        metric: str | None = None,
        better: Mapping[str, str] | None = None,
        said: Mapping[str, Any] | None = None,
    ) -> None:
        self.study = study
        self.runs: Mapping[str, Sequence[StoredRun]] = {
            **study.by_setup,
            **{name: study.of(name) for name in setups},  # dropped ones, and those at a commit
        }
        self.setups = self._chosen(tuple(setups))
        self._metric = metric
        self._said = dict(said or {}) if metric is None else {**(said or {}), "metric": metric}
        self._finished = dict[str, list[StoredRun]]()
        self.stated = stated_directions(study, better)
        costs = [name for name in ("cost", "saving") if name in self._said]
        if costs and self.suite is not None:
            raise ConfigError(f"--{costs[0]} is for setups compared on one metric, without tasks")

    def _chosen(self, setups: tuple[str, ...]) -> tuple[str, ...]:
        ready = [n for n, runs in self.runs.items() if any(r.state != "failed" for r in runs)]
        lacking = [name for name in setups if name not in ready]
        if lacking or not ready:
            what = f"setup {lacking[0]!r}" if lacking else str(self.study.path)
            raise StudyError(f"{what} has no finished run yet; there is nothing to show")
        if setups:
            return tuple(dict.fromkeys(setups))
        first = self.stopping.baseline if self.stopping else ready[0]
        return tuple(sorted(ready, key=lambda name: name != first))

    @cached_property
    def dataset(self) -> DatasetRecord | None:
        """The images; None for a study of plain metrics."""
        return self.study.dataset

    @property
    def called(self) -> str:
        """Name of the examples, as a plural."""
        return self.study.called

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The classes in words."""
        return tuple(map(class_words, self.dataset.classes)) if self.dataset else ()

    @cached_property
    def rule(self) -> Rule:
        """Rule of the verdicts."""
        return replace(fixed_rule(self.study), better=self.stated, **self._said)

    @property
    def comparisons(self) -> tuple[ComparisonValues, ...]:
        """Each setup against the first; empty where nothing can be compared (`unjudged`)."""
        return self._compared_or_why[0]

    @property
    def unjudged(self) -> str:
        """Reason why nothing is compared; empty where something is."""
        return self._compared_or_why[1]

    @cached_property
    def _compared_or_why(self) -> tuple[tuple[ComparisonValues, ...], str]:
        if len(self.setups) < 2:
            return (), "There is only one setup, so nothing is compared."
        if self.suite is not None:
            return (), "" if self.suites else "No verdict: the setups share no two tasks."
        try:
            code = self._metric is not None
            return compare_several(self.study, self.setups, self.rule, code=code), ""
        except (CodeNotRun, Unsettled) as error:
            return (), f"No verdict: {error}."

    @cached_property
    def suite(self) -> str | None:
        """Name of the metric that is compared over tasks; None where there are none."""
        return suite_metric(self.study, self.rule.metric)

    @cached_property
    def suites(self) -> tuple[SuiteValues, ...]:
        """Each setup against the first over the tasks; empty where there are none."""
        if self.suite is None or len(self.setups) < 2:
            return ()
        try:
            return compare_suite(self.study, self.setups, self.rule, self.suite)
        except StudyError:
            return ()

    def shown_direction(self, metric: str) -> str:
        """Direction of a metric in words; empty for accuracies, and where it is unknown."""
        way = None if in_points(metric) else direction_of(metric, self.stated)
        return f"{way} is better" if way else ""

    @cached_property
    def stopping(self) -> StoppingRule | None:
        """The study's stopping rule."""
        return StoppingRule.of(self.study)

    @cached_property
    def decisions(self) -> Mapping[str, Decision]:
        """Decisions of the stopping rule on the candidates among the setups."""
        rule = self.stopping
        if rule is None or rule.baseline not in self.setups:
            return {}
        found = decisions(self.study, rule)
        return {name: each for name, each in found.items() if name in self.setups and each.n}

    @cached_property
    def metric(self) -> str:
        """The metric that runs are shown under where nothing is compared."""
        finished = [run for name in self.setups for run in self.finished(name)]
        metric = self.rule.metric
        if self.suite is not None:
            known = metrics_of_any(finished)
            names = [f"{task}/{self.suite}" for task in self.study.tasks]
            return next((name for name in names if name in known), names[0])
        if metric and (metric == self._metric or not names_code(metric, finished)):
            return metric
        if all_have_logits(finished):
            return accuracy_over(finished)
        return default_metric(finished)

    @cached_property
    def large(self) -> bool:
        """True if runs have logits so large that only results kept of them are looked at."""
        return any(self.study.large(run) for name in self.setups for run in self.finished(name))

    def finished(self, setup: str) -> list[StoredRun]:
        """The finished runs of a setup that share no seed with one another, by seed."""
        if setup not in self._finished:
            results = independent_runs(run for run in self.runs[setup] if run.state != "failed")
            runs = [run for run in results if run.state == "finished"]
            self._finished[setup] = sorted(runs, key=lambda run: run.seed)
        return self._finished[setup]

    def values(self, metric: str) -> Mapping[str, Mapping[Seed, float]]:
        """A metric of each setup's finished runs."""
        found: dict[str, Mapping[Seed, float]] = {}
        for name in self.setups:
            runs = self.finished(name)
            known = self._compared(name, metric)
            if known is None:
                by_id = self._values(metric, runs) if runs else {}
                known = {run.seed: by_id[run.id] for run in runs if run.id in by_id}
            found[name] = {run.seed: known[run.seed] for run in runs if run.seed in known}
        return found

    def costs(self, cost: str) -> Mapping[str, Mapping[Seed, float]]:
        """Cost of each setup's finished runs; without those that do not say it."""
        found: dict[str, Mapping[Seed, float]] = {}
        for name in self.setups:
            runs = self.finished(name)
            priced = zip(runs, costs_of(runs, cost).tolist(), strict=True) if runs else ()
            found[name] = {run.seed: value for run, value in priced if np.isfinite(value)}
        return found

    def _values(self, metric: str, runs: Sequence[StoredRun]) -> Mapping[int, float]:
        """A metric of some runs; it may be a function where the caller named it."""
        found = find_metric(metric, runs, code=metric == self._metric)
        return metric_values(self.study, found, runs)

    def _compared(self, setup: str, metric: str) -> Mapping[Seed, float] | None:
        """The values that a comparison has read already."""
        for found in self.comparisons:
            contrast = found.contrasts.get(metric)
            if contrast is None:
                continue
            if setup == found.a.name:
                return dict(zip(contrast.seeds_a, contrast.values_a, strict=True))
            if setup == found.b.name:
                return dict(zip(contrast.seeds_b, contrast.values_b, strict=True))
        return None

    def sampled(self) -> tuple[Sampled, ...]:
        """Each setup with a finished run, for a table: under the metrics that a verdict shows."""
        finished = [run for name in self.setups for run in self.finished(name)]
        names = metric_names([run for run in finished if not run.has_logits])
        if self.comparisons:
            names = (*self.comparisons[0].contrasts, *names)
        elif self.predicted:
            names = ("accuracy", "smoothed_accuracy") if self.dataset else ()
        values = {name: self.values(name) for name in dict.fromkeys((*names, self.metric))}
        return tuple(
            Sampled(
                setup=setup,
                finished=len(runs),
                diverged=sum(run.state == "diverged" for run in self.runs[setup]),
                samples={
                    name: Sample.of(np.array(list(each[setup].values())))
                    for name, each in values.items()
                },
                test_to_train=self.study.test_to_train,
            )
            for setup in self.setups
            if (runs := self.finished(setup))
        )

    def settlings(self, setup: str) -> tuple[Settling, ...]:
        """Settling of a candidate's difference: by accuracy, and by what decides the sign."""
        rule, decision = self.stopping, self.decisions.get(setup)
        if rule is not None and decision is not None:
            names = dict.fromkeys((decision.judged, decision.metric))
            alpha, margin = rule.for_one().alpha, rule.stop.difference
            return tuple(
                settled_by_rule(rule.baseline, setup, decision, name, alpha=alpha, margin=margin)
                for name in names
            )
        found = next((each for each in self.comparisons if each.b.name == setup), None)
        if found is None:
            return ()
        sized = (found.accuracy.metric,) if found.accuracy else ()
        names = dict.fromkeys((*sized, found.deciding.metric))
        return tuple(each for name in names if (each := settled(found, name)) is not None)

    @cached_property
    def curves(self) -> tuple[tuple[LearningCurve, ...], ...]:
        """The figures after each epoch, of each setup whose runs have them; what decides first."""
        built_in = {name: self.study.setup_of(name).train == BUILT_IN for name in self.setups}
        figures = {
            figure: None
            for name in self.setups
            for figure in logged_figures(self.runs[name], built_in=built_in[name])
        }
        first = (self._metric or self.rule.metric, "accuracy")
        ordered = sorted(figures, key=lambda f: first.index(f) if f in first else len(first))
        drawn = (
            tuple(
                curve
                for name in self.setups
                if (curve := learning_curve(name, f, self.runs[name], built_in=built_in[name]))
            )
            for f in ordered
        )
        return tuple(curves for curves in drawn if curves)

    def refuse_unlogged(self) -> None:
        """Refuse a metric that was asked for where only logged figures can be drawn.

        Raises:
            UnknownName: No run has logged it.
        """
        known = [curves[0].figure for curves in self.curves]
        if known and self._metric is not None and self._metric not in known:
            raise UnknownName("figure of epochs", self._metric, known)

    @cached_property
    def noise(self) -> tuple[Variance, ...]:
        """Sources of the noise of each setup, from its first runs; none of folds."""
        if self.study.test_to_train:
            return ()
        first, *others = self.setups
        return tuple(
            variance(
                self.study,
                name,
                most=NOISE_RUNS,
                metrics=KEPT_METRICS if self.large and all_have_logits(runs) else None,
                others=others if name == first else (),
                confidence=self.rule.confidence,
            )
            for name in self.setups
            if (runs := self.finished(name))
        )

    @property
    def signals(self) -> tuple[SignalTable, ...]:
        """Tables of each metric's signal, one a candidate."""
        return tuple(table for noise in self.noise for table in noise.signals)

    @cached_property
    def predicted(self) -> Mapping[str, Predicted]:
        """Predictions or scores of each setup's runs; without setups that have none."""
        found = {
            name: predicted(self.study, name, self.runs[name], self.metric) for name in self.setups
        }
        return {name: each for name, each in found.items() if each is not None}

    @cached_property
    def classes(self) -> Mapping[str, tuple[ClassDifference, ...]]:
        """The candidates class by class; none where there are no predictions."""
        dataset = self.dataset
        if dataset is None:
            return {}
        return self._by_label(dataset.targets, self.class_names)

    @cached_property
    def groups(self) -> Mapping[str, tuple[ClassDifference, ...]]:
        """The candidates group by group; none where examples have none, or very many."""
        groups = self.study.groups
        if groups is None or len(groups.names) > _MOST_GROUPS:
            return {}
        return self._by_label(groups.place, groups.names)

    def _by_label(
        self, labels: Int64[ndarray, " examples"], names: tuple[str, ...]
    ) -> Mapping[str, tuple[ClassDifference, ...]]:
        found: dict[str, tuple[ClassDifference, ...]] = {}
        for each in self.comparisons:
            a, b = (self.predicted.get(side.name) for side in (each.a, each.b))
            if a is None or b is None or each.of_models:
                continue
            found[each.b.name] = class_differences(
                a, b, labels, names, paired=each.paired, confidence=each.rule.confidence
            )
        return found
