"""Questions to a study file: the half of `Study` that reads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, overload

from seedwise.comparison import (
    Rule,
    StoppingRule,
    Variance,
    compare,
    compare_several,
    compare_with_target,
    decisions,
    variance,
)
from seedwise.comparison.metrics import DECIDING
from seedwise.comparison.planning import Planning, plan_from_pilot
from seedwise.comparison.rule import fixed_rule
from seedwise.comparison.stop_planning import Question
from seedwise.comparison.study_runs import StudyRuns
from seedwise.comparison.suite import compare_suite
from seedwise.comparison.tasks import suite_metric
from seedwise.errors import ConfigError, StudyError
from seedwise.stats.multiplicity import Correction
from seedwise.stats.sequential import Decision
from seedwise.stats.suites import Over
from seedwise.study.views import StudyViews
from seedwise.words import Comparison, SuiteComparison, TargetComparison

__all__ = ["StudyReader"]


class StudyReader(StudyViews):
    """A study file that is looked at: verdicts, figures, plans, charts and reports. See `Study`.

    Args:
        path: The study file.
        cache: Where decoded pixels are kept, for pictures; None takes the user's cache folder.
        better: As in `Study`.
    """

    def decisions(self) -> Mapping[str, Decision]:
        """The decision of the stopping rule on each candidate; empty for a study without one."""
        with StudyRuns.open(self.path) as study:
            rule = StoppingRule.of(study)
            return {} if rule is None else decisions(study, rule)

    @overload
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
        cost: str | None = None,
        saving: float | None = None,
    ) -> Comparison: ...

    @overload
    def compare(
        self,
        *,
        metric: str | None = None,
        margin: float | None = None,
        confidence: float | None = None,
        paired: bool | None = None,
        better: str | None = None,
        cost: str | None = None,
        saving: float | None = None,
    ) -> tuple[Comparison, ...]: ...

    def compare(
        self,
        a: str | None = None,
        b: str | None = None,
        *,
        metric: str | None = None,
        margin: float | None = None,
        confidence: float | None = None,
        paired: bool | None = None,
        better: str | None = None,
        cost: str | None = None,
        saving: float | None = None,
    ) -> Comparison | tuple[Comparison, ...]:
        """Setup B against setup A, from the runs that are stored.

        With no name, all setups of the study against its first, as `seedwise compare` has them
        and `compare_several` gives them. What is None is as it was fixed before the first run,
        else as usual.

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
            cost: What a run costs: `seconds`, or a metric that all runs have. Asks whether B is
                cheaper by more than `saving` and not worse by the margin.
            saving: The share by which the cost is to be lower; any where it is left out.

        Raises:
            Unsettled: Nobody says which way the deciding metric points.
        """
        if a is None and b is None:
            return self.compare_several(
                metric=metric,
                margin=margin,
                confidence=confidence,
                paired=paired,
                better=better,
                cost=cost,
                saving=saving,
            )
        if a is None or b is None:
            raise ConfigError(f"name two setups to compare, or none for all; got {a or b!r}")
        with StudyRuns.open(self.path) as study:
            rule = self._rule(
                study,
                better,
                metric=metric,
                margin=margin,
                confidence=confidence,
                paired=paired,
                cost=cost,
                saving=saving,
            )
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
        cost: str | None = None,
        saving: float | None = None,
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
            cost: As in `compare`.
            saving: As in `compare`.
        """
        with StudyRuns.open(self.path) as study:
            rule = self._rule(
                study,
                better,
                metric=metric,
                margin=margin,
                confidence=confidence,
                paired=paired,
                cost=cost,
                saving=saving,
            )
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

    def is_suite(self, metric: str | None = None) -> bool:
        """True if the study has several tasks, and a comparison goes over all of them.

        Args:
            metric: As in `compare_tasks`. That of one task, "task/metric", is not a suite.
        """
        with StudyRuns.open(self.path) as study:
            return suite_metric(study, metric or fixed_rule(study).metric) is not None

    def compare_tasks(
        self,
        setups: Sequence[str] = (),
        *,
        correction: Correction = "holm",
        metric: str | None = None,
        margin: float | None = None,
        confidence: float | None = None,
        paired: bool | None = None,
        over: Over | None = None,
        better: str | None = None,
    ) -> tuple[SuiteComparison, ...]:
        """Setups over the tasks of a suite: a verdict over all, and one for each task.

        Args:
            setups: Their names, the baseline first; none for all of the study in their order.
            correction: As in `compare_several`.
            metric: The metric within each task, e.g. `acc` of runs with `easy/acc` and `hard/acc`.
            margin: The largest difference that does not matter, in each task and over them; in
                standard deviations where differences are standardised.
            confidence: As in `compare`.
            paired: As in `compare`.
            over: Put tasks together by the `mean` of their differences, of `standardised`
                differences, or by the interquartile mean of all scores, `iqm`.
            better: As in `compare`.

        Raises:
            StudyError: The study has no tasks, or the setups share fewer than two.
        """
        with StudyRuns.open(self.path) as study:
            rule = self._rule(
                study,
                better,
                metric=metric,
                margin=margin,
                confidence=confidence,
                paired=paired,
                over=over,
            )
            name = suite_metric(study, rule.metric)
            if name is None:
                raise StudyError(
                    f"{self.path} has no tasks"
                    + (f" with a metric {rule.metric!r}" if rule.metric and study.tasks else "")
                    + "; import them with --task COLUMN, or use compare for single metrics"
                )
            names = tuple(setups) or tuple(study.setups)
            found = compare_suite(study, names, rule, name, correction=correction)
        return tuple(map(SuiteComparison.of, found))

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
            rule = self._rule(study, better, metric=metric, confidence=confidence)
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
        images: int | None = None,
        metric: str | None = None,
    ) -> Planning:
        """Plan how many runs a difference needs, with the stored runs as a pilot.

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
            images: Plan for another number of validation images.
            metric: The metric to plan for; None for the usual ones, with the one that was fixed.
        """
        question = Question(
            differences=tuple(differences),
            runs=runs,
            margin=margin,
            wanted=power,
            alpha=alpha,
            max_runs=max_runs,
            seed=seed,
            images=images,
        )
        with StudyRuns.open(self.path) as study:
            return plan_from_pilot(study, setups, question, metric)

    def variance(self, setup: str) -> Variance:
        """The sources of a setup's run-to-run noise, as far as its stored runs can tell.

        Args:
            setup: Name of the setup.
        """
        with StudyRuns.open(self.path) as study:
            return variance(study, setup)

    def _rule(
        self,
        study: StudyRuns,
        better: str | None,
        **said: Any,
    ) -> Rule:
        """The rule that was fixed, with what is said instead."""
        given = {name: value for name, value in said.items() if value is not None}
        ways = dict(self._better) if better is None else {**self._better, DECIDING: better}
        return replace(fixed_rule(study), **given, better=ways)
