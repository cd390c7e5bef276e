"""A comparison over the tasks of a suite in words: one view, which every renderer maps over."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Self, final

from seedwise.comparison.result import ComparisonValues
from seedwise.comparison.suite import SuiteValues
from seedwise.errors import ConfigError
from seedwise.figures import count, figure, in_points, percent, places, signed, spread
from seedwise.stats.intervals import Difference
from seedwise.words.comparison import Claim, hold, plain_values
from seedwise.words.decision import decision_promise, decision_sentence
from seedwise.words.numbers import amount, metric_words, pointing

__all__ = ["SuiteComparison", "SuiteRow", "SuiteView", "suite_json", "suite_view"]

_RULED = 0.8
"""Share of the squared standard error from which one task rules the verdict over three or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRow:
    """B against A in one task, as text. Accuracies are in %, differences in points.

    Attributes:
        task: Name of the task.
        runs: Pairs, or runs of each setup.
        mean_a: Mean of A's runs.
        mean_b: Mean of B's runs.
        estimate: B - A, with its sign.
        interval: Its interval for new seeds.
        p: p-value, corrected over tasks.
        outcome: The verdict in this task.
    """

    task: str
    runs: str
    mean_a: str
    mean_b: str
    estimate: str
    interval: str
    p: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteView:
    """A comparison over tasks in words, in the order in which it is read.

    Attributes:
        headline: The verdict over the tasks in a sentence; a stopping rule's, where one decides.
        basis: The runs on which it rests, and how often such a verdict is wrong.
        exploratory: What the same runs would say over the tasks had their number been fixed; empty
            without a stopping rule.
        counted: Tasks won, tied and lost, and in how many that is shown.
        rows: The tasks.
        legend: What the columns are.
        ranks: Average ranks of all setups; empty below ten tasks.
        cautions: What to bear in mind.
    """

    headline: str
    basis: str
    exploratory: str
    counted: str
    rows: tuple[SuiteRow, ...]
    legend: str
    ranks: str
    cautions: tuple[str, ...]


@final
class SuiteComparison(SuiteValues):
    """Setup B against setup A over tasks. Printed, it is the verdict."""

    __slots__ = ()

    @classmethod
    def of(cls, found: SuiteValues) -> Self:
        """The same values, with words."""
        return cls(**{field.name: getattr(found, field.name) for field in fields(found)})

    @property
    def view(self) -> SuiteView:
        """All of it in words, in the order in which it is read."""
        return suite_view(self)

    def __str__(self) -> str:
        told = self.view
        return f"{told.headline} {told.counted}"

    def __repr__(self) -> str:
        return str(self)

    def expect(self, claim: Claim) -> Self:
        """Fail with the verdict unless the claim holds over the tasks, as `Comparison.expect`.

        Raises:
            AssertionError: The claim does not hold; the message is the verdict in words.
            ConfigError: No such claim, or one that needs a margin and there is none.
        """
        __tracebackhide__ = True
        margin = self.rule.margin
        if claim in ("not worse", "equivalent") and margin is None:
            raise ConfigError(f"expect({claim!r}) needs a margin; give one to compare_tasks")
        told = self.view
        hold(
            claim,
            self.outcome,
            not_worse=self.shown_not_worse,
            whom=f"{self.b} against {self.a}, over {count(len(self.tasks), 'task')}",
            by=f" by {_size(self, margin, sign=False)} or more" if margin else "",
            said=(told.headline, told.counted, told.basis, *map("Note: {}".format, told.cautions)),
        )
        return self

    def to_json(self) -> str:
        """All of it as JSON, as `seedwise compare --json` prints it."""
        return json.dumps(suite_json(self), allow_nan=False)


def suite_json(found: SuiteValues) -> dict[str, object]:
    """All of a comparison over tasks in values that JSON has."""
    told = suite_view(found)
    said = {
        "schema": 1,
        "outcome": found.outcome,
        "sentence": told.headline,
        "basis": told.basis,
        "exploratory": told.exploratory,
        "cautions": list(told.cautions),
    }
    return {**said, **plain_values(found)}


def suite_view(found: SuiteValues) -> SuiteView:
    """A comparison over tasks in words."""
    ruled = found.stopping
    return SuiteView(
        headline=_headline(found)
        if ruled is None
        else decision_sentence(ruled.candidate, ruled.rule, ruled.decision),
        basis=_basis(found) if ruled is None else decision_promise(ruled.rule, ruled.decision, ""),
        exploratory="" if ruled is None else _headline(found),
        counted=_counted(found),
        rows=tuple(_row(found, task, each) for task, each in found.tasks.items()),
        legend=(
            f"{found.b} less {found.a}; {percent(found.rule.confidence)} intervals for new seeds, "
            f"each for its task alone; p and verdict corrected over "
            f"{count(_tests(found), 'comparison')} (Holm)."
        ),
        ranks=_ranks(found),
        cautions=tuple(_cautions(found)),
    )


