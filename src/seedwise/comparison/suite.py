"""Setups compared over the tasks of a suite: a verdict for each task, and one over all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seedwise.comparison.judging import SetupPair, as_by_seeds, judged
from seedwise.comparison.measured import Measurements, measure, results_of
from seedwise.comparison.metrics import Metric
from seedwise.comparison.over_tasks import OverTasks
from seedwise.comparison.result import ComparisonValues, Family
from seedwise.comparison.rule import PlannedComparisons, Rule, Standing, standing
from seedwise.comparison.stopping import Stopped, stopped
from seedwise.comparison.study_runs import StudyRuns, shared_rows
from seedwise.comparison.tasks import check_units, common_tasks, suite_metric, task_metrics
from seedwise.comparison.verdict import Deciding, Verdict, settle
from seedwise.errors import ConfigError
from seedwise.stats.equivalence import Equivalence, equivalence
from seedwise.stats.intervals import Difference
from seedwise.stats.multiplicity import Correction, adjusted
from seedwise.stats.ranks import FEWEST_TASKS, Ranks, average_ranks
from seedwise.stats.suites import WinTieLoss, win_tie_loss

__all__ = ["SuiteRanks", "SuiteValues", "compare_suite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRanks:
    """Average ranks of all setups over the tasks; they are about new tasks of the kind.

    Attributes:
        setups: Names of the setups.
        ranks: Their ranks, and Friedman's and Nemenyi's tests.
    """

    setups: tuple[str, ...]
    ranks: Ranks


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteValues:
    """Setup B against setup A over the tasks of a suite.

    Attributes:
        a: Name of setup A.
        b: Name of setup B.
        metric: Name of the metric within each task.
        higher_is_better: Direction of the metric.
        rule: Rule by which the verdict was reached.
        paired: Whether runs of the same seed were compared in all tasks.
        tasks: The comparison in each task, corrected over tasks and candidates (Holm).
        difference: B - A over the tasks, each with the same weight, for new seeds.
        verdict: The claim over the tasks, corrected over candidates.
        without_lost: The verdict without the runs that diverged or collapsed; None where there
            are none, or where nothing is left.
        equivalence: The tests of the difference against the margin; None without one.
        counted: Tasks won, tied and lost at the margin, by their means.
        lacking: Tasks of the study that a setup has no run of under this metric: left out.
        ranks: Average ranks; None below ten tasks.
        family: The candidates that were judged together; None for one.
        standing: Whether all was fixed before the first run that these figures need.
        stopping: What the study's stopping rule says of the two; None where it is not about them.
            It stands then, and the figures beside it are exploratory.
    """

    a: str
    b: str
    metric: str
    higher_is_better: bool
    rule: Rule
    paired: bool
    tasks: Mapping[str, ComparisonValues]
    difference: Difference
    verdict: Verdict
    without_lost: Verdict | None
    equivalence: Equivalence | None
    counted: WinTieLoss
    lacking: tuple[str, ...]
    ranks: SuiteRanks | None
    family: Family | None
    standing: Standing
    stopping: Stopped | None = None

    @property
    def outcome(self) -> str:
        """`better`, `worse`, `equivalent` or `undecided`, over the tasks.

        A stopping rule's, where one decides.
        """
        return self.verdict.outcome if self.stopping is None else self.stopping.outcome(self.b)

    @property
    def shown_not_worse(self) -> bool:
        """True if B is shown not to be worse by the margin or more, over the tasks.

        Where a stopping rule decides, by its verdict: better or equivalent.
        """
        if self.stopping is not None:
            return self.outcome in ("better", "equivalent")
        return self.verdict.not_worse

    @property
    def shown(self) -> tuple[int, int]:
        """Tasks in which B is shown to be better, and to be worse."""
        outcomes = [each.outcome for each in self.tasks.values()]
        return outcomes.count("better"), outcomes.count("worse")


def compare_suite(
    study: StudyRuns,
    setups: Sequence[str],
    rule: Rule,
    metric: str,
    *,
    correction: Correction = "holm",
) -> tuple[SuiteValues, ...]:
    """Compare setups with the first of them over the tasks of a suite.

    Args:
        study: The study, which has tasks.
        setups: Their names, the baseline first.
        rule: How verdicts are reached; its metric is not looked at.
        metric: As `suite_metric` gives it.
        correction: `holm` for verdicts, `bh` for a screening.

    Raises:
        ConfigError: Fewer than two setups, or one of them twice.
        UnknownName: No such setup.
        StudyError: A setup has no result, or two setups share fewer than two tasks.
        DataError: A task is in another unit than the others, or nothing can be standardised.
        Unsettled: Nobody says which way the metric points.
    """
    if len(setups) < 2 or len(set(setups)) < len(setups):
        raise ConfigError(f"give two or more different setups, got {', '.join(setups) or 'none'}")
    found = {name: results_of(study, name) for name in setups}
    runs = {name: results for name, (results, _) in found.items()}
    tasks = common_tasks(study, runs, metric)
    metrics = task_metrics(
        study, [run for each in runs.values() for run in each], rule, metric, tasks
    )
    measured = {
        task: {name: measure(study, *found[name], [metrics[task]]) for name in setups}
        for task in tasks
    }
    check_units(measured, metrics, metric)
    pairs = [(setups[0], name) for name in setups[1:]]
    asked, said = PlannedComparisons.of(study), rule
    unseen = len(asked.beside(pairs))
    if rule.paired is None:
        rule = replace(rule, paired=_pair_everywhere(pairs, measured, metrics))
    by_task = _by_task(study, pairs, measured, metrics, rule, unseen)
    suites = [OverTasks.of(pair, by_task[pair], measured, rule) for pair in pairs]
    family = Family(size=len(pairs) + unseen, correction=correction, shown=len(pairs))
    verdicts = _verdicts([each.difference for each in suites], rule, metric, family)
    without = _verdicts([each.without or each.difference for each in suites], rule, metric, family)
    ranks = _ranks(setups, measured, metrics, rule)
    lacking = tuple(task for task in study.tasks if task not in tasks)
    by_rule = stopped(study, pairs)
    return tuple(
        SuiteValues(
            a=pair[0],
            b=pair[1],
            metric=metric,
            higher_is_better=suite.higher,
            rule=rule,
            paired=suite.paired,
            tasks=by_task[pair],
            difference=suite.turned,
            verdict=_founded(verdict, rest, suite),
            without_lost=rest if suite.without else None,
            equivalence=equivalence(suite.difference, rule.margin) if rule.margin else None,
            counted=win_tie_loss(suite.advantages, rule.margin or 0.0),
            lacking=lacking,
            ranks=ranks,
            family=family if family.size > 1 else None,
            standing=standing(
                study,
                as_by_seeds(measured[tasks[0]][pair[0]], measured[tasks[0]][pair[1]], said),
                pair,
                also=asked.strays(pair, pairs),
                usual=metric if _decides(study, metric) else None,
            ),
            stopping=by_rule.get(pair),
        )
        for pair, suite, verdict, rest in zip(pairs, suites, verdicts, without, strict=True)
    )


def _decides(study: StudyRuns, metric: str) -> bool:
    """True if a metric decides over the tasks where none is named."""
    try:
        return suite_metric(study, None) == metric
    except ConfigError:  # there are several to choose from
        return False


def _pair_everywhere(
    pairs: Sequence[tuple[str, str]],
    measured: Mapping[str, Mapping[str, Measurements]],
    metrics: Mapping[str, Metric],
) -> bool:
    """True if seeds pair in every task, as `judging` asks it of a study without tasks.

    One task where they do not would leave a pair or two of its many runs.
    """
    for task, setups in measured.items():
        for a, b in pairs:
            known = [
                np.isfinite(setups[name].metrics[str(metrics[task])].values) for name in (a, b)
            ]
            rows = shared_rows(setups[a].seeds, setups[b].seeds)
            shared = int((known[0][rows[0]] & known[1][rows[1]]).sum())
            if shared < 2 or 2 * shared < min(each.sum() for each in known):
                return False
    return True


def _by_task(
    study: StudyRuns,
    pairs: Sequence[tuple[str, str]],
    measured: Mapping[str, Mapping[str, Measurements]],
    metrics: Mapping[str, Metric],
    rule: Rule,
    unseen: int,
) -> Mapping[tuple[str, str], Mapping[str, ComparisonValues]]:
    """The comparison of each pair in each task, corrected over all of them.

    Planned comparisons that are not shown count as tests that show nothing, which Holm's
    correction allows for in the others.
    """
    cells = [(pair, task) for pair in pairs for task in measured]
    settings = [
        SetupPair(
            a=measured[task][a],
            b=measured[task][b],
            standing=standing(study, rule, (a, b)),
        )
        for (a, b), task in cells
    ]
    found = judged(
        settings,
        [{str(metrics[task]): metrics[task]} for _, task in cells],
        rule,
        "holm",
        beside=[None] * (unseen * len(measured)),
    )
    by_pair: dict[tuple[str, str], dict[str, ComparisonValues]] = {pair: {} for pair in pairs}
    for (pair, task), each in zip(cells, found, strict=True):
        by_pair[pair][task] = each
    return by_pair


def _verdicts(
    differences: Sequence[Difference], rule: Rule, metric: str, family: Family
) -> list[Verdict]:
    """The verdicts over the tasks, corrected over the candidates."""
    tests = [equivalence(each, rule.margin) if rule.margin else None for each in differences]
    more = family.size - len(differences)
    signs, within, above = (
        adjusted(np.array([*p, *[1.0] * more]), family.correction)
        for p in (
            [each.p_value for each in differences],
            [each.p_value if each else 1.0 for each in tests],
            [each.p_not_worse if each else 1.0 for each in tests],
        )
    )
    return [
        settle(
            Deciding(
                metric=metric,
                direction=int(np.sign(each.estimate)),
                p_value=each.p_value,
                ways=({metric: 1.0},),
            ),
            float(signs[place]),
            p_equivalent=float(within[place]) if tests[place] else None,
            p_not_worse=float(above[place]) if tests[place] else None,
            margin_metric=metric,
            alpha=rule.alpha,
        )
        for place, each in enumerate(differences)
    ]


def _founded(verdict: Verdict, without: Verdict, suite: OverTasks) -> Verdict:
    """The verdict, withheld where it rests on runs that diverged or collapsed."""
    if not suite.lost:
        return verdict
    if verdict.outcome == "worse" and (suite.more_lost or not suite.uncounted):
        return verdict
    rest = without if suite.without is not None and not suite.uncounted else None
    return verdict.founded_on(rest)


def _ranks(
    setups: Sequence[str],
    measured: Mapping[str, Mapping[str, Measurements]],
    metrics: Mapping[str, Metric],
    rule: Rule,
) -> SuiteRanks | None:
    """Average ranks of the setups, where there are tasks enough."""
    if len(measured) < FEWEST_TASKS:
        return None
    means = np.array(
        [
            [np.nanmean(each[name].metrics[str(metrics[task])].values) for name in setups]
            for task, each in measured.items()
        ]
    )
    sign = -1 if next(iter(metrics.values())).higher_is_better is False else 1
    return SuiteRanks(setups=tuple(setups), ranks=average_ranks(sign * means, alpha=rule.alpha))