def _tests(found: SuiteValues) -> int:
    family = next(iter(found.tasks.values())).family
    return family.size if family else 1


def _size(found: SuiteValues, value: float, *, sign: bool = True) -> str:
    if found.rule.over == "standardised":
        return f"{value:{'+' if sign else ''}.2f} standard deviations"
    return f"{_number(found, value, sign)}{' points' if in_points(found.metric) else ''}"


def _ends(found: SuiteValues, difference: Difference, *, sign: bool = True) -> str:
    """The interval, and which way the metric points where that could be doubted."""
    way = pointing(found.metric, found.higher_is_better)
    end = f"; {way}" if way else ""
    low, high = difference.low, difference.high
    if math.isinf(low):
        return f"no interval yet{end}"
    if not sign:
        low, high = sorted((abs(low), abs(high)))
    if found.rule.over == "standardised":
        told = [f"{each:{'+' if sign else ''}.2f}" for each in (low, high)]
    else:
        told = [_number(found, each, sign) for each in (low, high)]
    return f"{percent(found.rule.confidence)} interval {told[0]} to {told[1]}{end}"


def _number(found: SuiteValues, value: float, sign: bool) -> str:
    """A difference with the digits that the interval leaves it."""
    digits = places(found.metric, found.difference.low, found.difference.high)
    return (signed if sign else spread)(found.metric, value, digits)


def _what(found: SuiteValues) -> str:
    of = metric_words(found.metric)
    return {
        "mean": f"the mean {of}",
        "standardised": f"{of}, standardised,",
        "iqm": f"the interquartile mean of {of}",
    }[found.rule.over]


def _open(found: SuiteValues) -> str:
    size = _size(found, found.difference.estimate)
    return f"{_what(found)} differs by {size} ({_ends(found, found.difference)})"


def _headline(found: SuiteValues) -> str:
    tasks, verdict = f"over {count(len(found.tasks), 'task')}", found.verdict
    if verdict.outcome in ("better", "worse"):
        more = "higher" if found.difference.estimate > 0 else "lower"
        size = _size(found, abs(found.difference.estimate), sign=False)
        text = (
            f"{found.b} is {verdict.outcome} than {found.a} {tasks}: {_what(found)} is {size} "
            f"{more} ({_ends(found, found.difference, sign=False)})."
        )
        if not found.difference.clear_of_zero:  # corrected otherwise than the interval
            text = f"{found.b} is {verdict.outcome} than {found.a} {tasks}: {_open(found)}."
    elif verdict.outcome == "equivalent":
        assert found.equivalence is not None
        text = (
            f"{found.b} and {found.a} are equivalent {tasks}: {_what(found)} differs by less "
            f"than {_size(found, found.equivalence.margin, sign=False)} "
            f"({_ends(found, found.difference)})."
        )
    elif verdict.withheld:
        text = (
            f"Undecided {tasks}: that {found.b} is {verdict.withheld} rests on runs that "
            f"diverged or collapsed; {_open(found)}."
        )
    else:
        text = (
            f"Undecided: these runs can't tell {found.b} from {found.a} {tasks}; {_open(found)}."
        )
    if verdict.not_worse and verdict.outcome == "undecided" and found.equivalence:
        margin = _size(found, found.equivalence.margin, sign=False)
        text += f" {found.b} is not worse than {found.a} by {margin} or more."
    return text


def _basis(found: SuiteValues) -> str:
    unit = "pair" if found.paired else "run"
    if found.paired:
        numbers = [each.deciding.difference.n_a for each in found.tasks.values()]
    else:
        numbers = [
            each.deciding.difference.n_a if side == "a" else each.deciding.difference.n_b
            for each in found.tasks.values()
            for side in "ab"
        ]
    low, high = min(numbers), max(numbers)
    runs = count(high, unit) if low == high else f"{low} to {count(high, unit)}"
    each = "" if found.paired else " of each setup"
    text = f"Each task counts the same, whatever its number of runs: {runs}{each}."
    if found.standing.confirmatory:
        family = f" in any of the {found.family.size} comparisons" if found.family else ""
        text += (
            f" Where there is no difference between runs that do not collapse, such a study comes "
            f"out better or worse{family} about {percent(found.rule.alpha)} of the time."
        )
    return f"{text} It is about new seeds on these tasks."


def _counted(found: SuiteValues) -> str:
    counted, (better, worse) = found.counted, found.shown
    at = f" by more than {amount(found.metric, found.rule.margin)}" if found.rule.margin else ""
    tied = f", tied in {counted.ties}" if counted.ties else ""
    return (
        f"By their means {found.b} wins{at} in {counted.wins} of {count(len(found.tasks), 'task')}"
        f"{tied} and loses in {counted.losses}; shown to be better in {better}, worse in {worse}."
    )


def _row(found: SuiteValues, task: str, each: ComparisonValues) -> SuiteRow:
    main, metric = each.deciding, found.metric
    difference, p = main.difference, each.verdict.p_value
    digits = places(metric, difference.low, difference.high)
    low, high = (signed(metric, end, digits) for end in (difference.low, difference.high))
    return SuiteRow(
        task=task,
        runs=f"{difference.n_a}" if difference.paired else f"{difference.n_a}, {difference.n_b}",
        mean_a=figure(metric, main.sample_a.mean, digits),
        mean_b=figure(metric, main.sample_b.mean, digits),
        estimate=signed(metric, difference.estimate, digits),
        interval=f"[{low}, {high}]",
        p=f"{p:.2g}" if p >= 1e-4 else "<0.0001",
        outcome=each.outcome,
    )


def _ranks(found: SuiteValues) -> str:
    if found.ranks is None:
        return ""
    tests = found.ranks.ranks
    by_rank = sorted(zip(tests.ranks, found.ranks.setups, strict=True))
    listed = ", ".join(f"{name} {rank:.2f}" for rank, name in by_rank)
    apart = [
        f"{better} from {worse}"
        for place, (low, better) in enumerate(by_rank)
        for high, worse in by_rank[place + 1 :]
        if high - low > tests.critical
    ]
    p = "p < 0.0001" if tests.p_value < 1e-4 else f"p = {tests.p_value:.2g}"
    told = f"{', '.join(apart)} are apart" if apart else "none are apart"
    return (
        f"Average ranks over {tests.tasks} tasks, 1 is best: {listed}. Friedman's test: {p}; "
        f"ranks are apart from {tests.critical:.2f} on (Nemenyi): {told}. "
        "Ranks are about new tasks of this kind."
    )


def _cautions(found: SuiteValues) -> Iterator[str]:
    if found.lacking:
        yield (
            f"Left out, as not all setups have runs of them with {found.metric}: "
            f"{', '.join(found.lacking)}. To leave tasks out because of how they went would bias "
            "the verdict."
        )
    alone = sum(
        each.deciding.difference.rest_a + each.deciding.difference.rest_b
        for each in found.tasks.values()
    )
    if alone:
        yield (
            f"Over the tasks pairs count alone; {count(alone, 'run')} without a partner count in "
            "the verdicts of their tasks."
        )
    few = [
        task
        for task, each in found.tasks.items()
        if min(each.deciding.difference.n_a, each.deciding.difference.n_b) < 2
    ]
    if few:
        yield (
            f"One run says nothing about how much runs vary, and no verdict over the tasks is "
            f"possible before a second: {', '.join(few)}."
        )
    two = min(found.difference.n_a, found.difference.n_b) == 2
    if two and found.difference.freedom == 1 and not few:
        yield (
            "A task with two runs beside tasks with more leaves one degree of freedom: a third "
            "run there tells most."
        )
    wide = _wide(found)
    if wide:
        yield (
            f"The task {wide} makes up most of the noise over the tasks: its unit decides what "
            'is shown. Differences may be standardised beforehand (over = "standardised").'
        )
    lost = sum(each.a.diverged + each.b.diverged for each in found.tasks.values())
    if lost:
        yield f"{count(lost, 'result')} over all tasks diverged, and count in no mean."
    if not found.standing.confirmatory:
        reasons = "; ".join(found.standing.reasons)
        yield f"Exploratory, the stated error rates may not hold: {reasons}."


def _wide(found: SuiteValues) -> str:
    """The task whose error outweighs all others; empty where none does."""
    if found.rule.over == "standardised" or len(found.tasks) < 3:
        return ""
    errors = {task: each.deciding.difference.error**2 for task, each in found.tasks.items()}
    widest = max(errors, key=errors.__getitem__)
    total = sum(errors.values())
    return widest if math.isfinite(total) and errors[widest] > _RULED * total > 0 else ""
